from pathlib import Path

import pytest

from edgekit.figures.measurement import Measurement, latency_measurements, static_measurements
from edgekit.traits import Fidelity


@pytest.mark.parametrize(
    ("low", "high", "confidence", "fidelity", "told"),
    [
        (None, None, 0.95, Fidelity.NATIVE, ""),
        (1.23456, 2.34567, 0.95, Fidelity.NATIVE, "95 %: 1.235 to 2.346"),
        (1.23456, 2.34567, 0.9, Fidelity.PREDICTED, "90 %: 1.23 to 2.35"),
        (1.0, 2.0, 0.0, Fidelity.PREDICTED, "range 1 to 2"),
    ],
)
def test_limits_name_their_confidence(
    low: float | None, high: float | None, confidence: float, fidelity: Fidelity, told: str
) -> None:
    assert Measurement("m", "latency", 1.5, "ms", fidelity, "", low, high, confidence=confidence).limits == told


def test_latencies_become_percentiles_with_their_fidelity() -> None:
    found = latency_measurements("m", [1.0, 2.0, 3.0], Fidelity.DEVICE, "1 thread", (50, 100))
    assert [(each.name, each.value, each.fidelity) for each in found] == [
        ("latency_p50", 2.0, Fidelity.DEVICE),
        ("latency_p100", 3.0, Fidelity.DEVICE),
    ]


def test_a_file_is_measured_without_running_it(conv_model: Path) -> None:
    found = {each.name: each for each in static_measurements("m", conv_model)}
    assert {each.fidelity for each in found.values()} == {Fidelity.STATIC}
    assert found["file_size"].value == conv_model.stat().st_size
    assert found["parameters"].value > 0 and found["macs"].value > 0
