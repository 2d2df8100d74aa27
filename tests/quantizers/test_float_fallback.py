from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.numerics.compare import LostParts
from edgekit.quantizers.float_fallback import QuantizationLoss, measure_loss
from edgekit.runtimes.ort import host_outputs

LOSS = QuantizationLoss(
    outputs={"y": 18.0},
    as_written={"y": 18.0},
    lost_parts={"y": LostParts(10, 20, 1)},
    defects={},
    required={"relu": "its range ends above zero"},
    producers={},
    remedies=({"last": "parts lost"}, {"first": "12.0 dB"}),
    defect_nodes=frozenset(),
)


def test_where_nothing_differs_there_is_no_figure(conv_model: Path) -> None:
    """JSON has no infinity."""
    inputs = [np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)]
    loss = measure_loss(conv_model, conv_model, inputs, host_outputs(conv_model, inputs, optimize=False))
    assert set(loss.as_written.values()) == {None}
    assert all(noise is None or noise > 100 for noise in loss.outputs.values()), "the runtime rounds otherwise"
    assert (loss.lost_parts, loss.defects, loss.next_fallback([])) == ({}, {}, {})
    loss.check()


def test_fallback_goes_group_by_group_and_ends() -> None:
    kept: list[str] = []
    for expected in (LOSS.required, *LOSS.remedies, {}):
        assert LOSS.next_fallback(kept) == expected
        kept += expected


def test_what_must_stay_float_comes_first_and_takes_what_is_before_it() -> None:
    loss = replace(
        LOSS, required={"pool": "it differs by 13 LSB"}, producers={"pool": ("conv",)}, defect_nodes=frozenset()
    )
    assert loss.next_fallback([]) == loss.required_fallback([]) == {"pool": "it differs by 13 LSB"}
    before = {"conv": "'pool' after it would be quantized by the runtime"}
    assert loss.next_fallback(["pool"]) == loss.required_fallback(["pool"]) == before
    assert not loss.required_fallback(["pool", "conv"]) and loss.next_fallback(["pool", "conv"]) == LOSS.remedies[0]


def test_a_defect_between_nodes_that_are_all_float_is_refused() -> None:
    loss = replace(LOSS, defects={"t": "Conv: 3.0 dB of signal to noise"}, defect_nodes=frozenset({"a", "b"}))
    assert loss.next_fallback(["a", "relu"]) and not loss.next_fallback(["a", "b", "relu"])
    with pytest.raises(StepError, match="'t': Conv: 3"):
        loss.check()


@pytest.mark.parametrize(
    ("change", "is_better"),
    [
        ({}, False),
        ({"outputs": {"y": 18.9}}, False),
        ({"outputs": {"y": 19.1}}, True),
        ({"outputs": {"y": None}}, True),
        ({"lost_parts": {"y": LostParts(9, 20, 1)}}, False),
        ({"lost_parts": {"y": LostParts(8, 20, 1)}}, True),
    ],
)
def test_float_fallback_must_gain_something(change: dict[str, object], is_better: bool) -> None:
    assert replace(LOSS, **change).is_better_than(LOSS) is is_better  # type: ignore[arg-type]
