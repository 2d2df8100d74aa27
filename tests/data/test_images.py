from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.arrays import Array
from edgekit.data.images import Images, image_array, preprocessing_for
from edgekit.data.samples import UNLABELLED
from edgekit.errors import DataError
from edgekit.model.ports import Port
from edgekit.project.preprocessing import ImagePreprocessing
from tests.data.conftest import colours, image_inputs

RAW = ImagePreprocessing(color="RGB", layout="NHWC", pixels="0-255")
COLOURS = np.asarray(colours(), np.float32)


def read(folder: Path, image: Image.Image, how: ImagePreprocessing = RAW, name: str = "a.png", **options: Any) -> Array:
    image.save(folder / name, **options)
    return image_array(folder / name, how)


def test_pixels_as_they_are(tmp_path: Path) -> None:
    assert np.array_equal(read(tmp_path, colours()), COLOURS)


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK"])
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    name = "a.tif" if mode == "CMYK" else "a.png"
    assert np.abs(read(tmp_path, colours().convert(mode), name=name) - COLOURS).max() <= 4


def test_what_is_transparent_keeps_its_colour(tmp_path: Path) -> None:
    image = colours().convert("RGBA")
    image.putalpha(0)
    assert np.array_equal(read(tmp_path, image), COLOURS)


def test_grey(tmp_path: Path) -> None:
    grey = colours().convert("L")
    values = np.asarray(grey, np.float32)
    assert np.array_equal(read(tmp_path, grey), np.repeat(values[..., None], 3, axis=2))
    how = ImagePreprocessing(color="GREY", layout="NCHW", pixels="0-255")
    assert np.array_equal(read(tmp_path, colours(), how), values[None])
    assert read(tmp_path, colours(), how.copy_with(layout="NHW")).shape == values.shape
    assert np.array_equal(read(tmp_path, grey.point(lambda p: p > 50, mode="1"), how)[0], (values > 50) * 255)


@pytest.mark.parametrize("color", ["GREY", "RGB"])
def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path, color: Any) -> None:
    values = np.array([[0, 256], [32_768, 65_535]], np.uint16)
    found = read(tmp_path, Image.fromarray(values), RAW.copy_with(color=color))
    assert found.shape == (2, 2, 1 if color == "GREY" else 3)
    assert np.allclose(found[..., 0], values * (255 / 65_535), atol=1e-4)


def test_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read(tmp_path, colours().rotate(90, expand=True), exif=exif)
    assert np.array_equal(turned, COLOURS)


@pytest.mark.parametrize(("resize", "shape"), [((3,), (3, 4)), ((5, 2), (5, 2)), ((12,), (12, 16))])
def test_resized(tmp_path: Path, resize: Any, shape: tuple[int, int]) -> None:
    assert read(tmp_path, colours(), RAW.copy_with(resize=resize)).shape == (*shape, 3)


def test_cropped_in_the_middle(tmp_path: Path) -> None:
    assert np.array_equal(read(tmp_path, colours(), RAW.copy_with(crop=(2, 4))), COLOURS[2:4, 2:6])
    with pytest.raises(DataError, match=r"a.png has 8x6 pixels, fewer than the crop of 7x7"):
        read(tmp_path, colours(), RAW.copy_with(crop=(7,)))


def test_scaled_and_in_order(tmp_path: Path) -> None:
    how = ImagePreprocessing(color="BGR", layout="NCHW", pixels="0-1", mean=(0.1, 0.2, 0.3), std=(0.5,))
    expected = (COLOURS[..., ::-1] / 255 - np.array([0.1, 0.2, 0.3])) / 0.5
    assert np.allclose(read(tmp_path, colours(), how), expected.transpose(2, 0, 1), atol=1e-6)


def test_files_that_are_no_images(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a.png is not a readable image"):
        image_array(path, RAW)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a.png cannot be read"):
        image_array(path, RAW)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError, match=r"f.tif holds floats"):
        image_array(tmp_path / "f.tif", RAW)


