import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

from edgekit.benchmarking.bench import Bench, CandidateBench
from edgekit.benchmarking.candidates import MissingCandidate
from edgekit.benchmarking.operator_profile import OperatorPrecision, OperatorTime
from edgekit.figures.measurement import Measurement
from edgekit.gates.gates import Gate, Status
from edgekit.instruction_counts.counts import CacheCounts, Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.report.benches import bench_csv, bench_json, bench_junit, bench_report
from edgekit.target_files import find_target
from edgekit.traits import Fidelity
from tests.report.rendered import rendered


def figures(name: str, threads: int) -> tuple[Measurement, ...]:
    return (
        Measurement(name, "memory_peak", 5e7, "bytes", Fidelity.EMULATED, "how", threads=threads, batch=1),
        Measurement(name, "latency_p50", 1.5, "ms", Fidelity.DEVICE, "how", 1.4321, 1.6, threads, 1),
    )


GATES = (Gate("latency", Status.NOT_RUN, "why"), Gate("size", Status.FAILED, "too <large>"))
SIZE = Measurement("m.onnx", "file_size", 10, "bytes", Fidelity.STATIC)
RPI4 = find_target("rpi4")
FOUND = Bench(RPI4, "qemu", (CandidateBench(Path("m.onnx"), "m.onnx", (SIZE, *figures("m.onnx", 1)), GATES),))
RATIO = Measurement("n.onnx", "latency_ratio", 0.5, "ratio", Fidelity.DEVICE, "to m.onnx", 0.4, 0.6, 1, 1)
SEVERAL = Bench(
    None,
    "native",
    (
        CandidateBench(Path("m.onnx"), "m.onnx", (SIZE, *figures("m.onnx", 1), *figures("m.onnx", 4)), ()),
        CandidateBench(Path("n.onnx"), "n.onnx", (*figures("n.onnx", 1), RATIO, *figures("n.onnx", 4)), ()),
    ),
    "2 of 4 CPUs",
    ("why",),
)


def test_every_figure_stands_beside_its_fidelity() -> None:
    result = rendered(*bench_report(FOUND))
    assert "50.0 MB" in result and "emulated" in result and "not run" in result
    assert "95 %: 1.432 to 1.6" in result and "1.5 ms" in result
    assert "p99" not in result, "one setting needs no table of them"


def test_models_and_settings_stand_side_by_side() -> None:
    result = rendered(*bench_report(SEVERAL))
    assert "timed on 2 of 4 CPUs" in result and "disturbed: why; run again on a quiet machine" in result
    rows = [line.split() for line in result.splitlines()]
    assert ["m.onnx", "1", "1.5", "50.0", "MB"] in rows and ["m.onnx", "4", "1.5", "50.0", "MB"] in rows
    assert ["n.onnx", "1", "1.5", "50.0", "MB", "0.500", "(0.4", "to", "0.6)"] in rows
    (header,) = (row for row in rows if row[:2] == ["model", "threads"])
    assert "batch" not in header, "all have the same"


def test_runtimes_stand_side_by_side_in_one_table() -> None:
    first = CandidateBench(Path("m.onnx"), "m.onnx, a 1.0", figures("m.onnx, a 1.0", 1), GATES, runtime="a 1.0")
    apart = Measurement("m", "steps_apart", 2.0, "steps", Fidelity.DEVICE, "from a 1.0", threads=1, batch=1)
    second = CandidateBench(
        Path("m.onnx"), "m, b 2.0", (*figures("m, b 2.0", 1), RATIO, apart), (), runtime="b 2.0, fast"
    )
    found = Bench(RPI4, "ssh", (first, second), absent=(MissingCandidate("m.onnx", "c", "c is not installed; get it"),))
    result = rendered(*bench_report(found))
    rows = [line.split() for line in result.splitlines()]
    assert ["a", "1.0", "1.5", "50.0", "MB"] in rows and ["b", "2.0,", "1.5", "50.0", "MB", "0.500", "2"] in rows
    assert "m.onnx for rpi4 by runtime, on ssh" in result and result.count("p50") == 1
    assert "LSB apart: from a 1.0" in result and "not run: c: c is not installed; get it" in result
    assert ["a", "1.0", "latency", "not", "run", "why"] in rows, "gates by runtime"
    whole = json.loads(bench_json([found]))
    assert [each["runtime"] for each in whole["models"]] == ["a 1.0", "b 2.0, fast"]
    assert whole["absent"] == [{"model": "m.onnx", "runtime": "c", "why": "c is not installed; get it"}]


