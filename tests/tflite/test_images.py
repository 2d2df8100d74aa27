import pytest

from edgekit.tflite.images import Window
from edgekit.tflite.writing import write_model
from tests.tflite.models import floats, needs_runtime, node


def window(kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> Window:
    return Window((kernel,) * 2, (stride,) * 2, (dilation,) * 2, (before,) * 2, (after,) * 2)


@pytest.mark.parametrize(
    ("given", "size", "wanted"),
    [
        (window(3, 1, 0, 0), 8, "VALID"),
        (window(3, 1, 1, 1), 8, "SAME"),
        (window(3, 2, 1, 1), 9, "SAME"),
        (window(3, 2, 1, 1), 8, ""),  # 0 before and 1 after would be the same
        (window(3, 2, 0, 1), 8, "SAME"),
        (window(3, 1, 2, 2, 2), 8, "SAME"),
        (window(7, 2, 3, 3), 64, ""),
    ],
)
def test_padding_has_a_name_where_tflite_pads_as_much(given: Window, size: int, wanted: str) -> None:
    assert given.padding((size, size)) == wanted


@needs_runtime
def test_inputs_lie_as_the_first_operators_want_them() -> None:
    image = floats([1, 4, 5, 6], [node("Relu", ["x"], ["r"]), node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2])])
    assert write_model(image).orders["x"] == (0, 2, 3, 1)
    table = floats([1, 4, 5, 6], [node("Softmax", ["x"], ["y"], axis=-1)])
    assert "x" not in write_model(table).orders
