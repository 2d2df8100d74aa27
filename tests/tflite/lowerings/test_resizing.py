import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.tflite.writing import write_model
from tests.tflite.models import check_floats, check_integers, floats, integers, needs_runtime, node

pytestmark = needs_runtime


@pytest.mark.parametrize(
    ("mode", "transformation", "rounding", "scales"),
    [
        ("nearest", "asymmetric", "floor", (2, 3)),
        ("nearest", "half_pixel", "round_prefer_floor", (2, 2)),
        ("nearest", "half_pixel", "round_prefer_ceil", (2, 2)),
        ("nearest", "pytorch_half_pixel", "round_prefer_floor", (3, 2)),
        ("nearest", "align_corners", "round_prefer_ceil", (2, 2)),
        ("linear", "half_pixel", "floor", (2, 3)),
        ("linear", "half_pixel", "floor", (0.5, 0.5)),
        ("linear", "align_corners", "floor", (2, 2)),
        ("linear", "asymmetric", "floor", (2, 2)),
    ],
)
def test_a_resize_takes_each_pixel_from_where_onnx_does(
    mode: str, transformation: str, rounding: str, scales: tuple[float, float]
) -> None:
    options = {"mode": mode, "coordinate_transformation_mode": transformation, "nearest_mode": rounding}
    constants = {"scales": np.array([1, 1, *scales], np.float32)}
    wanted = "RESIZE_NEAREST_NEIGHBOR" if mode == "nearest" else "RESIZE_BILINEAR"
    check_floats(floats([1, 3, 6, 8], [node("Resize", ["x", "", "scales"], ["y"], **options)], constants), wanted)
    resize = node("Resize", ["xd", "", "scales"], ["yd"], **options)
    check_integers(integers([1, 3, 6, 8], [resize], constants, made=(0.03, -5)), wanted)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "cubic"}, "in mode cubic"),
        ({"mode": "linear", "antialias": 1}, "with antialiasing"),
        ({"mode": "nearest", "nearest_mode": "ceil"}, "with half_pixel and ceil, which TFLite does not"),
        ({"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}, "half_pixel_symmetric"),
    ],
)
def test_ways_that_tflite_has_not_are_named(options: dict[str, str | int], told: str) -> None:
    constants = {"scales": np.array([1, 1, 2, 2], np.float32)}
    with pytest.raises(StepError, match=f"'it' is Resize: .*{told}"):
        write_model(floats([1, 3, 6, 8], [node("Resize", ["x", "", "scales"], ["y"], name="it", **options)], constants))


def test_more_than_rows_and_columns_is_named() -> None:
    with pytest.raises(StepError, match="along axes other than height and width"):
        scales = {"scales": np.array([1, 2, 2, 2], np.float32)}
        write_model(floats([1, 3, 6, 8], [node("Resize", ["x", "", "scales"], ["y"], mode="nearest")], scales))
