import json
import re
from dataclasses import replace

from rich.console import Console

from edgekit.builds.result import Build, TargetBuild
from edgekit.gates.gates import Gate, Status
from edgekit.report.builds import build_json, build_report
from edgekit.traits import Fidelity


def text_of(built: Build, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        for each in build_report(built):
            console.print(each)
    return captured.get()


def test_the_report_fits_eighty_columns_and_names_what_matters(built: Build) -> None:
    result = text_of(built)
    assert max(len(line) for line in result.splitlines()) <= 80
    for word in ("teacher, fp32", "float student", "deployed", "parity", "passed", "emulated", "native", "bundle:"):
        assert word in result


def test_no_column_mixes_fidelities(built: Build) -> None:
    """Each heading of a figure names exactly one way in which it was obtained."""
    result = text_of(built, width=200)
    headings = re.findall(r"\b(static|native|emulated)\b", result)
    assert {"static", "native", "emulated"} <= set(headings)
    rpi4 = result[: result.index("x86-vnni")]
    result = [line for line in rpi4.splitlines() if " ms" in line]
    assert len(result) <= 1 and all("(predicted)" in line and "range" in line for line in result), (
        "and no other latency"
    )


def test_the_json_has_the_documented_keys(built: Build) -> None:
    data = json.loads(build_json(built))
    assert data["schema"] == 1
    rpi4 = data["targets"][0]
    assert {
        "target",
        "model",
        "bytes",
        "reference_bytes",
        "metric",
        "value",
        "reference_value",
        "gates",
        "steps",
    } <= set(rpi4)
    assert all({"name", "status", "detail"} == set(gate) for gate in rpi4["gates"])
    assert all(gate["status"] in ("passed", "failed", "not_run") for gate in rpi4["gates"])
    assert all({"name", "cached", "seconds"} <= set(step) for step in rpi4["steps"])
    assert rpi4["bytes"] == built.targets[0].model_bytes


def test_warnings_of_steps_are_told_once(built: Build) -> None:
    runs = built.targets[0].steps
    warned = (replace(runs[0], warning="90 % in training, 10 % in [evaluation]"), *runs[1:])
    result = replace(built, targets=tuple(replace(each, steps=warned) for each in built.targets))
    text = " ".join(text_of(result).split())
    assert text.count("warning: train of the teacher: 90 % in training, 10 % in [evaluation]") == 1
    assert json.loads(build_json(result))["targets"][0]["steps"][0]["warning"].startswith("90 %")
    silent = tuple(replace(each, steps=tuple(replace(run, warning="") for run in each.steps)) for each in built.targets)
    assert "of the teacher:" not in text_of(replace(built, targets=silent))


def test_warnings_of_gates_are_reported(built: Build) -> None:
    def warned(text: str) -> str:
        gates = (Gate("never-slower", Status.NOT_RUN, "a small network", text),)
        only = replace(built.targets[0], verdict=replace(built.targets[0].verdict, gates=gates))
        result = replace(built, targets=(only,))
        (gate,) = json.loads(build_json(result))["targets"][0]["gates"]
        assert gate.get("warning", "") == text
        assert result.passes(strict=True) is (not text) and result.passes(strict=False)
        return " ".join(text_of(result).split())

    assert "warning: rpi4: 1.19 times the time" in warned("1.19 times the time")
    assert "warning: rpi4" not in warned("")


def test_what_the_data_says_of_itself_stands_beside_the_figures(built: Build) -> None:
    assert "data:" not in text_of(built)

    def said(each: TargetBuild) -> TargetBuild:
        native = [one for one in each.verdict.measurements if one.name == "metric" and one.fidelity is Fidelity.NATIVE]
        items = [replace(one, detail="made-up images") if one in native else one for one in each.verdict.measurements]
        return replace(each, verdict=replace(each.verdict, measurements=tuple(items)))

    result = replace(built, targets=tuple(map(said, built.targets)))
    assert text_of(result).count("data: the metric is computed on made-up images") == 1
    assert json.loads(build_json(result))["targets"][0]["measurements"][0]["detail"] == "made-up images"
