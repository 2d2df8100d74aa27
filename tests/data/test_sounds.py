from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edgekit.data.samples import UNLABELLED
from edgekit.data.sounds import Sounds, preprocessing_for, sound_array
from edgekit.errors import DataError
from edgekit.model.ports import Port
from edgekit.project.preprocessing import SoundPreprocessing
from tests.data.conftest import image_inputs

RAMP = np.arange(10, dtype=np.float32) / 16


def written(folder: Path, sound: Any = RAMP, rate: int = 8000, subtype: str = "PCM_16") -> Path:
    soundfile.write(folder / "a.wav", sound, rate, subtype=subtype)
    return folder / "a.wav"


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_every_encoding_is_read_as_floats(tmp_path: Path, subtype: str) -> None:
    assert np.allclose(sound_array(written(tmp_path, subtype=subtype), SoundPreprocessing()), RAMP, atol=1e-4)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = written(tmp_path, np.stack([RAMP, np.zeros(10)], axis=1))
    assert np.allclose(sound_array(path, SoundPreprocessing()), RAMP / 2, atol=1e-4)


@pytest.mark.parametrize(("length", "expected"), [(4, RAMP[3:7]), (12, np.pad(RAMP, (0, 2)))])
def test_cut_or_filled_to_a_length(tmp_path: Path, length: int, expected: Any) -> None:
    assert np.allclose(sound_array(written(tmp_path), SoundPreprocessing(length=length)), expected, atol=1e-4)


def test_files_that_do_not_serve(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.wav has 8000 samples per second, not 16000"):
        sound_array(written(tmp_path), SoundPreprocessing(rate=16000))
    with pytest.raises(DataError, match=r"a.wav holds no audio samples"):
        sound_array(written(tmp_path, np.zeros(0)), SoundPreprocessing())
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"a.wav is not a readable sound file"):
        sound_array(tmp_path / "a.wav", SoundPreprocessing())
    with pytest.raises(DataError, match=r"a.wav is not a readable sound file"):
        preprocessing_for(Port("x", "float32", ("n", 4)), (4,), SoundPreprocessing(), tmp_path / "a.wav")


def test_what_is_left_open_the_input_and_the_files_say(tmp_path: Path) -> None:
    path = written(tmp_path)
    for shape, length in (((4,), 4), ((1, 4), 4), ((4, 1), 4), (("n",), None)):
        how = preprocessing_for(Port("x", "float32", ("batch", *shape)), shape, SoundPreprocessing(), path)
        assert how == SoundPreprocessing(length=length, rate=8000)
    with pytest.raises(DataError, match="the input 'x' takes 4x5 for one sample, which is not a waveform"):
        preprocessing_for(Port("x", "float32", ("batch", 4, 5)), (4, 5), SoundPreprocessing(), path)


@pytest.mark.parametrize(("shape", "dtype"), [((10,), "float32"), ((1, 10), "float32"), ((10, 1), "int16")])
def test_in_the_inputs_own_shape_and_type(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    samples = Sounds([written(tmp_path)], [UNLABELLED], SoundPreprocessing(), image_inputs("n", *shape, dtype=dtype))
    (sound,) = samples.sample(0).inputs
    assert sound.shape == shape and sound.dtype == dtype and len(samples) == 1
    scale = 32_768 if dtype == "int16" else 1
    assert np.allclose(sound.ravel(), RAMP * scale, atol=1e-4 * scale)
    assert samples.origin(0).endswith("a.wav")


def test_a_length_that_only_the_header_has_is_not_allocated(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(100), 8000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4  # the number of samples in FLAC's first block
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(DataError, match=r"it declares 68,\d{3},\d{3},\d{3} samples in 1 channels"):
        sound_array(tmp_path / "a.flac", SoundPreprocessing())
