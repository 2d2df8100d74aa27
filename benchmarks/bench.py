"""Check whether edgekit bench is reliable: python benchmarks/bench.py [--work DIR]

It compares bench's loop with a bare loop, two benches of the same file with each other, and the guest's memory with
this machine's, and times bench under a target's emulator. It prints each level and writes results/bench.json. The
models are a small convolutional network of about 0.1 ms and one of MobileNetV2's shape in INT8, both with random
weights: time and memory depend on the shape only. Keep the machine idle meanwhile (about six minutes).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import ptq_models
from levels import Level, print_levels
from onnx import TensorProto, helper, numpy_helper

import edgekit
from edgekit.device.worker import run_in_turns
from edgekit.figures.measurement import Measurement
from edgekit.figures.ratios import ratio_of
from edgekit.host import this_host
from edgekit.model.sample import random_inputs
from edgekit.runtimes.ort import session

RESULTS = Path(__file__).parent / "results" / "bench.json"
BLOCKS, BLOCK_S = 60, 0.1
PAIRS, AGREEING = 40, 36
SECONDS = 2.0
EMULATED = "rpi4"
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    chosen = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="edgekit-") as temporary:
        folder = (chosen.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        small, large = small_network(folder), mobilenet(folder, EMULATED)
        own = mobilenet(folder, "x86-vnni" if "vnni" in this_host().isa else "x86-avx2")
        steps: list[Callable[[], list[Level]]] = [
            lambda: overhead(small),
            lambda: [pairs("0.1 ms", small), pairs("MobileNetV2's shape, INT8", own)],
            lambda: [emulated(large), memory(large)],
        ]
        for step in steps:
            for level in step():
                found.append(level)
                print(f"{level.what}: {level.found}", file=sys.stderr, flush=True)
    found.append(Level("agreement with onnxruntime_perf_test", "within noise", "in no wheel", None))
    found.append(Level("agreement with LiteRT's benchmark tool", "within noise", "edgekit has no TFLite yet", None))
    print(f"{this_host().cpu_name}, edgekit {edgekit.__version__}\n")
    print_levels(found)
    values = {"host": this_host().cpu_name, "levels": [asdict(level) for level in found]}
    RESULTS.write_text(json.dumps(values, indent=2) + "\n")


def small_network(folder: Path) -> Path:
    """Three convolutions over 20 x 20."""
    random = np.random.default_rng(0)
    widths = (3, 16, 24, 24)
    weights = [
        numpy_helper.from_array(random.standard_normal((made, given, 3, 3)).astype(np.float32) / given, f"w{number}")
        for number, (given, made) in enumerate(pairwise(widths))
    ]
    nodes = []
    for number in range(len(weights)):
        read = f"r{number - 1}" if number else "x"
        nodes.append(helper.make_node("Conv", [read, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
    shapes = (("x", [1, 3, 20, 20]), (f"r{len(weights) - 1}", [1, widths[-1], 20, 20]))
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes]
    graph = helper.make_graph(nodes, "small", ports[:1], ports[1:], weights)
    path = folder / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def mobilenet(folder: Path, target: str) -> Path:
    """The INT8 model that a build for the target deploys."""
    made = folder / "mobilenet_v2"
    built = folder / target
    if not (built / "dist" / target / "model.onnx").is_file():
        ptq_models.prepare(made)
        samples = made / "calibration.npz"
        options = edgekit.BuildOptions(recipe="int8")
        edgekit.build(made / "float.onnx", samples, targets=target, options=options, folder=built)
    return built / "dist" / target / "model.onnx"


def overhead(path: Path) -> list[Level]:
    """The ratio of a run's time in bench's loop to that in a loop that does nothing else, block by block; and the
    difference between bench's median and the bare loop's."""
    running = session(path, threads=1)
    (array,) = random_inputs(path)
    given = {running.get_inputs()[0].name: array}
    run_in_turns([running], [[array[None]]], 1.0, 1, None)
    whole, median, bare = [], [], []
    for _ in range(BLOCKS):
        started = time.perf_counter()
        ((*taken,),), _ = run_in_turns([running], [[array[None]]], BLOCK_S, 1, None)
        whole.append((time.perf_counter() - started) / len(taken))
        median.append(statistics.median(taken) / 1e3)
        started = time.perf_counter()
        for _ in range(len(taken)):
            running.run(None, given)
        bare.append((time.perf_counter() - started) / len(taken))
    text = f"of a model of {statistics.median(bare) * 1e3:.3f} ms"
    loop, printed = ratio_of(whole, bare), ratio_of(median, bare)
    return [
        Level(f"bench's loop, whole, to a bare one, {text}", "at most 1.01", str(loop), loop.median <= 1.01),
        Level("its median to the bare loop's mean", "at most 1.01", str(printed), printed.median <= 1.01),
    ]


def pairs(name: str, path: Path) -> Level:
    """How often the intervals of two consecutive benches overlap."""
    medians = [median(path) for _ in range(2 * PAIRS)]
    items = list(zip(medians[::2], medians[1::2], strict=True))
    agreeing = sum((one.low or 0) <= (other.high or 0) and (other.low or 0) <= (one.high or 0) for one, other in items)
    apart = statistics.median(abs(one.value / other.value - 1) for one, other in items)
    wide = statistics.median(((one.high or 0) - (one.low or 0)) / one.value for one in medians)
    found = f"{agreeing} of {PAIRS}; medians {apart:.2%} apart, intervals {wide:.2%} wide"
    return Level(f"two benches agree, {name}", f"{AGREEING} of {PAIRS}", found, agreeing >= AGREEING)


def median(path: Path) -> Measurement:
    """The latency that bench reports."""
    return next(
        one
        for one in edgekit.bench(path, options=edgekit.BenchOptions(seconds=SECONDS)).measurements
        if one.name == "latency_p50"
    )


def emulated(path: Path) -> Level:
    """The wall time of the command."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        command = [sys.executable, "-m", "edgekit", "bench", str(path), "--target", EMULATED]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        assert done.returncode in (0, 1), "1 is a gate's, of made-up inputs through random weights"
        seconds.append(time.perf_counter() - started)
    text = f"{min(seconds):.1f} to {max(seconds):.1f} s"
    return Level(f"edgekit bench --target {EMULATED}, MobileNetV2's shape, INT8", "under 20 s", text, max(seconds) < 20)


def memory(path: Path) -> Level:
    """The ratio of the guest's peak memory to this machine's, for the same file."""
    peaks = [
        next(
            one.value
            for one in edgekit.bench(path, target, options=edgekit.BenchOptions(seconds=0.1)).measurements
            if one.name == "memory_peak"
        )
        for target in (EMULATED, None)
    ]
    ratio = peaks[0] / peaks[1]
    text = f"{ratio:.3f}: {peaks[0] / 1e6:.1f} MB emulated, {peaks[1] / 1e6:.1f} MB native"
    return Level("guest memory to native", "0.9 to 1.1", text, 0.9 <= ratio <= 1.1)


if __name__ == "__main__":
    main()
