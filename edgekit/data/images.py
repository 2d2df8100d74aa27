"""Image files as samples, read by Pillow."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edgekit.arrays import Array
from edgekit.data.model_inputs import Inputs
from edgekit.data.samples import Sample
from edgekit.data.trees import Tree
from edgekit.errors import DataError, first_line
from edgekit.model.ports import Port
from edgekit.project.preprocessing import ImagePreprocessing, Size

_DEEP = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
"""Modes of 16-bit grey. Pillow's conversion would clip values above 255."""
_DEEPEST = 65_535
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""What Pillow decodes in this process. It goes by a file's content, and would give PostScript to Ghostscript."""
_MOST_PIXELS = 90_000_000
"""A photograph of a camera for aerial surveys; about 1 GB while it is decoded."""

# Otherwise Pillow's remarks on a damaged file are printed where the caller has set up no logging.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Images:
    """Image files, with a target for each."""

    paths: Sequence[Path]
    targets: Sequence[Tree]
    how: ImagePreprocessing
    inputs: Inputs

    def __len__(self) -> int:
        return len(self.paths)

    def sample(self, number: int) -> Sample:
        """Read one image. Raises DataError for a file that is not an image, is damaged, or does not fit the model's
        input."""
        origin = self.origin(number)
        pixels = image_array(self.paths[number], self.how)
        if self.inputs.ports[0].dtype == "uint8":
            pixels = pixels.round().astype(np.uint8)
        fitting = self.inputs.samples([pixels], origin)
        return Sample((fitting[0][0],), self.targets[number])

    def origin(self, number: int) -> str:
        return str(self.paths[number])


def image_array(path: Path, how: ImagePreprocessing) -> Array:
    """One preprocessed image: float32 of shape (channels, height, width), or the layout in `how`.

    Raises DataError for a file that is not an image, is damaged, or cannot be preprocessed as `how` says.
    """
    image, deepest = _open_upright(path, how.color or "RGB")
    if how.resize:
        image = image.resize(_resize(image.size, how.resize), Image.Resampling.BILINEAR)
    if how.crop:
        image = image.crop(_middle(path, image.size, how.crop))
    pixels = np.asarray(image, np.float32)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if how.color == "BGR":
        pixels = pixels[..., ::-1]
    if deepest and how.color != "GREY":
        pixels = np.repeat(pixels, 3, axis=2)
    if how.pixels != "0-255":
        pixels = pixels / np.float32(255)
    if how.mean:
        pixels = pixels - np.asarray(how.mean, np.float32)
    if how.std:
        pixels = pixels / np.asarray(how.std, np.float32)
    if how.layout == "NHWC":
        return np.ascontiguousarray(pixels)
    return np.ascontiguousarray(pixels[..., 0] if how.layout == "NHW" else pixels.transpose(2, 0, 1))


def preprocessing_for(port: Port, shape: Sequence[int | str], how: ImagePreprocessing) -> ImagePreprocessing:
    """`how`, completed by an input with samples of this shape. Raises DataError if the input does not take an image, or
    not one that `how` produces."""
    layout = how.layout or _layout(port, shape)
    places = {"NCHW": (0, 1, 2), "NHWC": (2, 0, 1), "NHW": (None, 0, 1)}[layout]
    channels, height, width = (None if place is None else shape[place] for place in places)
    color = how.color or ("GREY" if channels in (1, None) else "RGB")
    wanted = 1 if color == "GREY" else 3
    if isinstance(channels, int) and channels != wanted:
        raise DataError(
            f"the input '{port.name}' takes {channels} channels, but {color} has {wanted}",
            f'set the colour mode: color = "{"GREY" if channels == 1 else "RGB"}", or another layout than {layout}',
        )
    whole = (height, width) if isinstance(height, int) and isinstance(width, int) else ()
    resize = how.resize or (() if how.crop else whole)
    crop = how.crop or (whole if len(resize) == 1 and resize * 2 != whole else ())
    large = any(abs(value) > 1 for value in (*how.mean, *how.std))
    pixels = how.pixels or ("0-255" if large or port.dtype == "uint8" else "0-1")
    for name, values in (("mean", how.mean), ("std", how.std)):
        if len(values) not in (0, 1, wanted):
            raise DataError(
                f"{name} has {len(values)} numbers, but {color} has {wanted} channels",
                "give one number, or one per channel",
            )
    return ImagePreprocessing(
        resize=resize, crop=crop, color=color, layout=layout, pixels=pixels, mean=how.mean, std=how.std
    )


def _layout(port: Port, shape: Sequence[int | str]) -> Any:
    if len(shape) == 2:
        return "NHW"
    if len(shape) != 3:
        text = "x".join(map(str, shape)) or "a scalar"
        raise DataError(
            f"the input '{port.name}' takes {text} for one sample, which is not an image",
            "give .npy or .npz files, or module:function",
        )
    return "NHWC" if shape[2] in (1, 3) and shape[0] not in (1, 3) else "NCHW"


def _open_upright(path: Path, color: str) -> tuple[Image.Image, bool]:
    """The image in upright orientation with one or three channels, and whether it is 16-bit grey, in which case its
    values are floats from 0 to 255."""
    try:
        # What Pillow warns of is read all the same, or ends in an error with a hint.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as file:
            if file.width * file.height > _MOST_PIXELS:
                raise DataError(
                    f"{path} has {file.width}x{file.height} pixels, more than {_MOST_PIXELS:,}", "scale it down"
                )
            image: Image.Image = ImageOps.exif_transpose(file)
            if image.mode in _DEEP:
                return _from_deep(path, image), True
            if image.mode == "F":
                raise DataError(f"{path} holds floats, not pixels", "give it as a .npy file")
            return image.convert("L" if color == "GREY" else "RGB"), False
    except UnidentifiedImageError as error:
        known = ", ".join(_FORMATS)
        raise DataError(f"{path} is not a readable image of {known}", "remove it, or replace it") from error
    except DataError:
        raise
    except Exception as error:  # a damaged file may cause any exception of a decoder
        raise DataError(f"{path} cannot be read: {first_line(error)}", "remove it, or replace it") from error


def _from_deep(path: Path, image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float32)
    if values.min() < 0 or values.max() > _DEEPEST:
        raise DataError(f"{path} holds pixels of more than 16 bits", "give it as a .npy file")
    return Image.fromarray(values * np.float32(255 / _DEEPEST))


def _resize(size: tuple[int, int], resize: Size) -> tuple[int, int]:
    """(width, height). A single number in `resize` is the shorter side; the longer side keeps the aspect ratio."""
    if len(resize) == 2:
        return resize[1], resize[0]
    width, height = size
    return max(1, resize[0] * width // min(size)), max(1, resize[0] * height // min(size))


def _middle(path: Path, size: tuple[int, int], crop: Size) -> tuple[int, int, int, int]:
    height, width = crop[0], crop[-1]
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    if left < 0 or top < 0:
        raise DataError(
            f"{path} has {size[0]}x{size[1]} pixels, fewer than the crop of {width}x{height}",
            "resize the image first: --resize, or resize = ",
        )
    return left, top, left + width, top + height
