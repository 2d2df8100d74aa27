"""[preprocessing] of images and sounds that edgekit itself reads."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from edgekit.errors import ProjectError
from edgekit.records import Record, validate

Length = Annotated[int, Meta(gt=0)]
# msgspec 0.22 crashes on a union with a pair of numbers.
Size = Annotated[tuple[Length, ...], Meta(max_length=2)]
"""One number (of resize the shorter side, of crop a square), or height and width; empty if not set."""
Layout = Literal["NCHW", "NHWC", "NHW"]
Color = Literal["RGB", "BGR", "GREY"]
Pixels = Literal["0-1", "0-255"]


class Preprocessing(Record, frozen=True, kw_only=True):
    def settings(self) -> dict[str, Any]:
        """The settings that are set, by name, as TOML and JSON values."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.to_json().items()}
        return {name: value for name, value in values.items() if value not in (None, [])}


class ImagePreprocessing(Preprocessing, frozen=True, kw_only=True):
    """Rotated as EXIF says, without alpha; resized bilinearly, center-cropped, converted to `color`; pixels from 0 to 1
    or 255, minus `mean`, divided by `std`; in `layout`. What is not set follows from the model's input."""

    resize: Size = ()
    crop: Size = ()
    color: Color | None = None
    layout: Layout | None = None
    pixels: Pixels | None = None
    """0-255 if mean or std is above 1, or if the model takes bytes; else 0-1."""
    mean: tuple[float, ...] = ()
    """One number, or one per channel in the order of `color`, in the range of `pixels`."""
    std: tuple[float, ...] = ()


class SoundPreprocessing(Preprocessing, frozen=True, kw_only=True):
    """Channels averaged; the middle `length` samples, padded with silence at the end. None follows from the model's
    input or from the files."""

    length: Length | None = None
    rate: Length | None = None
    """The sample rate in Hz; files with another rate are refused."""


_SINGLE = frozenset({"mean", "std", "resize", "crop"})


def preprocessing_as(kind: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    """A [preprocessing] table, or the options in its place, as a record. A single number needs no brackets. Raises
    ProjectError, which names the first wrong key and `where`."""
    known = kind.__struct_fields__
    values = {
        key: [value] if key in _SINGLE and key in known and isinstance(value, int | float) else value
        for key, value in fields.items()
    }
    record = validate(kind, values, where, ProjectError)
    if 0 in getattr(record, "std", ()):
        raise ProjectError(f"{where}: 'std' holds 0", "give a value other than zero: pixels are divided by it")
    return record
