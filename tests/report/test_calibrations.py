import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmarking.board_calibration import Calibrated
from edgekit.benchmarking.candidates import Absent
from edgekit.latency.board_fit import calibrated
from edgekit.latency.predict import Prediction
from edgekit.report.calibrations import calibration_json, calibration_report
from tests.latency.test_board_fit import RPI4, slower
from tests.report.rendered import rendered


def done(count: int) -> Calibrated:
    new = slower(count)
    before = (Prediction(new[0].milliseconds / 1.25, 1.0, 99.0, 0.0, "by others"), *[None] * (count - 1))
    absent = (Absent("b.onnx", "onnxruntime", "no kernel"),)
    return Calibrated(
        RPI4,
        "ssh pi@host",
        Path("t/rpi4.latency.json"),
        calibrated(RPI4, [], new),
        tuple(new),
        before,
        absent,
        ("hot",),
    )


def test_what_was_measured_stands_beside_what_was_and_is_predicted() -> None:
    told = rendered(*calibration_report(done(9)))
    assert "measured: ssh pi@host" in told and "-20%" in told
    assert "onnxruntime 1.32.0, 1 thread: 9 networks, " in told and "90 % intervals of x 1." in told
    assert "b.onnx: not measured, no kernel" in told and "disturbed: hot" in told
    many = replace(done(9), disturbed=tuple(f"n{number}: hot" for number in range(7)))
    several = rendered(*calibration_report(many))
    assert "disturbed: n2: hot" in several and "n3: hot" not in several and "disturbed: and 4 more" in several
    assert "written: t/rpi4.latency.json" in told and max(map(len, told.splitlines())) <= 80


def test_too_few_claim_nothing() -> None:
    told = " ".join(rendered(*calibration_report(done(3))).split())
    assert "3 networks, too few for an interval: 9 of 4 kinds give one" in told


def test_what_finds_prices_may_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "scipy" not in rendered(*calibration_report(done(9)))
    monkeypatch.setattr("edgekit.latency.board_fit.installed_version", lambda _: "")
    assert "found with scipy: pip install 'edgekit[training]'" in rendered(*calibration_report(done(9)))


def test_networks_that_tell_no_prices_yet_are_kept() -> None:
    own, new = RPI4.changed(id="own", cpu="cortex-a55"), slower(2)
    path = Path("t/own.latency.json")
    told = Calibrated(own, "ssh pi@host", path, calibrated(own, [], new), tuple(new), (None, None), (), ())
    words = " ".join(rendered(*calibration_report(told)).split())
    assert "1 thread: kept, but too few to tell prices, which nobody has for cortex-a55: it takes 12 networks" in words
    assert [each["left_out"] for each in json.loads(calibration_json(told))["measured"]] == [None, None]


def test_the_json_says_the_same() -> None:
    told = json.loads(calibration_json(done(9)))
    assert told["schema"] == 1 and told["target"] == "rpi4" and told["written"] == "t/rpi4.latency.json"
    assert len(told["measured"]) == 9 and told["measured"][0]["before"]["how"] == "by others"
    assert told["measured"][1]["before"] is None and abs(told["measured"][1]["left_out"]) < 0.3
    (fit,) = told["fits"]
    assert fit["networks"] == 9 and 0 < fit["margin"] < 0.2
