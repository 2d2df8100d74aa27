"""What quantizers make of a float model, side by side. python benchmarks/ptq.py [MODEL]... [--work DIR]

Models: digits and spoken (what the examples leave in floats), encoder (trained weights out of a package's wheel),
resnet_18 and mobilenet_v2 (their shapes, random weights: time and memory alone).

Every tool quantizes the same float file with the same calibration samples, as it comes and at its best known settings;
then all results run in turns, one thread each, each by its own runtime in a process of its own. Times are ratios to
ONNX Runtime's of the float file, round by round. NNCF with OpenVINO, ExecuTorch and LiteRT run where their environments
are: make .venv-openvino/peer .venv-executorch/peer .venv-litert/peer.

    --work DIR    keep intermediate files there: an interrupted run resumes, and only edgekit's results are checked
    --seconds S   of timing for each model: 60 by default
    --rounds N    for the wall time of quantizing: 3 by default; 0 leaves it out

spoken's recordings are read from the folder that the variable FSDD names.

Prints the table and the levels, and writes results/ptq.json, where models that were not requested are kept.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ptq_models
from ptq_levels import Level, levels
from ptq_served import Served, in_turns
from ptq_terms import ANY, here, likenesses

from edgekit.figures.ratios import Ratio, ratio_of
from edgekit.host import this_host

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "ptq.json"
METRICS = {"digits": "agreement", "spoken": "agreement", "encoder": "cosine", "resnet_18": ANY, "mobilenet_v2": ANY}
LIVES, LEAST_ROUNDS = 4, 8
"""The number of processes, and the fewest rounds in each: the memory layout of a process changes its times by 5 %."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "ORT_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True)
class Tool:
    name: str
    room: str
    """The environment .venv-ROOM; empty for edgekit's own."""
    script: str
    what: str
    suffix: str = ".onnx"
    runtime: str = "onnxruntime"
    """The script that runs its models."""

    @property
    def python(self) -> Path:
        return HERE.parent / f".venv-{self.room}" / "bin" / "python" if self.room else Path(sys.executable)


FLOAT = Tool("float", "", "", "")
OURS = "edgekit"
TOOLS = (
    Tool(OURS, "", "edgekit", "build"),
    Tool("edgekit, blocks", "", "edgekit", "int8-dynamic-blocks"),
    Tool("quantize_static", "", "onnxruntime", "static"),
    Tool("quantize_static, best", "", "onnxruntime", "static-best"),
    Tool("quantize_dynamic", "", "onnxruntime", "dynamic"),
    Tool("quantize_dynamic, best", "", "onnxruntime", "dynamic-best"),
    Tool("Neural Compressor", "", "compressor", "default"),
    Tool("Neural Compressor, tuned", "", "compressor", "tuned"),
    Tool("OpenVINO, float", "openvino", "openvino", "float", ".xml", "openvino"),
    Tool("NNCF, OpenVINO", "openvino", "openvino", "int8", ".xml", "openvino"),
    Tool("ExecuTorch, XNNPACK", "executorch", "executorch", "int8", ".pte", "executorch"),
    Tool("LiteRT", "litert", "litert", "int8", ".tflite", "litert"),
)


@dataclass(frozen=True)
class Row:
    """The results of one tool."""

    tool: str
    runtime: str
    how: str = ""
    bytes: int = 0
    ratio: Ratio | None = None
    """The ratio of its time to the float model's under ONNX Runtime."""
    likeness: float | None = None
    """The mean over samples."""
    seconds: float = 0.0
    """The wall time of quantizing, with start and imports."""
    failed: str = ""


