import json
from pathlib import Path

from edgekit.model.inspection import inspect_model
from edgekit.report.inspections import inspection_json, inspection_report
from tests.report.rendered import rendered


def test_ports_figures_and_operators_are_shown(conv_model: Path) -> None:
    result = rendered(*inspection_report(conv_model, inspect_model(conv_model)))
    for word in ("batch x 3 x 6 x 6", "ai.onnx 17", "141", "3,908", "BatchNormalization", "float32"):
        assert word in result, word


def test_the_json_is_the_inspection(conv_model: Path) -> None:
    data = json.loads(inspection_json(conv_model, inspect_model(conv_model)))
    assert data["macs"] == 3908 and data["inputs"][0]["shape"] == ["batch", 3, 6, 6]
