from pathlib import Path

import pytest

from edgekit.errors import ModelError
from edgekit.formats import check_sizes, format_of, inspect_file, ports_of
from edgekit.model.ports import Port
from edgekit.tflite.writing import write_model
from edgekit.traits import Format
from tests.tflite.models import floats, needs_runtime, node


def test_a_file_is_what_its_suffix_says() -> None:
    assert [format_of(Path(name)) for name in ("m.onnx", "m.tflite", "m")] == [Format.ONNX, Format.TFLITE, Format.ONNX]


@needs_runtime
def test_ports_are_the_same_of_both(tmp_path: Path) -> None:
    model = floats([1, 4, 5, 6], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])
    paths = [tmp_path / "m.onnx", tmp_path / "m.tflite"]
    paths[0].write_bytes(model.SerializeToString())
    paths[1].write_bytes(write_model(model).data)
    assert (
        ports_of(paths[0])
        == ports_of(paths[1])
        == ((Port("x", "float32", (1, 4, 5, 6)),), (Port("y", "float32", (1, 4, 4, 5)),))
    )


def test_a_tflite_file_has_no_other_sizes() -> None:
    with pytest.raises(ModelError, match=r"m\.tflite has fixed shapes"):
        inspect_file(Path("m.tflite"), {"x": (1, 4)})
    check_sizes(Path("m.onnx"), {"x": (1, 4)})
    with pytest.raises(ModelError, match="an input without a fixed shape"):
        check_sizes(Path("m.tflite"), {}, (Port("x", "float32", (1, "?", 4)),))
