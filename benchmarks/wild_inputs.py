"""Real inputs for the models of wild.py, seeded: rendered pages, the machine's own files, synthesized speech."""

import ctypes
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

RATE = 16_000
WORDS = """
invoice total amount due payment received customer order number delivery street winter garden bridge river engine
battery voltage sensor temperature pressure north south open closed warning danger exit platform ticket Berlin Paris
London Tokyo monday friday january august model serial version update network station kitchen window
""".split()  # noqa: SIM905
VOICES = ("en", "de", "fr", "es", "it", "ru")


def page(seed: int) -> Any:
    """A page with some lines of text, RGB (height, width, 3), uint8: every fourth word is a number, some lines are
    large, some upside down, dark on light or light on dark, in Pillow's scalable font."""
    random = np.random.default_rng(seed)
    width, height = (int(size) for size in random.integers(480, 1000, 2))
    dark = random.random() < 0.2
    back, fore = (30, 235) if dark else (235, 20)
    image = Image.new("RGB", (width, height), tuple(int(each) for each in random.integers(back - 20, back + 20, 3)))
    top = 20
    while True:
        font = ImageFont.load_default(size=int(random.integers(18, 44)))
        text = " ".join(_word(random) for _ in range(random.integers(1, 6)))
        left, upper, right, lower = (int(each) for each in font.getbbox(text))
        line = Image.new("RGB", (right - left + 12, lower - upper + 12), image.getpixel((0, 0)))
        ink = tuple(int(each) for each in random.integers(fore - 20, fore + 20, 3))
        ImageDraw.Draw(line).text((6 - left, 6 - upper), text, ink, font)
        if random.random() < 0.15:
            line = line.rotate(180)
        if top + line.height > height - 10:
            break
        image.paste(line, (20, top))
        top += line.height + int(random.integers(8, 40))
    noise = random.normal(0, random.uniform(0, 6), (height, width, 3))
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)


def _word(random: np.random.Generator) -> str:
    if random.random() < 0.25:
        return f"{random.integers(0, 10000) / random.choice([1, 10, 100]):g}"
    word = str(random.choice(WORDS))
    return word if random.random() < 0.7 else word.upper()


def files(count: int) -> list[Path]:
    """Files of this machine in a seeded order, at most a handful per suffix and folder."""
    found: dict[tuple[str, Path], list[Path]] = {}
    for root in (Path(sys.base_prefix), Path(sysconfig.get_path("purelib")), Path("/usr/share"), Path("/usr/lib")):
        for path in sorted(root.rglob("*.*")):
            if path.is_file() and not path.is_symlink() and 16 <= path.stat().st_size <= 1_000_000:
                kept = found.setdefault((path.suffix.lower(), path.parent), [])
                if len(kept) < 2:
                    kept.append(path)
    by_ending: dict[str, list[Path]] = {}
    for (ending, _), paths in found.items():
        by_ending.setdefault(ending, []).extend(paths)
    random = np.random.default_rng(0)
    few = [path for paths in by_ending.values() for path in random.permutation(np.array(paths, object))[:40]]
    return [few[number] for number in random.permutation(len(few))[:count]]


class Speaker:
    """espeak-ng, from the package espeakng-loader."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(Path(espeakng_loader.get_data_path()).parent).encode()
        self._rate = self._library.espeak_Initialize(1, 0, data, 0)
        if self._rate < 0:
            raise RuntimeError("espeak-ng cannot be initialized: install espeakng-loader anew")

    def said(self, text: str, voice: str) -> Any:
        """Spoken text at 16 kHz, (samples,) of float32 in -1 to 1."""
        parts: list[Any] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

        def heard(wave: Any, count: int, _: Any) -> int:
            if wave and count > 0:
                parts.append(np.ctypeslib.as_array(wave, (count,)).copy())
            return 0

        callback = kind(heard)
        self._library.espeak_SetSynthCallback(callback)
        self._library.espeak_SetVoiceByName(voice.encode())
        data = text.encode()
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, 1, None, None)
        self._library.espeak_Synchronize()
        spoken = np.concatenate(parts).astype(np.float32) / 32768
        places = np.arange(0, len(spoken) - 1, self._rate / RATE)
        return np.interp(places, np.arange(len(spoken)), spoken).astype(np.float32)


def recording(speaker: Speaker, seed: int, seconds: int = 20) -> Any:
    """Speech, pauses and tones in noise, (samples,) of float32 at 16 kHz."""
    random = np.random.default_rng(seed)
    parts, length = [], 0
    while length < seconds * RATE:
        kind = random.random()
        if kind < 0.55:
            text = " ".join(str(random.choice(WORDS)) for _ in range(random.integers(2, 9)))
            part = speaker.said(text, str(random.choice(VOICES))) * random.uniform(0.2, 1.0)
        elif kind < 0.85:
            part = np.zeros(int(random.uniform(0.3, 2.0) * RATE))
        else:
            time = np.arange(int(random.uniform(0.3, 1.5) * RATE)) / RATE
            part = 0.2 * np.sin(2 * np.pi * random.uniform(100, 3000) * time)
        parts.append(part)
        length += len(part)
    clean = np.concatenate(parts)[: seconds * RATE]
    return (clean + random.normal(0, 10 ** random.uniform(-4, -1.7), len(clean))).astype(np.float32).clip(-1, 1)
