import json

from rich.console import Console

from edgekit.report.targets import target_json, target_report, targets_json, targets_report
from edgekit.target import find_target


def test_targets_are_listed_and_shown() -> None:
    targets = [find_target(name) for name in ("rpi4", "x86-vnni")]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(targets_report(targets))
        console.print(target_report(targets[0]))
    told = captured.get()
    assert "cortex-a72" in told and "S8S8" in told and "quantization.per_channel" in told
    assert [each["id"] for each in json.loads(targets_json(targets))["targets"]] == ["rpi4", "x86-vnni"]
    assert json.loads(target_json(targets[0]))["runtime"]["version"] == "1.32.0"