@dataclass(frozen=True)
class Measured:
    rows: list[Row]
    times: dict[str, list[float]]
    likenesses: dict[str, Any]
    """By sample."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(METRICS))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    models = chosen.models or list(METRICS)
    unknown = sorted(set(models) - set(METRICS))
    if unknown:
        parser.error(f"there is no model {', '.join(unknown)}: choose of {', '.join(METRICS)}")
    values: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="edgekit-") as temporary:
        for name in models:
            folder = (chosen.work or Path(temporary)).resolve() / name
            say(f"{name}: the float model")
            ptq_models.prepare(folder)
            found = measured(folder, chosen.seconds)
            wall = walls(folder, chosen.rounds) if METRICS[name] != "cosine" else None
            judged = levels(name, found.times, found.likenesses, OURS, runtimes(found.rows), wall)
            show(name, found.rows, judged)
            values[name] = {
                "host": this_host().cpu_name,
                "target": here().id,
                "metric": METRICS[name],
                "rows": [asdict(row) for row in found.rows],
                "levels": [asdict(level) for level in judged],
            }
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(values, indent=1) + "\n")
    show_all(values)


def measured(folder: Path, seconds: float) -> Measured:
    """Every tool's row and figures; the row of a tool that failed has the reason."""
    name, rows = folder.name, [Row(FLOAT.name, "onnxruntime", "as exported", (folder / "float.onnx").stat().st_size)]
    files = {FLOAT.name: folder / "float.onnx"}
    for tool in TOOLS:
        if tool.what == "int8-dynamic-blocks" and name != "encoder":
            continue
        say(f"{name}: {tool.name}")
        path = folder / f"{tool.script}-{tool.what}{tool.suffix}"
        row = made(tool, folder, path)
        rows.append(row)
        if not row.failed:
            files[tool.name] = path
    times: dict[str, list[float]] = {}
    outputs: dict[str, Any] = {}
    for life in range(LIVES):
        say(f"{name}: {len(files)} in turns, life {life + 1} of {LIVES}")
        served = started(files, folder, rows)
        try:
            for tool, taken in in_turns(served, seconds / LIVES, LEAST_ROUNDS).items():
                times.setdefault(tool, []).extend(taken)
            if METRICS[name] != ANY and not outputs:
                outputs = {tool: each.outputs(folder / "outputs.npy") for tool, each in served.items()}
        finally:
            for each in served.values():
                each.end()
    alike = {tool: likenesses(METRICS[name], outputs[FLOAT.name], each) for tool, each in outputs.items()}
    rows = [with_figures(row, times, alike) for row in rows]
    return Measured(rows, times, alike)


def started(files: dict[str, Path], folder: Path, rows: list[Row]) -> dict[str, Served]:
    """A process for each file. A tool whose process does not start is excluded, and its row has the reason."""
    tools = {each.name: each for each in (FLOAT, *TOOLS)}
    served: dict[str, Served] = {}
    for name, path in list(files.items()):
        tool = tools[name]
        command = [tool.python, HERE / f"ptq_{tool.runtime}.py", "serve", path, folder / "evaluation.npz"]
        try:
            served[name] = Served.of(list(map(str, command)), folder / "served.txt", ENVIRONMENT)
        except RuntimeError as error:
            say(f"{folder.name}: {name} cannot be run: {error}")
            del files[name]
            number = next(number for number, row in enumerate(rows) if row.tool == name)
            rows[number] = replace(rows[number], failed=f"cannot be run: {error}")
    return served


def with_figures(row: Row, times: Mapping[str, Sequence[float]], alike: Mapping[str, Any]) -> Row:
    if row.failed:
        return row
    likeness = float(np.mean(alike[row.tool])) if row.tool in alike else None
    ratio = ratio_of(times[row.tool], times[FLOAT.name])
    return replace(row, ratio=ratio, likeness=likeness)


