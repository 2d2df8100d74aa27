"""Measure the cost and the correctness of counting under emulation: python benchmarks/counting.py [--work DIR]

It compares simulated caches with block counts only, processes with each other, and the counts of ncnn's MobileNet,
built here from its published structure, with those in data/pi/features.csv, which another plugin counted in ncnn's own
file; and it times `edgekit bench`. It prints each level and writes results/counting.json; about five minutes on one
core.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import latency_model
from bench import mobilenet
from levels import Level, print_levels

from edgekit.instruction_counts.counts import Counts, read_intervals
from edgekit.instruction_counts.operator_counts import counts_of_run, marked_runs
from edgekit.instruction_counts.plugin import MARK, plugin_options
from edgekit.latency.terms import figures_of
from edgekit.model.sample import random_inputs
from edgekit.progress import Silent
from edgekit.runners.emulator import prepare
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Job
from edgekit.target import Target
from edgekit.target_files import find_target

RESULTS = Path(__file__).parent / "results" / "counting.json"
TARGET = "rpi4"
ROUNDS = 5
NCNN = {"rpi4": "1.0.20230816", "rpi5": "1.0.20240102"}
"""The ncnn versions whose kernels are compared: those of features.csv."""
NOT_COMPARED = ("integer_products", "dot_products")
"""Counts that a float network does not have."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgekit-") as temporary:
        folder = (chosen.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        model = mobilenet(folder, TARGET)
        found = [*cost(model), command(model)]
        values = {name: ncnn_ratios(folder, name) for name in NCNN}
    found += [ncnn_level(name, ratios) for name, ratios in values.items()]
    print_levels(found)
    for name, ratios in values.items():
        print(f"\n{name}, ours to features.csv: " + ", ".join(f"{what} {ratio:.3f}" for what, ratio in ratios.items()))
    RESULTS.write_text(json.dumps({"levels": [asdict(each) for each in found], "ncnn": values}, indent=1) + "\n")


def cost(model: Path) -> list[Level]:
    """The cost of simulated caches, timed in turns with block counts only; and the differences between processes'
    counts."""
    target = find_target(TARGET)
    emulator = prepare(target, Silent())
    inputs = tuple(each[None] for each in random_inputs(model, 1))
    job = Job([model], inputs, counted=True)
    with_caches, without = QemuRunner(target, emulator), QemuRunner(target.copy_with(caches=()), emulator)
    ratios, counts = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        counts.append(with_caches.run(job).counts[0])
        between = time.perf_counter()
        without.run(job)
        ratios.append((between - started) / (time.perf_counter() - between))
    apart = max(each.total for each in counts) / min(each.total for each in counts) - 1
    misses = len({tuple(cache.misses for cache in each.caches) for each in counts})
    median = statistics.median(ratios)
    spread = f"{median:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return [
        Level("a run with simulated caches to one with block counts alone", "at most 1.5", spread, median <= 1.5),
        Level(
            f"instructions of {ROUNDS} processes",
            "within 0.0001",
            f"{apart:.1e} apart, {misses} different counts of cache misses",
            apart <= 1e-4,
        ),
    ]


