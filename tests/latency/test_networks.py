from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgekit.latency.networks import CALIBRATION_NETWORKS, CalibrationNetwork


@pytest.mark.parametrize("probe", CALIBRATION_NETWORKS, ids=lambda probe: probe.name)
def test_a_probe_runs_and_its_values_stay_within_bounds(probe: CalibrationNetwork, tmp_path: Path) -> None:
    path = tmp_path / "probe.onnx"
    probe.save(path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    samples = probe.samples(2)
    assert given.shape == ["batch", *samples.shape[1:]]
    (out,) = session.run(None, {given.name: samples})
    assert out.shape[:2] in ((2, 10), (2, 4)) and 1e-3 < np.abs(out).max() < 1e3
    assert not np.array_equal(out[0], out[1])


def test_probes_are_of_many_kinds_and_the_same_each_time(tmp_path: Path) -> None:
    assert len({probe.kind for probe in CALIBRATION_NETWORKS}) >= 9, (
        "an interval takes nine that are left out one by one"
    )
    for name in ("one", "two"):
        CALIBRATION_NETWORKS[0].save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
