"""Sound files as samples, read by libsndfile."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edgekit.arrays import Array
from edgekit.data.model_inputs import Inputs
from edgekit.data.samples import Sample
from edgekit.data.trees import Tree
from edgekit.errors import DataError, first_line
from edgekit.model.ports import Port
from edgekit.project.preprocessing import SoundPreprocessing

_MOST_VALUES = 200_000_000
"""An hour in stereo at 27,000 samples per second; 0.8 GB while it is read."""


@dataclass(frozen=True)
class Sounds:
    """Sound files, with a target for each."""

    paths: Sequence[Path]
    targets: Sequence[Tree]
    how: SoundPreprocessing
    inputs: Inputs

    def __len__(self) -> int:
        return len(self.paths)

    def sample(self, number: int) -> Sample:
        """Read one sound. Raises DataError for a file that is not a sound, is damaged, or has another rate or shape."""
        sound = sound_array(self.paths[number], self.how)
        port, shape = self.inputs.only("sounds")
        if port.dtype == "int16":
            sound = np.clip(np.round(sound * 32_768), -32_768, 32_767).astype(np.int16)
        if len(shape) == 2:
            sound = sound[None] if shape[0] == 1 or shape[1] != 1 else sound[:, None]
        return Sample((self.inputs.samples([sound], self.origin(number))[0][0],), self.targets[number])

    def origin(self, number: int) -> str:
        return str(self.paths[number])


def sound_array(path: Path, how: SoundPreprocessing) -> Array:
    """One preprocessed sound: float32 from -1 to 1 of shape (samples,). Raises DataError for a file that is not a
    sound, is damaged or empty, or has another rate."""
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames * file.channels > _MOST_VALUES:
                raise ValueError(f"it declares {file.frames:,} samples in {file.channels:,} channels")
            channels, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if how.rate is not None and rate != how.rate:
        raise DataError(
            f"{path} has {rate} samples per second, not {how.rate}", "resample all sounds to the model's rate"
        )
    if not len(channels):
        raise DataError(f"{path} holds no audio samples", "remove it, or replace it")
    sound: Array = channels.mean(axis=1, dtype=np.float32)
    if how.length is None:
        return sound
    start = max(0, (len(sound) - how.length) // 2)
    return np.pad(sound[start : start + how.length], (0, max(0, how.length - len(sound))))


def preprocessing_for(
    port: Port, shape: Sequence[int | str], how: SoundPreprocessing, first: Path
) -> SoundPreprocessing:
    """`how`, completed by an input with samples of this shape and by the first file. Raises DataError if the input does
    not take a sound."""
    lengths = [size for size in shape if size != 1]
    if len(shape) > 2 or len(lengths) != 1:
        text = "x".join(map(str, shape)) or "a scalar"
        raise DataError(
            f"the input '{port.name}' takes {text} for one sample, which is not a waveform",
            "give its input as .npy or .npz files, or module:function",
        )
    length = how.length or (lengths[0] if isinstance(lengths[0], int) else None)
    return SoundPreprocessing(length=length, rate=how.rate or _rate(first))


def _rate(path: Path) -> int:
    try:
        return int(soundfile.info(path).samplerate)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a readable sound file: {first_line(error)}", "remove it, or replace it")
