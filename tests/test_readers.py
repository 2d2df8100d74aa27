"""Damaged and hostile files of every kind: read, or refused with a line and a hint."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.readers import Reader, damaged, judge, readers

NAMES = (
    *("project", "target", "recipe", "interactions", "manifest", "latency", "study", "labels", "onnx", "tflite"),
    *("safetensors", "state dict", "npy", "npz", "PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"),
    *("WAV", "FLAC", "board", "run"),
)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Reader]]:
    folder = tmp_path_factory.mktemp("readers")
    return folder, readers(folder)


def test_each_reader_is_tried(every: tuple[Path, dict[str, Reader]]) -> None:
    folder, found = every
    assert tuple(found) == NAMES
    for name, reader in found.items():
        assert not judge(reader, reader.sound, folder), name


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(40))
@given(seed=st.integers(0, 2**32))
def test_damage_is_refused_or_read(every: tuple[Path, dict[str, Reader]], name: str, seed: int) -> None:
    folder, found = every
    content = damaged(found[name].sound, random.Random(seed))
    assert not judge(found[name], content, folder), (name, seed)