def test_counts_stand_in_the_json_and_by_operator_in_the_table() -> None:
    operators = (OperatorTime("Conv", OperatorPrecision.INTEGERS, 3, None, 0.75, 1_234_567),)
    counts = Counts(
        {InstructionKind.DOT_PRODUCT: 5}, {InstructionKind.DOT_PRODUCT: 5.0}, 80, 0, (CacheCounts(5, 2, 2, 0),)
    )
    one = CandidateBench(Path("m.onnx"), "m.onnx", (SIZE, *figures("m.onnx", 1)), (), operators, counts=counts)
    found = Bench(RPI4, "qemu", (one,), unpredicted=("no compiler: get one",))
    result = rendered(*bench_report(found))
    assert "instructions" in result and "1,234,567" in result and "75.0%" in result and "ms a run" not in result
    assert "no prediction: no compiler: get one" in result
    whole = json.loads(bench_json([found]))
    assert whole["unpredicted"] == ["no compiler: get one"]
    assert whole["models"][0]["counts"]["instructions"]["dot_product"] == 5
    assert whole["models"][0]["operators"][0]["instructions"] == 1_234_567
    assert "counts" not in json.loads(bench_json([FOUND]))["models"][0]


def test_a_prediction_says_what_its_limits_claim() -> None:
    items = [("a range", 0.0, 1), ("from 20 networks", 0.9, 4)]
    own = [
        Measurement("m.onnx", "latency_predicted", 129.1, "ms", Fidelity.PREDICTED, how, 86.9, 191.3, threads, 1, claim)
        for how, claim, threads in items
    ]
    found = Bench(RPI4, "qemu", (CandidateBench(Path("m.onnx"), "m.onnx", tuple(own), ()),))
    shown = " ".join(rendered(*bench_report(found)).split())
    assert "range 86.9 to 191; 1 thread" in shown and "129 (86.9 to 191)" in shown and "predicted, ms" in shown
    assert own[1].limits == "90 %: 86.9 to 191"


def test_the_json_has_the_documented_keys() -> None:
    data = json.loads(bench_json([FOUND]))
    assert (data["schema"], data["target"], data["place"]) == (2, "rpi4", "qemu")
    (model,) = data["models"]
    assert model["model"] == "m.onnx" and model["gates"][0]["status"] == "not_run"
    assert set(model["measurements"][0]) == {
        *("model", "name", "value", "unit", "fidelity", "detail", "low", "high", "threads", "batch", "confidence")
    }


def test_the_csv_has_a_line_a_figure() -> None:
    rows = list(csv.DictReader(io.StringIO(bench_csv([SEVERAL]))))
    assert len(rows) == len(SEVERAL.measurements)
    assert (rows[0]["name"], rows[0]["threads"], rows[2]["high"]) == ("file_size", "", "1.6")


def test_gates_are_test_cases() -> None:
    (suite,) = ElementTree.fromstring(bench_junit([FOUND]))
    assert suite.attrib == {"name": "m.onnx", "tests": "2", "failures": "1", "skipped": "1"}
    first, second = suite
    assert first.attrib == {"classname": "edgekit.bench.rpi4", "name": "latency"}
    assert (first[0].tag, second[0].tag, second[0].attrib["message"]) == ("skipped", "failure", "too <large>")
