import json
from pathlib import Path

from rich.console import Console

from edgekit.measurement import Measurement
from edgekit.measuring.measure import Bench
from edgekit.report.benches import bench_json, bench_report
from edgekit.target import find_target
from edgekit.traits import Fidelity
from edgekit.verdict.gates import Gate, Status

FOUND = Bench(
    Path("m.onnx"),
    find_target("rpi4"),
    "qemu",
    (
        Measurement("m.onnx", "memory_peak", 5e7, "bytes", Fidelity.EMULATED, "how"),
        Measurement("m.onnx", "latency_p50", 1.5, "ms", Fidelity.DEVICE, "how", 1.4321, 1.6),
    ),
    (Gate("latency", Status.NOT_RUN, "why"),),
)


def test_every_figure_stands_beside_its_fidelity() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        for each in bench_report(FOUND):
            console.print(each)
    told = captured.get()
    assert "50.0 MB" in told and "emulated" in told and "not run" in told
    assert "1.5 ms (1.43 to 1.6)" in told


def test_the_json_has_the_documented_keys() -> None:
    told = json.loads(bench_json(FOUND))
    assert told["schema"] == 2
    assert {"model", "name", "value", "unit", "fidelity", "detail", "low", "high"} == set(told["measurements"][0])
    assert told["gates"][0]["status"] == "not_run"
