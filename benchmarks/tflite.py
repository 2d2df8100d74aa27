"""Compare models converted to TFLite: python benchmarks/tflite.py [--work DIR] [--examples NAME ...] [--seconds S]

The examples and four more shapes are quantized for rpi-armv7l, written as .tflite and compared with ONNX Runtime's
outputs for the same integers: under both runtimes here, and under tflite-runtime on an emulated 64-bit and 32-bit
Raspberry Pi. Then the file size is compared with the size of its numbers, and the time under ai-edge-litert (XNNPACK)
with ONNX Runtime's, timed in turns. If litert-torch is installed (make .venv-litert/peer), its conversions by
ai-edge-quantizer are compared as well: bytes, SQNR, time. Prints tables, marks each level, and writes
results/tflite.json. The shapes have random weights, which amplify rounding: their outputs depend on small differences
of large sums.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ptq_litert
import tflite_models
from levels import Level, print_levels

from edgekit.builds.build import build
from edgekit.data.splits import Splits
from edgekit.figures.ratios import ratio_of
from edgekit.host import this_host
from edgekit.model.facts import output_step
from edgekit.model.reading import load_model
from edgekit.numerics.compare import signal_to_noise
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runners.emulator import prepare
from edgekit.runners.native import NativeRunner
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Job, Runner
from edgekit.runtimes.ort import feed_outputs
from edgekit.target import Runtime, Target
from edgekit.target_files import find_target
from edgekit.tflite.reading import read_tflite
from edgekit.tflite.writing import write_model
from edgekit.traits import Data, Fidelity

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "tflite.json"
TARGET = "rpi-armv7l"
COMPARED = 16
TURNS = 8
SLACK, FIXED, A_CHANNEL = 1.05, 2048, 24


@dataclass(frozen=True)
class Subject:
    name: str
    onnx: Path
    """Quantized, in QDQ form."""
    tflite: Path
    feeds: tuple[np.ndarray, ...]
    """(feeds, ...)."""
    metrics: dict[str, float]
    """On the whole evaluation split, if there is one."""
    source: Path | None = None
    """The float model of a shape."""
    peer: Path | None = None
    """The shape converted by litert-torch and ai-edge-quantizer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--examples", nargs="*", default=["digits", "spoken"])
    parser.add_argument("--seconds", type=float, default=0.4, help="of timing in each turn")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgekit-") as temporary:
        folder = (chosen.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        subjects = [of_example(name) for name in chosen.examples]
        subjects += [of_shape(folder, name) for name in tflite_models.SHAPES]
        places = runners()
        rows, levels = [], []
        for each in subjects:
            rows.append(row := measured(each, places, chosen.seconds))
            print(json.dumps(row), file=sys.stderr, flush=True)
            levels += levels_of(each, row)
    show(rows, levels, list(places))
    values = {"host": this_host().cpu_name, "models": rows, "levels": [asdict(each) for each in levels]}
    RESULTS.write_text(json.dumps(values, indent=1) + "\n")


def of_example(name: str) -> Subject:
    """An example as built for the target."""
    project = load_project(ROOT / "examples" / name)
    (built,) = build(project, [find_target(TARGET)], Silent()).targets
    runs = {run.name: run for run in built.steps if run.role == "student"}
    emulated = [
        each.value
        for each in built.verdict.measurements
        if each.name == "metric" and each.fidelity is Fidelity.EMULATED
    ]
    metrics = {"onnx": runs["quantize"].metric, "tflite": runs["tflite"].metric}
    metrics |= {"tflite, emulated": emulated[0]} if emulated else {}
    inputs, _, _ = Splits(project)[Data.EVALUATION].alike(limit=COMPARED)
    quantized, tflite = runs["quantize"].artifact.path, runs["tflite"].artifact.path
    return Subject(name, quantized, tflite, tuple(each[:, None] for each in inputs), metrics)


def of_shape(folder: Path, name: str) -> Subject:
    """A shape with random weights, quantized by the commands."""
    given, samples = tflite_models.left(folder, name)
    simple, quantized, tflite = (folder / f"{name}.{part}" for part in ("simple.onnx", "int8.onnx", "tflite"))
    edgekit("simplify", given, "-o", simple)
    edgekit("quantize", simple, "--target", TARGET, "--calibration", samples, "-o", quantized, "-q")
    tflite.write_bytes(write_model(load_model(quantized)).data)
    feeds = (tflite_models.images(COMPARED, 1)[:, None],)
    return Subject(name, quantized, tflite, feeds, {}, simple, of_peer(folder, name))


def of_peer(folder: Path, name: str) -> Path | None:
    """A shape converted by litert-torch; None if that is not installed."""
    python = ROOT / ".venv-litert" / "bin" / "python"
    if not python.is_file():
        return None
    path = folder / f"{name}.litert.tflite"
    command = [str(python), str(Path(__file__).with_name("tflite_litert.py")), name, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return path


def edgekit(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "edgekit", *map(str, words)], check=True, capture_output=True)


def runners() -> dict[str, Runner]:
    """The runners: both runtimes here, and tflite-runtime under emulation."""
    pi4 = find_target("rpi4").copy_with(runtime=Runtime(name="tflite-runtime", version="2.14.0"))
    return {
        "ai-edge-litert, here": NativeRunner("ai-edge-litert"),
        "tflite-runtime, here": NativeRunner("tflite-runtime"),
        "tflite-runtime, aarch64": emulated(pi4),
        "tflite-runtime, armv7l": emulated(find_target(TARGET)),
    }


def emulated(target: Target) -> Runner:
    return QemuRunner(target, prepare(target, Silent()))


def measured(subject: Subject, places: dict[str, Runner], seconds: float) -> dict[str, Any]:
    steps = list(output_step(load_model(subject.onnx)).values())
    wanted = feed_outputs(subject.onnx, subject.feeds)
    apart = {place: compared(runner, subject, wanted, steps) for place, runner in places.items()}
    return {
        "model": subject.name,
        "bytes": subject.tflite.stat().st_size,
        "onnx_bytes": subject.onnx.stat().st_size,
        "needed_bytes": needed(subject.tflite),
        "apart": apart,
        "metrics": subject.metrics,
        "latency": timed(subject, seconds),
        "peer": beside(subject, seconds) if subject.peer else None,
    }


def beside(subject: Subject, seconds: float) -> dict[str, Any]:
    """Both conversions: bytes, the SQNR against the float model's outputs, and the ratio of their times, timed in
    turns."""
    assert subject.source is not None and subject.peer is not None
    (image,) = subject.feeds
    (wanted,) = feed_outputs(subject.source, subject.feeds)
    (ours,) = NativeRunner("ai-edge-litert").run(Job([subject.tflite], subject.feeds)).outputs[0]
    run = ptq_litert.runner(str(subject.peer))
    theirs = np.stack([run({"image": each}) for each in image])
    port = read_tflite(subject.peer).tensors[read_tflite(subject.peer).inputs[0]]
    own = np.zeros_like(image[:1]).astype(port.kind)
    job = Job([subject.tflite, subject.peer], (), inputs_of=[(image[:1],), (own,)], seconds=TURNS * seconds)
    ratio = ratio_of(*NativeRunner("ai-edge-litert").run(job).latencies_ms)
    return {
        "bytes": subject.peer.stat().st_size,
        "noise_db": {"ours": signal_to_noise(wanted, ours), "theirs": signal_to_noise(wanted, theirs)},
        "ratio": asdict(ratio),
    }


def compared(
    runner: Runner, subject: Subject, wanted: Sequence[np.ndarray], steps: Sequence[float]
) -> dict[str, float | str]:
    """The largest difference of the outputs in LSB, the share that differs, and how often the largest output is the
    same."""
    result = runner.run(Job([subject.tflite], subject.feeds))
    off = np.concatenate(
        [
            np.rint(np.abs(a.astype(np.float64) - b) / step).ravel()
            for a, b, step in zip(wanted, result.outputs[0], steps, strict=True)
        ]
    )
    best, other = (np.asarray(each[0]).reshape(len(each[0]), -1).argmax(1) for each in (wanted, result.outputs[0]))
    return {
        "steps": float(off.max()),
        "differing": float((off > 0).mean()),
        "same_largest": float((best == other).mean()),
        "runtime": result.runtime,
    }


def needed(path: Path) -> float:
    """The bytes of weights, biases, scales and zero points, with some margin."""
    file = read_tflite(path)
    stored = {each.buffer: each for each in file.tensors if each.stored and each.kind in ("int8", "int32")}
    numbers = [each for each in stored.values() if each.scales]
    channels = sum(each.scales for each in numbers if each.kind == "int8")
    return SLACK * (sum(each.stored for each in numbers) + A_CHANNEL * channels) + FIXED


def timed(subject: Subject, seconds: float) -> dict[str, Any]:
    """Milliseconds under ONNX Runtime and under ai-edge-litert, timed in turns, and the ratio."""
    found: dict[str, list[float]] = {"onnxruntime": [], "ai-edge-litert": []}
    feed = tuple(each[:1] for each in subject.feeds)
    for _ in range(TURNS):
        for name, path in (("onnxruntime", subject.onnx), ("ai-edge-litert", subject.tflite)):
            result = NativeRunner("ai-edge-litert").run(Job([path], feed, seconds=seconds))
            found[name].append(float(np.median(result.latencies_ms[0])))
    ratio = ratio_of(found["ai-edge-litert"], found["onnxruntime"])
    return {**{name: float(np.median(each)) for name, each in found.items()}, "ratio": asdict(ratio)}


def levels_of(subject: Subject, row: dict[str, Any]) -> list[Level]:
    name = row["model"]
    found = [
        Level(
            f"{name}: outputs, {place}",
            "at most 1 step",
            f"{text['steps']:g}; {text['differing']:.1%} differ",
            text["steps"] <= 1,
        )
        for place, text in row["apart"].items()
    ]
    size, most = row["bytes"], row["needed_bytes"]
    found.append(Level(f"{name}: bytes", f"at most {most:,.0f}", f"{size:,}", size <= most))
    if subject.metrics:
        text = ", ".join(f"{value:.2f} ({what})" for what, value in subject.metrics.items())
        found.append(Level(f"{name}: top-1", "the same as ONNX", text, len({*subject.metrics.values()}) == 1))
    return found


def show(rows: Sequence[dict[str, Any]], levels: Sequence[Level], places: Sequence[str]) -> None:
    print(f"{this_host().cpu_name}, 1 thread; steps that outputs lie apart at most (share that differs)\n")
    print(f"| model | {' | '.join(places)} | ms, ONNX Runtime | ms, LiteRT with XNNPACK | ratio |")
    print("|---" * (len(places) + 4) + "|")
    for row in rows:
        cells = [f"{entry['steps']:g} ({entry['differing']:.1%})" for entry in row["apart"].values()]
        time, ratio = row["latency"], row["latency"]["ratio"]
        cells += [f"{time['onnxruntime']:.3f}", f"{time['ai-edge-litert']:.3f}"]
        cells.append(f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})")
        print(f"| {row['model']} | {' | '.join(cells)} |")
    print()
    if any(row["peer"] for row in rows):
        print("| ours to litert-torch's | bytes | signal to noise, dB | time, in turns |")
        print("|---" * 4 + "|")
    for row in rows:
        if peer := row["peer"]:
            noise, ratio = peer["noise_db"], peer["ratio"]
            within = f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})"
            kept = f"{noise['ours']:.1f}, {noise['theirs']:.1f}"
            print(f"| {row['model']} | {row['bytes']:,}, {peer['bytes']:,} | {kept} | {within} |")
    print()
    print_levels(levels)


if __name__ == "__main__":
    main()