def made(tool: Tool, folder: Path, path: Path) -> Row:
    """The tool's row without measurements; from an earlier run if it was kept."""
    kept = path.with_name(f"{path.stem}.json")
    if kept.exists() and path.exists():
        return Row(**json.loads(kept.read_text()))
    if not tool.python.exists():
        return Row(tool.name, tool.runtime, failed=f"not installed: make .venv-{tool.room}/peer")
    command = [tool.python, HERE / f"ptq_{tool.script}.py", tool.what, folder, METRICS[folder.name], path]
    started = time.perf_counter()
    done = run(command, folder / f"{path.stem}.txt")
    seconds = time.perf_counter() - started
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2] or f"it ended with {done.returncode}"
        return Row(tool.name, tool.runtime, failed=why[:200], seconds=seconds)
    how = done.stdout.strip().rpartition("\n")[2] if tool.script == "edgekit" else ""
    size = sum(each.stat().st_size for each in (path, path.with_suffix(".bin")) if each.exists())
    row = Row(tool.name, tool.runtime, how, size, seconds=seconds)
    if tool.script != "edgekit":
        kept.write_text(json.dumps(asdict(row)))
    return row


def run(command: Sequence[object], log: Path) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    log.write_text(f"{done.stdout}\n{done.stderr}")
    return done


def walls(folder: Path, rounds: int) -> Ratio | None:
    """The ratio of the wall time of `edgekit quantize` to that of quantize_static with the same scheme, each in a
    separate process, timed in turns."""
    if not rounds:
        return None
    source, samples = folder / "float.onnx", folder / "calibration.npz"
    with np.load(samples) as stored:
        count = len(stored[stored.files[0]])
    first = [sys.executable, "-m", "edgekit", "quantize", source, "-t", here().id, "--calibration", samples]
    first += ["--samples", count, "-o", folder / "wall.onnx", "-q"]
    second = [sys.executable, HERE / "ptq_onnxruntime.py", "static-best", folder, ANY, folder / "wall.onnx"]
    taken: list[list[float]] = [[], []]
    for number in range(rounds):
        say(f"{folder.name}: wall time, round {number + 1}")
        for command, times in zip((first, second), taken, strict=True):
            started = time.perf_counter()
            done = run(command, folder / "wall.txt")
            if done.returncode:
                say(f"{folder.name}: no wall time, for it failed: {done.stderr[-500:]}")
                return None
            times.append(time.perf_counter() - started)
    return ratio_of(*taken)


def runtimes(rows: Sequence[Row]) -> dict[str, str]:
    return {row.tool: row.runtime for row in rows if not row.failed}


def show(name: str, rows: Sequence[Row], judged: Sequence[Level]) -> None:
    """Print the table and the levels, in the form of the README."""
    print(f"\n## {name} on {here().id} ({this_host().cpu_name}), one thread\n")
    print(f"| tool | time / float (native) | {METRICS[name]} | bytes | made in, s |\n|---|---|---|---|---|")
    for row in rows:
        if row.failed:
            print(f"| {row.tool} | {row.failed} | | | |")
            continue
        digits = 2 if METRICS[name] == "agreement" else 5
        alike = f"{row.likeness:.{digits}f}" if row.likeness is not None else ""
        how = f" ({row.how})" if row.how else ""
        print(f"| {row.tool}{how} | {row.ratio} | {alike} | {row.bytes:,} | {row.seconds:.1f} |")
    print("\n| level | found | met |\n|---|---|---|")
    for level in judged:
        print(f"| {level.what} | {level.found} | {'yes' if level.met else 'no'} |")
    print(flush=True)


def show_all(values: Mapping[str, Any]) -> None:
    """Print all models of the results side by side: times, and the likeness if it is meaningful."""
    names = [name for name in METRICS if name in values]
    print(f"| time / float, likeness | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for tool in TOOLS:
        found = [next((row for row in values[name]["rows"] if row["tool"] == tool.name), None) for name in names]
        print(f"| {tool.name} | {' | '.join(map(cell, found))} |")


def cell(row: Mapping[str, Any] | None) -> str:
    if row is None or row["failed"]:
        return "" if row is None else "failed"
    likeness = row["likeness"]
    alike = "" if likeness is None else f", {likeness:.2f} %" if likeness > 1 else f", {likeness:.5f}"
    return f"{row['ratio']['median']:.2f}{alike}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
