"""[preprocessing] where edgekit itself reads images or sounds: what becomes of a file on its way to the model."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from edgekit.errors import ProjectError
from edgekit.records import Record, validate

Length = Annotated[int, Meta(gt=0)]
# A union with a pair of numbers takes msgspec 0.22 down.
Size = Annotated[tuple[Length, ...], Meta(max_length=2)]
"""One number, of resize the shorter side, of crop a square; or height and width; empty where nothing is said."""
Layout = Literal["NCHW", "NHWC", "NHW"]
Color = Literal["RGB", "BGR", "GREY"]
Pixels = Literal["0-1", "0-255"]


class Preprocessing(Record, frozen=True, kw_only=True):
    def settings(self) -> dict[str, Any]:
        """What is set, by name, as TOML and JSON have it."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.to_json().items()}
        return {name: value for name, value in values.items() if value not in (None, [])}


class ImagePreprocessing(Preprocessing, frozen=True, kw_only=True):
    """Turned as the camera was held (EXIF), without alpha; resized bilinearly, cropped in the middle, as `color`;
    pixels from 0 to 1 or 255, less `mean`, over `std`; in `layout`. What is not said the model's input says."""

    resize: Size = ()
    crop: Size = ()
    color: Color | None = None
    layout: Layout | None = None
    pixels: Pixels | None = None
    """0-255 where mean or std is above 1, or the model takes bytes; else 0-1."""
    mean: tuple[float, ...] = ()
    """One number, or one a channel in the order of `color`; of pixels in that range."""
    std: tuple[float, ...] = ()


class SoundPreprocessing(Preprocessing, frozen=True, kw_only=True):
    """Channels averaged; from the middle `length` samples, silence behind what is shorter. None is: as the model's
    input, or the files, say."""

    length: Length | None = None
    rate: Length | None = None
    """Samples a second: files of another rate are refused."""


_SINGLE = frozenset({"mean", "std", "resize", "crop"})


def preprocessing_as(kind: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    """A [preprocessing] table, or what options say, as a kind of record. A single number may stand without brackets.
    Raises ProjectError naming the first wrong key and `where`."""
    known = kind.__struct_fields__
    values = {
        key: [value] if key in _SINGLE and key in known and isinstance(value, int | float) else value
        for key, value in fields.items()
    }
    record = validate(kind, values, where, ProjectError)
    if 0 in getattr(record, "std", ()):
        raise ProjectError(f"{where}: 'std' holds 0", "pixels are divided by it: correct it")
    return record
