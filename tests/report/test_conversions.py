import json
from pathlib import Path

from rich.console import Console

from edgekit.execution.single_step import Conversion
from edgekit.report.conversions import conversion_json, conversion_report

NOTES = {
    "activation": "int8",
    "weight": "int8",
    "per_channel": True,
    "calibration": "minmax",
    "calibration_samples": 12,
    "signal_to_noise_db": {"y": 31.25, "z": None},
    "lost_parts": {"z": "80 of 84 along axis 2"},
    "kept_float": {"/head/Concat": "parts lost"},
    "compared_on": "8 calibration samples",
}
FOUND = Conversion("quantize", Path("m.onnx"), 40_000, Path("q.onnx"), 10_000, NOTES)


def test_what_was_done_and_lost_is_told_in_eighty_columns() -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    for each in conversion_report(FOUND):
        console.print(each)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    for entry in (
        "4.0 x",
        "one scale per channel",
        "31.25 dB",
        "nothing differs",
        "1 operator kept in float",
        "80 of 84",
    ):
        assert entry in text


def test_as_json() -> None:
    data = json.loads(conversion_json(FOUND))
    assert (data["source"], data["path"], data["bytes"], data["notes"]) == ("m.onnx", "q.onnx", 10_000, NOTES)