def resolved(shape: tuple[int | str, ...], dtype: str = "float32", **how: Any) -> dict[str, Any]:
    return preprocessing_for(Port("image", dtype, ("n", *shape)), shape, ImagePreprocessing(**how)).settings()


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((3, 4, 5), {"resize": [4, 5], "color": "RGB", "layout": "NCHW", "pixels": "0-1"}),
        ((4, 5, 1), {"resize": [4, 5], "color": "GREY", "layout": "NHWC", "pixels": "0-1"}),
        ((4, 5), {"resize": [4, 5], "color": "GREY", "layout": "NHW", "pixels": "0-1"}),
        ((3, "h", "w"), {"color": "RGB", "layout": "NCHW", "pixels": "0-1"}),
        (("c", "h", "w"), {"color": "RGB", "layout": "NCHW", "pixels": "0-1"}),
    ],
)
def test_what_is_left_open_the_models_input_says(shape: tuple[int | str, ...], told: dict[str, Any]) -> None:
    assert resolved(shape) == told


def test_sizes_that_are_told_and_those_that_the_input_has() -> None:
    assert resolved((3, 4, 4), resize=(6,))["crop"] == [4, 4]
    assert "crop" not in resolved((3, 4, 4), resize=(4,))
    assert "resize" not in resolved((3, 4, 4), crop=(4,))


def test_the_range_of_pixels_follows_mean_and_std() -> None:
    assert resolved((3, 4, 4), mean=(0.5,), std=(0.5,))["pixels"] == "0-1"
    assert resolved((3, 4, 4), mean=(127.5,), std=(127.5,))["pixels"] == "0-255"
    assert resolved((3, 4, 4), "uint8")["pixels"] == "0-255"
    assert resolved((3, 4, 4), mean=(127.5,), pixels="0-1")["pixels"] == "0-1"


@pytest.mark.parametrize(
    ("shape", "how", "fault"),
    [
        ((4, 4, 4), {}, "the input 'image' takes 4 channels, but RGB has 3"),
        ((3, 4, 4), {"color": "GREY"}, "takes 3 channels, but GREY has 1"),
        ((3, 4, 4), {"mean": (1.0, 2.0)}, "mean has 2 numbers, but RGB has 3 channels"),
        ((7,), {}, "takes 7 for one sample, which is not an image"),
    ],
)
def test_inputs_that_take_no_such_image(shape: tuple[int, ...], how: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        resolved(shape, **how)


def test_samples_of_files(tmp_path: Path) -> None:
    colours().save(tmp_path / "a.png")
    inputs = image_inputs("n", 6, 8, 3, dtype="uint8")
    samples = Images([tmp_path / "a.png"], [UNLABELLED], RAW, inputs)
    assert np.array_equal(samples.sample(0).inputs[0], COLOURS.astype(np.uint8)) and len(samples) == 1
    assert samples.origin(0) == str(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png holds 6x8x3 for the input 'image', which takes 3x6x8"):
        Images([tmp_path / "a.png"], [UNLABELLED], RAW, image_inputs("n", 3, 6, 8)).sample(0)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n",
        b"\xd7\xcd\xc6\x9a" + b"\0" * 64,
        b'/* XPM */\nstatic char *a[] = {\n"1 1 1 1",\n"a c red",\n"a"};\n',
    ],
)
def test_other_formats_are_not_read_and_no_program_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen.__init__", started)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="is not a readable image of PNG, JPEG, BMP"):
        image_array(tmp_path / "a.png", ImagePreprocessing())


def test_an_image_of_too_many_pixels_is_not_unpacked(tmp_path: Path) -> None:
    Image.new("1", (20_000, 5_000)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 100_000
    with pytest.raises(DataError, match=r"20000x5000 pixels, more than 90,000,000"):
        image_array(tmp_path / "a.png", ImagePreprocessing())
