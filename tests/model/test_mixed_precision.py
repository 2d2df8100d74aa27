from pathlib import Path

from edgekit.model.mixed_precision import candidate_groups, dequantize, unit_names
from edgekit.model.reading import load_model


def test_groups_are_both_ends_and_depthwise_convolutions(in_conversions: Path) -> None:
    model = load_model(in_conversions)
    assert unit_names(model) == ["stem", "deep", "point", "add", "mean"]
    assert candidate_groups(model, ()) == {
        "the first 1": {"stem"},
        "the first 2": {"stem", "deep"},
        "the first 3": {"stem", "deep", "point"},
        "the first 4": {"stem", "deep", "point", "add"},
        "the last 2": {"add", "mean"},
        "every depthwise convolution": {"deep"},
    }


def test_what_is_placed_is_not_tried_again(in_conversions: Path) -> None:
    assert candidate_groups(load_model(in_conversions), {"stem", "deep"}) == {
        "the first 1": {"point"},
        "the first 2": {"point", "add"},
        "the first 3": {"point", "add", "mean"},
        "the last 2": {"add", "mean"},
    }
    assert not candidate_groups(load_model(in_conversions), {"stem", "deep", "point", "add", "mean"})


def test_a_float_model_has_nothing_to_try(conv_model: Path) -> None:
    assert not unit_names(load_model(conv_model)) and not candidate_groups(load_model(conv_model), ())


def test_what_has_no_weights_goes_along_with_others_alone(in_conversions: Path) -> None:
    model = load_model(in_conversions)
    placed, floats = dequantize(model, ["mean"])
    assert floats == set() and unit_names(placed) == unit_names(model)
    assert dequantize(model, ["add", "mean"])[1] == {"add", "mean"}, "nothing lies between the two"
    assert dequantize(model, ["point"])[1] == {"point"}
