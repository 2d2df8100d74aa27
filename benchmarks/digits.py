"""Measure the main levels on examples/digits: python benchmarks/digits.py [SEEDS]

It builds a copy of the example from an empty cache for rpi4 and x86-vnni with each seed, prints one table in which
every level is marked as met or not, and writes results/digits.json. Latency is a ratio of interleaved runs; times are
this machine's.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.host import this_host
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job
from edgekit.target_files import find_target

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits"
RESULTS = Path(__file__).parent / "results" / "digits.json"
RATIO_ROUNDS = 9
SIZE_LEVEL, DROP_LEVEL, BUILD_LEVEL_S, AGAIN_LEVEL_S, HELP_LEVEL_S = 20.0, 1.0, 240.0, 2.0, 0.25


def main(seeds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        found = [measured(Path(folder) / str(seed), seed) for seed in range(seeds)]
    rows = list(levels(found))
    print(f"\n{seeds} seeds, {this_host().cpu_name}, 1 thread, batch 1\n")
    print("| what | level | lowest | median | highest | met |\n|---|---|---|---|---|---|")
    for what, level, values, met in rows:
        low, middle, high = (f"{value:.4g}" for value in (min(values), statistics.median(values), max(values)))
        print(f"| {what} | {level} | {low} | {middle} | {high} | {'yes' if met else '**no**'} |")
    fields = {
        "host": this_host().cpu_name,
        "seeds": found,
        "levels": [{"what": what, "level": level, "values": values, "met": met} for what, level, values, met in rows],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(fields, indent=2) + "\n")


def measured(folder: Path, seed: int) -> dict[str, Any]:
    """All figures of one seed's build."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".edgekit", "dist", "__pycache__"))
    config = folder / "edgekit.toml"
    config.write_text(re.sub(r"^seed = \d+", f"seed = {seed}", config.read_text(), flags=re.MULTILINE))
    first_s, _ = timed("build", "--json", "-t", "rpi4", cwd=folder)
    _, value = timed("build", "--json", "-t", "rpi4", "-t", "x86-vnni", cwd=folder)
    again_s, again = timed("build", "--json", "-t", "rpi4", "-t", "x86-vnni", cwd=folder)
    help_s = statistics.median(timed("--help", cwd=folder)[0] for _ in range(5))
    rpi4, vnni = json.loads(value)["targets"]
    print(f"seed {seed}: built for rpi4 in {first_s:.0f} s", file=sys.stderr, flush=True)
    return {
        "seed": seed,
        "first_build_s": first_s,
        "second_build_s": again_s,
        "help_s": help_s,
        "all_cached": all(step["cached"] for each in json.loads(again)["targets"] for step in each["steps"]),
        "targets": {each["target"]: without_steps(each) for each in (rpi4, vnni)},
        "int8_over_float_p50": speed_ratios(folder, vnni["model"]),
    }


def without_steps(values: dict[str, Any]) -> dict[str, Any]:
    kept = ("bytes", "float_bytes", "reference_bytes", "value", "float_value", "reference_value", "gates", "passed")
    return {key: values[key] for key in kept}


def speed_ratios(folder: Path, model: str) -> list[float]:
    """Ratios of the INT8 model's p50 to the float student's, one per round, timed in turns in one process.

    Empty if this machine is not an x86-vnni.
    """
    if not find_target("x86-vnni").is_this(this_host()):
        return []
    manifest = json.loads((folder / "dist" / "x86-vnni" / "manifest.json").read_text())
    student = [step for step in manifest["lineage"] if step["role"] == "student" and step["step"] == "simplify"][-1]
    entries = (folder / ".edgekit" / "cache" / "entries").glob("*/*/entry.json")
    plain = next(path.parent / "model.onnx" for path in entries if student["digest"] in path.read_text())
    sample = (np.random.default_rng(0).random((1, 1, 1, 16, 16), dtype=np.float32),)
    ratios = []
    for _ in range(RATIO_ROUNDS):
        result = NativeRunner().run(Job([Path(model), plain], sample, seconds=0.5))
        quantized, floating = (statistics.median(each) for each in result.latencies_ms)
        ratios.append(quantized / floating)
    return ratios


def timed(*arguments: str, cwd: Path) -> tuple[float, str]:
    """Wall seconds and standard output of one edgekit command."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "edgekit", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    return time.perf_counter() - started, done.stdout


def levels(found: list[dict[str, Any]]) -> Any:
    """(what, level, values, met) for each level."""
    smaller = [one["targets"]["rpi4"]["reference_bytes"] / one["targets"]["rpi4"]["bytes"] for one in found]
    yield "teacher's fp32 bytes / INT8 bytes, rpi4", f"at least {SIZE_LEVEL:g}", smaller, min(smaller) >= SIZE_LEVEL
    to_float = [one["targets"]["rpi4"]["float_bytes"] / one["targets"]["rpi4"]["bytes"] for one in found]
    yield "float student's bytes / INT8 bytes, rpi4", "shown beside it", to_float, True
    drops = [one["targets"]["rpi4"]["reference_value"] - one["targets"]["rpi4"]["value"] for one in found]
    yield "points lost against the teacher, rpi4", f"at most {DROP_LEVEL:g}", drops, max(drops) <= DROP_LEVEL
    ratios = [statistics.median(one["int8_over_float_p50"]) for one in found if one["int8_over_float_p50"]]
    if ratios:
        yield "INT8 p50 / float student's p50, x86-vnni", "at most 1", ratios, max(ratios) <= 1.0
    build = [one["first_build_s"] for one in found]
    yield "first build for rpi4, s", f"at most {BUILD_LEVEL_S:g}", build, max(build) <= BUILD_LEVEL_S
    beyond = [one["second_build_s"] - one["help_s"] for one in found]
    yield (
        "second build, both targets, s beyond start-up",
        f"at most {AGAIN_LEVEL_S:g}",
        beyond,
        max(beyond) <= AGAIN_LEVEL_S,
    )
    starts = [one["help_s"] for one in found]
    yield "edgekit --help, s", f"at most {HELP_LEVEL_S:g}", starts, max(starts) <= HELP_LEVEL_S
    cached = [float(one["all_cached"]) for one in found]
    yield "second build does no step again", "1", cached, min(cached) == 1.0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
