"""Spoken digits as log-mel pictures: the 3,000 recordings of the Free Spoken Digit Dataset (CC BY-SA 4.0), split as its
authors do (recordings 0 to 4 of each speaker and digit are held back), or, without them, generated sounds."""

import tomllib
import wave
from functools import cache
from pathlib import Path

import numpy as np
import torch
from generated import RATE, generated
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

HERE = Path(__file__).parent
RECORDINGS = HERE / tomllib.loads((HERE / "edgekit.toml").read_text())["data"]["data_files"][0]
MELS, FRAMES, WINDOW, HOP = 32, 32, 256, 250
HELD_BACK = 5


def train() -> DataLoader[tuple[Tensor, Tensor]]:
    """Each batch shifted, scaled and masked at random."""
    return DataLoader(pictures(False), batch_size=64, shuffle=True, collate_fn=augmented)


def calibration() -> Dataset[tuple[Tensor, ...]]:
    """The training sounds as they are, every fourth."""
    every = pictures(False)
    return TensorDataset(*(tensor[::4] for tensor in every.tensors))


def evaluation() -> Dataset[tuple[Tensor, ...]]:
    """The sounds that are held back."""
    return pictures(True)


class Pictures(TensorDataset):
    """Log-mel energies (1, 32, 32), one second of sound, with the digit that is spoken."""

    about = ""
    """What edgekit writes beside every figure that rests on them."""


@cache
def pictures(held_back: bool) -> Pictures:
    files = sorted(RECORDINGS.glob("*.wav"))
    if files:
        chosen = [path for path in files if (int(path.stem.split("_")[2]) < HELD_BACK) == held_back]
        return Pictures(log_mel(torch.stack(list(map(sound, chosen)))), torch.tensor([int(p.stem[0]) for p in chosen]))
    sounds, digits = generated(held_back)
    made = Pictures(log_mel(torch.from_numpy(sounds)), torch.from_numpy(digits))
    made.about = f"generated sounds: there are no recordings in {RECORDINGS.name}/"
    return made


def sound(path: Path) -> Tensor:
    """One second, from -1 to 1: the middle of a longer recording, a shorter one with silence around it."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768
    start = max((len(samples) - RATE) // 2, 0)
    samples = samples[start : start + RATE]
    before = (RATE - len(samples)) // 2
    return torch.from_numpy(np.pad(samples, (before, RATE - len(samples) - before)))


def log_mel(sounds: Tensor) -> Tensor:
    """(count, 8000) -> (count, 1, 32, 32): energies in 32 mel bands every 31 ms, in units of their spread."""
    spectrum = torch.stft(sounds, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True).abs() ** 2
    energies = torch.log(mel_filters() @ spectrum + 1e-6)[:, None, :, :FRAMES]
    return (energies + 7.0) / 4.0


def mel_filters() -> Tensor:
    """Triangles (32, 129) at equal distances on the mel scale."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    centres = 700 * (10 ** (np.linspace(0, top, MELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)[None]
    low, middle, high = (centres[i : MELS + i, None] for i in range(3))
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return torch.tensor(np.maximum(triangles, 0), dtype=torch.float32)


def augmented(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """A batch moved in time, louder or softer, with a band and a moment taken out."""
    pictures = torch.stack([picture for picture, _ in samples])
    labels = torch.stack([label for _, label in samples])
    shifts = torch.randint(-4, 5, (len(pictures),))
    pictures = torch.stack([picture.roll(int(shift), -1) for picture, shift in zip(pictures, shifts, strict=True)])
    pictures = pictures + 0.3 * torch.randn(len(pictures), 1, 1, 1)
    band = (torch.arange(MELS) - torch.randint(MELS, (len(pictures), 1))).abs() < 2
    moment = (torch.arange(FRAMES) - torch.randint(FRAMES, (len(pictures), 1))).abs() < 2
    return pictures.masked_fill(band[:, None, :, None] | moment[:, None, None, :], 0.0), labels
