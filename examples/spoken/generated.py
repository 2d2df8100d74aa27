"""Sounds that stand in for spoken digits: a voice's harmonics under three formants that glide, and a hiss. They are no
speech, and what is measured on them says nothing of speech."""

import numpy as np
from numpy.typing import NDArray

RATE = 8000
VOICES, TRAIN, HELD_BACK = 6, 10, 5
"""Speakers, and sounds of each speaker and digit."""
GLIDES = (
    ((450, 1900, 2600), (500, 1000, 2400)),
    ((500, 1000, 2400), (600, 1200, 2500)),
    ((300, 1000, 2300), (350, 900, 2200)),
    ((500, 1500, 2300), (300, 2200, 2900)),
    ((500, 900, 2500), (550, 1100, 1900)),
    ((750, 1200, 2500), (350, 2000, 2700)),
    ((400, 1900, 2600), (350, 1500, 2500)),
    ((550, 1800, 2500), (600, 1300, 2400)),
    ((500, 1900, 2600), (300, 2100, 2900)),
    ((700, 1200, 2400), (350, 1900, 2600)),
)
"""Hz, where a digit's formants begin and end."""
HISS = (0.5, 0.0, 0.2, 0.4, 0.3, 0.3, 0.8, 0.7, 0.0, 0.0)
"""How loud its first tenth of a second is noise."""


def generated(held_back: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Sounds (count, 8000) from -1 to 1 and their digits, the same every time."""
    random = np.random.default_rng(1 if held_back else 0)
    count = HELD_BACK if held_back else TRAIN
    digits = np.tile(np.arange(len(GLIDES)), VOICES * count)
    voices = np.repeat(np.arange(VOICES), len(GLIDES) * count)
    pairs = zip(digits.tolist(), voices.tolist(), strict=True)
    return np.stack([sound(digit, voice, random) for digit, voice in pairs]), digits


def sound(digit: int, voice: int, random: np.random.Generator) -> NDArray[np.float32]:
    """One digit by one voice: its pitch, its length of throat, and how fast it speaks this time."""
    pitch = (95, 120, 140, 180, 210, 240)[voice] * random.uniform(0.9, 1.1)
    throat = (1.0, 0.94, 1.06, 1.1, 1.16, 1.2)[voice] * random.uniform(0.95, 1.05)
    length = int(RATE * random.uniform(0.35, 0.7))
    time = np.arange(length) / length
    begin, end = np.array(GLIDES[digit])[..., None] * throat
    formants = begin + (end - begin) * time
    harmonics = np.arange(1, int(RATE / 2 / pitch))[:, None] * pitch
    near = np.exp(-(((harmonics[None] - formants[:, None]) / 130) ** 2))
    loudness = np.tensordot((1, 0.6, 0.3), near, 1)
    phases = 2 * np.pi * (harmonics * np.arange(length) / RATE + random.random((len(harmonics), 1)))
    said = (loudness * np.sin(phases)).sum(0) * np.sin(np.pi * time) ** 0.5
    hiss = min(RATE // 10, length)
    said[:hiss] += HISS[digit] * random.standard_normal(hiss)
    whole = np.zeros(RATE)
    start = random.integers(0, RATE - length)
    whole[start : start + length] = said / np.abs(said).max() * random.uniform(0.2, 0.8)
    whole += random.uniform(0.002, 0.03) * random.standard_normal(RATE)
    return np.clip(whole, -1, 1).astype(np.float32)
