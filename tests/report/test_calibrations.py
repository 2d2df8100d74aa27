import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmarking.board_calibration import BoardCalibration
from edgekit.benchmarking.candidates import MissingCandidate
from edgekit.latency.board_fit import calibrate
from edgekit.latency.predict import Prediction
from edgekit.report.calibrations import calibration_json, calibration_report
from tests.latency.test_board_fit import RPI4, slower
from tests.report.rendered import rendered


def done(count: int) -> BoardCalibration:
    new = slower(count)
    before = (Prediction(new[0].milliseconds / 1.25, 1.0, 99.0, 0.0, "by others"), *[None] * (count - 1))
    absent = (MissingCandidate("b.onnx", "onnxruntime", "no kernel"),)
    return BoardCalibration(
        RPI4,
        "ssh pi@host",
        Path("t/rpi4.latency.json"),
        calibrate(RPI4, [], new),
        tuple(new),
        before,
        absent,
        ("hot",),
    )


def test_what_was_measured_stands_beside_what_was_and_is_predicted() -> None:
    result = rendered(*calibration_report(done(9)))
    assert "measured: ssh pi@host" in result and "-20%" in result
    assert "onnxruntime 1.32.0, 1 thread: 9 networks, mean error" in " ".join(result.split())
    assert "90 % intervals of x 1." in " ".join(result.split())
    assert "b.onnx: not measured, no kernel" in result and "disturbed: hot" in result
    many = replace(done(9), disturbed=tuple(f"n{number}: hot" for number in range(7)))
    several = rendered(*calibration_report(many))
    assert "disturbed: n2: hot" in several and "n3: hot" not in several and "disturbed: and 4 more" in several
    assert "written: t/rpi4.latency.json" in result and max(map(len, result.splitlines())) <= 80


def test_too_few_claim_nothing() -> None:
    text = " ".join(rendered(*calibration_report(done(3))).split())
    assert "3 networks, too few for an interval: at least 9 networks of 4 kinds are needed" in text


def test_what_finds_prices_may_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "scipy" not in rendered(*calibration_report(done(9)))
    monkeypatch.setattr("edgekit.latency.board_fit.installed_version", lambda _: "")
    assert "needs scipy: pip install '.[training]'" in " ".join(rendered(*calibration_report(done(9))).split())


def test_networks_that_tell_no_prices_yet_are_kept() -> None:
    own, new = RPI4.copy_with(id="own", cpu="cortex-a55"), slower(2)
    path = Path("t/own.latency.json")
    result = BoardCalibration(own, "ssh pi@host", path, calibrate(own, [], new), tuple(new), (None, None), (), ())
    words = " ".join(rendered(*calibration_report(result)).split())
    assert (
        "1 thread: kept, but too few to fit prices, and none are known for cortex-a55: at least 12 networks are needed"
        in words
    )
    assert [each["left_out"] for each in json.loads(calibration_json(result))["measured"]] == [None, None]


def test_the_json_says_the_same() -> None:
    data = json.loads(calibration_json(done(9)))
    assert data["schema"] == 1 and data["target"] == "rpi4" and data["written"] == "t/rpi4.latency.json"
    assert len(data["measured"]) == 9 and data["measured"][0]["before"]["how"] == "by others"
    assert data["measured"][1]["before"] is None and abs(data["measured"][1]["left_out"]) < 0.3
    (fit,) = data["fits"]
    assert fit["networks"] == 9 and 0 < fit["margin"] < 0.2
