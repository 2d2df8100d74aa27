"""Build models from PyPI packages and run them in the packages: python benchmarks/wild.py [NAME...]

Needs the extra `wild`: make benchmark-wild. Each model is calibrated on the inputs that its package gives it; then the
package runs with the deployed file instead of its own, on other inputs. If this machine's 8-bit kernels saturate and
the target's do not, the package runs an equivalent file with unsigned integers. The latency ratio is of interleaved
runs on this machine, of files for this machine's architecture.

Prints the table of results/wild.json; the models named (by default all) are measured again.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from wild_packages import Feeds, Wild, models

from edgekit.host import this_host
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model, save_model
from edgekit.model.unsigned import to_unsigned
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job
from edgekit.runtimes.ort import saturates
from edgekit.target_files import find_target

RESULTS = Path(__file__).parent / "results" / "wild.json"
TARGETS = ("x86-vnni", "rpi4")
ROUNDS = 5
SAMPLES = 400


def main(names: list[str]) -> None:
    known = {each.name: each for each in models()}
    wrong = sorted(set(names) - set(known))
    if wrong:
        raise SystemExit(f"no model '{wrong[0]}': {', '.join(known)}")
    for name in names or known:
        with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
            found = measured(known[name], Path(folder))
        data = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"models": {}}
        data["host"] = this_host().cpu_name
        data["models"][name] = found
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(data, indent=2) + "\n")
        print(f"{name}: measured", file=sys.stderr, flush=True)
    print_table(json.loads(RESULTS.read_text()))


def measured(wild: Wild, folder: Path) -> dict[str, Any]:
    """The figures of a model's builds for each target, and the agreement in its package."""
    feeds = wild.feeds()
    written(feeds, folder / "samples")
    model = folder / "model.onnx"
    model.write_bytes(wild.path.read_bytes())
    command = [sys.executable, "-m", "edgekit", "build", str(model), "--calibration", str(folder / "samples"), "--json"]
    command += [word for target in TARGETS for word in ("--target", target)]
    done = subprocess.run([*command, *wild.options], capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    built = {each["target"]: each for each in json.loads(done.stdout)["targets"]}
    return {
        "own_bytes": wild.path.stat().st_size,
        "what": wild.what,
        "level": wild.level,
        "targets": {name: judged(wild, feeds, built[name], folder / name) for name in TARGETS},
    }


def written(feeds: Feeds, folder: Path) -> None:
    """Write the feeds as samples, one file each; if there are hundreds, only as many as requested."""
    folder.mkdir()
    for number, feed in enumerate(feeds[:: max(1, len(feeds) // SAMPLES)]):
        np.savez(folder / f"{number:05}.npz", **feed)


def judged(wild: Wild, feeds: Feeds, built: dict[str, Any], folder: Path) -> dict[str, Any]:
    target, deployed = find_target(built["target"]), Path(built["model"])
    folder.mkdir()
    given = folder / "model.onnx"
    exact = saturates() and not target.saturates
    save_model(to_unsigned(load_model(deployed)) if exact else load_model(deployed), given)
    return {
        "recipe": built["recipe"],
        "rejected_recipes": built["rejected_recipes"],
        "bytes": built["bytes"],
        "gates": built["gates"],
        "metric": built["metric"],
        "value": built["value"],
        "agreement": wild.agreement(given),
        "latency_ratios": ratios(deployed, wild.path, feeds[0]) if target.arch == this_host().arch else [],
    }


def ratios(deployed: Path, own: Path, feed: dict[str, Any]) -> list[float]:
    """Ratios of the deployed file's p50 to that of the package's own, timed in turns in one process, one per round."""
    inputs = tuple(feed[port.name].astype(port.dtype)[None] for port in inputs_of(load_model(deployed).graph))
    found = []
    for _ in range(ROUNDS):
        result = NativeRunner().run(Job([deployed, own], inputs, seconds=1.0))
        first, second = (statistics.median(each) for each in result.latencies_ms)
        found.append(first / second)
    return found


def print_table(values: dict[str, Any]) -> None:
    print(f"\n{values['host']}, 1 thread\n")
    print("| model | target | recipe | bytes | own bytes | latency / own here | agreement | level met |")
    print("|---|---|---|---|---|---|---|---|")
    for name, model in values["models"].items():
        for target, each in model["targets"].items():
            latency = f"{statistics.median(each['latency_ratios']):.2f}" if each["latency_ratios"] else "not run"
            met = "yes" if each["agreement"] >= model["level"] else "**no**"
            print(
                f"| {name} | {target} | {each['recipe']} | {each['bytes']:,} | {model['own_bytes']:,} | {latency} | "
                f"{each['agreement']:.1f} % of {model['what']} | {met} ({model['level']:g} %) |"
            )
    print()
    for name, model in values["models"].items():
        for target, each in model["targets"].items():
            for one in each["rejected_recipes"]:
                print(f"- {name}, {target}: not {one['recipe']}: {one['why']}")


if __name__ == "__main__":
    main(sys.argv[1:])
