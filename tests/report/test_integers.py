from typing import Any

import pytest

from edgekit.report.integers import (
    operator_lines,
    precision_lines,
    scheme_lines,
    section_lines,
    tflite_lines,
    training_lines,
)
from edgekit.steps.fuse import Fuse
from edgekit.steps.quantize import Quantize
from edgekit.steps.train import Train
from edgekit.target_files import find_target, target_files

SCHEME: dict[str, Any] = {"activation": "uint8", "weight": "int8", "per_channel": True, "why": "VNNI"}
COUNTS: dict[str, Any] = {"integer_operators": 1, "float_operators": {}, "islands": {}}


def test_the_scheme_and_why() -> None:
    assert scheme_lines(SCHEME) == ["uint8 activations, int8 weights, one scale per channel: VNNI"]
    plain = {**SCHEME, "per_channel": False, "why": ""}
    assert scheme_lines(plain) == ["uint8 activations, int8 weights, one scale per tensor"]
    kept = {**SCHEME, "kept_float": {"a": "Add: a mask", "b": "noise"}}
    assert scheme_lines(kept)[1] == "2 operators kept in float, such as a: Add: a mask"


@pytest.mark.parametrize(
    ("alpha", "everywhere", "told"),
    [
        (None, True, "activations not smoothed"),
        (0.5, True, "activations smoothed by alpha 0.5"),
        (
            0.65,
            False,
            "activations smoothed by alpha 0.65 before products with fewer outputs than inputs: smoothing the others "
            "gains almost nothing",
        ),
    ],
)
def test_what_was_smoothed(alpha: float | None, everywhere: bool, told: str) -> None:
    assert scheme_lines({**SCHEME, "smoothing": alpha, "smoothed_everywhere": everywhere})[1:] == [told]


def test_the_operators_of_the_fused_graph() -> None:
    assert operator_lines(COUNTS) == ["1 integer operator, 0 in float"]
    more = {**COUNTS, "float_operators": {"Mul": 2, "Exp": 1}, "islands": {"Exp, Mul": 1}}
    assert operator_lines(more) == [
        "1 integer operator, 3 in float: 2 Mul, 1 Exp",
        "float islands between integer operators: 1 x Exp, Mul",
    ]


def test_what_was_trained_for_and_what_the_float_student_is() -> None:
    (value,) = training_lines({"weight_bits": 8, "range_drift": 0.0268})
    assert "the float student has the same weights" in value and "at most 2.7% of their width" in value
    _, four = training_lines({"weight_bits": 4, "range_drift": 0.0268})
    assert four == "weights on 15 levels, stored in 8 bits: the file is not smaller"


def test_each_step_s_notes_are_shown_in_the_sections_that_its_class_declares() -> None:
    notes = {**SCHEME, **COUNTS}
    assert section_lines(Quantize.sections, notes) == scheme_lines(SCHEME)
    assert section_lines(Fuse.sections, notes) == operator_lines(COUNTS)
    assert section_lines(Train.sections, notes) == []


@pytest.mark.parametrize("name", sorted(target_files()))
def test_each_shipped_target_says_why(name: str) -> None:
    assert find_target(name).quantization.why


def test_operators_in_float_for_speed_are_reported_with_the_method() -> None:
    ratio = {"median": 0.9721, "low": 0.968, "high": 0.9755}
    values = {"floats": ["a", "b"], "placed": "measured here", "ratio": ratio}
    assert precision_lines(values) == [
        "2 operators put back to float, such as a, 0.972 (0.968 to 0.976) of the time: measured here"
    ]
    assert precision_lines({**values, "floats": [], "ratio": None}) == ["mixed precision: measured here"]


def test_a_search_tells_its_figures() -> None:
    values = {**SCHEME, "backend": "inc", "metric": "cosine", "trials": [0.98, 0.999], "float": 1.0}
    assert scheme_lines(values)[1] == (
        "by Intel Neural Compressor: cosine 0.99900 of 1.00000 on calibration samples, best of 2 trials"
    )
    both = {**values, "values": {"ort": 0.9991, "inc": 0.999}, "failed": {}, "backend": "ort"}
    assert scheme_lines(both)[1] == (
        "by ONNX Runtime, the better by cosine on calibration samples: ONNX Runtime 0.99910, Intel Neural Compressor "
        "0.99900"
    )
    one = {**both, "values": {"ort": 0.9991}, "failed": {"inc": "not there"}}
    assert scheme_lines(one)[1].endswith("ONNX Runtime 0.99910; Intel Neural Compressor failed: not there")


def test_how_far_a_tflite_file_lies_from_its_onnx_model_is_reported() -> None:
    notes = {"compared_with": "tflite-runtime 2.14.0", "compared_on": "8 calibration samples"}
    steps = {**notes, "steps_off": 1.0, "output_steps_off": {"y": 2.0, "z": 0.0}}
    assert tflite_lines(steps) == [
        "as TFLite, under tflite-runtime 2.14.0 on 8 calibration samples: each operator differs by at most "
        "1 LSB, given the integers that it received; the outputs by at most 2 LSB"
    ]
    assert "28.1 dB" in tflite_lines({**notes, "signal_to_noise_db": 28.12})[0]
