from edgekit.steps.tflite_dynamic import TfliteDynamic
from edgekit.traits import Format, Trait


def test_its_file_is_no_float_model_any_more() -> None:
    assert {Format.TFLITE, Trait.INTEGER} <= TfliteDynamic.contract.provides
    assert Trait.FLOAT not in TfliteDynamic.contract.preserves