def command(model: Path) -> Level:
    """The wall time of the command."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "edgekit", "bench", str(model), "--target", TARGET],
            check=False,
            stdout=subprocess.DEVNULL,
        )
        assert done.returncode in (0, 1), "1 is a gate's, of made-up inputs through random weights"
        seconds.append(time.perf_counter() - started)
    text = f"{min(seconds):.1f} to {max(seconds):.1f} s"
    return Level(f"edgekit bench --target {TARGET}, MobileNetV2's shape, INT8", "under 20 s", text, max(seconds) < 20)


def ncnn_level(name: str, ratios: Mapping[str, float]) -> Level:
    worst = max(ratios, key=lambda what: abs(ratios[what] - 1))
    text = f"{ratios[worst]:.3f} at most ({worst})"
    what = f"ncnn's MobileNet on {name}, each figure that prices are put on, to features.csv"
    return Level(what, "0.9 to 1.1", text, 0.9 <= ratios[worst] <= 1.1)


def ncnn_ratios(folder: Path, name: str) -> dict[str, float]:
    """The ratio of the plugin's counts to those in features.csv, by figure."""
    target, version = find_target(name), NCNN[name]
    ours = figures_of(ncnn_counts(folder, target, version))
    with (latency_model.DATA / "features.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    key = f"ncnn {version.removeprefix('1.0.')}", target.cpu, "mobilenet"
    theirs = latency_model.figures(next(row for row in rows if (row["runtime"], row["core"], row["model"]) == key))
    return {what: ours[what] / theirs[what] for what in ours if what not in NOT_COMPARED}


def ncnn_counts(folder: Path, target: Target, version: str) -> Counts:
    """The counts of a run of MobileNet v1 with all weights zero, as in ncnn's benchmark."""
    site = folder / f"ncnn-{version}"
    if not site.is_dir():
        platforms = [part for glibc in ("2_17", "2014") for part in ("--platform", f"manylinux{glibc_name(glibc)}")]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", *platforms]
        python = ["--python-version", "311", "--implementation", "cp", "--target", str(site)]
        subprocess.run([*pip, *python, f"ncnn=={version}"], check=True)
    (folder / "mobilenet.param").write_text(mobilenet_param())
    (folder / "count.py").write_text(PROGRAM)
    emulator = prepare(target, Silent())
    numpy = emulator.site[0]
    environment = emulator.environment() | {"PYTHONPATH": f"{site}:{numpy}", "PYTHONHASHSEED": "0"}
    assert emulator.plugin
    options = plugin_options(emulator.plugin, folder / "counts", target, by_operator=False)
    libraries = ["-E", f"LD_LIBRARY_PATH={site / 'ncnn.libs'}"]
    program = [*emulator.python(), str(folder / "count.py"), str(folder / "mobilenet.param")]
    subprocess.run([*emulator.command([*libraries, *options]), *program], check=True, env=environment)
    return counts_of_run(marked_runs(read_intervals(folder / "counts"), MARK)[0])


def glibc_name(glibc: str) -> str:
    return f"{'' if glibc == '2014' else '_'}{glibc}_aarch64"


PROGRAM = """
import os, sys
import ncnn
net = ncnn.Net()
net.opt.num_threads = 1
for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
    setattr(net.opt, name, True)
net.load_param(sys.argv[1])
net.load_model(ncnn.DataReaderFromEmpty())
image = ncnn.Mat(224, 224, 3)
image.fill(0.01)
def run():
    extractor = net.create_extractor()
    extractor.input("data", image)
    extractor.extract("prob")
for _ in range(2):
    os.getppid()
    run()
os.getppid()
"""


def mobilenet_param() -> str:
    """MobileNet v1 at 224 (Howard et al. 2017, table 1) in ncnn's form, ReLU within the convolutions."""
    layers = ["Input data 0 1 data 0=224 1=224 2=3"]
    before = "data"

    def add(kind: str, name: str, options: str) -> None:
        nonlocal before
        layers.append(f"{kind} {name} 1 1 {before} {name} {options}")
        before = name

    def convolution(name: str, channels: int, kernel: int, stride: int, weights: int, more: str = "9=1") -> None:
        kind = "ConvolutionDepthWise" if "7=" in more else "Convolution"
        options = f"0={channels} 1={kernel} 2=1 3={stride} 4={kernel // 2} 5=1 6={weights} {more}"
        add(kind, name, options)

    convolution("first", 32, 3, 2, 3 * 32 * 9)
    inputs = 32
    widths = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for number, (channels, stride) in enumerate(widths):
        convolution(f"depth{number}", inputs, 3, stride, inputs * 9, f"9=1 7={inputs}")
        convolution(f"point{number}", channels, 1, 1, inputs * channels)
        inputs = channels
    add("Pooling", "pool", "0=1 1=0 2=1 3=0 4=1")
    convolution("last", 1000, 1, 1, 1024 * 1000, "")
    add("Softmax", "prob", "0=0")
    return "\n".join(["7767517", f"{len(layers)} {len(layers)}", *layers]) + "\n"


if __name__ == "__main__":
    main()
