import json
from pathlib import Path

from edgekit.report.targets import target_json, target_report, targets_json, targets_report
from edgekit.target_files import find_target
from tests.latency.test_board_fit import RPI4, slower, with_file
from tests.report.rendered import rendered


def test_what_calibrates_a_target_is_reported(tmp_path: Path) -> None:
    result = rendered(target_report(with_file(RPI4, tmp_path, slower(9))))
    assert "onnxruntime 1.32.0, 1 thread: 9 networks on a Raspberry Pi 4 Model B" in " ".join(result.split())
    assert "90 % intervals of x 1." in " ".join(result.split())
    assert "calibrat" not in rendered(target_report(RPI4))


def test_targets_are_listed_and_shown() -> None:
    targets = [find_target(name) for name in ("rpi4", "x86-vnni")]
    result = rendered(targets_report(targets), target_report(targets[0]))
    assert "cortex-a72" in result and "S8S8" in result and "quantization.per_channel" in result
    assert [each["id"] for each in json.loads(targets_json(targets))["targets"]] == ["rpi4", "x86-vnni"]
    assert json.loads(target_json(targets[0]))["runtime"]["version"] == "1.32.0"
