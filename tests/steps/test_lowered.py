"""What these share is held through the steps themselves: test_tflite.py, test_tflite_dynamic.py."""

from edgekit.steps import lowered


def test_a_tensor_may_be_off_by_two_roundings() -> None:
    assert lowered._STEPS == 2
