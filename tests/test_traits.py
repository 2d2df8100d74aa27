import pytest

from edgekit.traits import FILE_ENTRY, FILES, INTEGER_ENTRY, MODULE_ENTRY, Fidelity, Format, Trait


def test_a_model_starts_as_one_format_and_as_float_or_integer() -> None:
    for entry in (MODULE_ENTRY, FILE_ENTRY, INTEGER_ENTRY):
        assert len(entry & set(Format)) == 1
        assert len(entry & {Trait.FLOAT, Trait.INTEGER}) == 1
    assert Format.TORCH not in FILES


@pytest.mark.parametrize("format_", Format)
def test_every_format_has_a_label(format_: Format) -> None:
    assert format_.label.lower().replace("py", "") == format_.value


def test_only_a_board_and_this_machine_have_times() -> None:
    assert {each for each in Fidelity if each.has_times} == {Fidelity.DEVICE, Fidelity.NATIVE}
