import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from edgekit.builds.result import Build

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_second_build_says_that_every_step_came_from_the_cache(
    run_edgekit: Run, built: Build, built_folder: Path
) -> None:
    done = run_edgekit("build", "-t", "rpi4", cwd=built_folder)
    assert done.returncode == 0, done.stderr
    assert "every step came from the cache" in done.stdout
    assert done.stderr.count("from the cache") == len(built.targets[0].steps)


def test_json_is_one_object_and_nothing_else(run_edgekit: Run, built: Build, built_folder: Path) -> None:
    done = run_edgekit("build", "-t", "rpi4", "--json", "-C", built_folder)
    data = json.loads(done.stdout)
    assert all(step["cached"] for step in data["targets"][0]["steps"])
    assert done.stderr == ""
    assert data["targets"][0]["bytes"] == built.targets[0].model_bytes


def test_the_former_option_placement_is_accepted_with_one_line_of_warning(
    run_edgekit: Run, built: Build, built_folder: Path
) -> None:
    done = run_edgekit("build", "-q", "-t", "rpi4", "--placement", built.targets[0].bundle, cwd=built_folder)
    lines = [line for line in done.stderr.splitlines() if "placement" in line]
    assert lines == [
        "warning: edgekit build, option: 'placement' is now called 'float-operators'; the next release rejects the "
        "former name"
    ]
    assert done.returncode == 2 and "cannot be read: it is a folder" in done.stderr, "the option was read"
    assert "--placement" not in run_edgekit("build", "--help").stdout


def test_a_missed_budget_is_exit_code_one(
    run_edgekit: Run, make_project: Callable[..., Path], built_folder: Path
) -> None:
    import shutil

    folder = make_project({"max_drop = 100.0": "max_bytes = 10"})
    shutil.copytree(built_folder / ".edgekit", folder / ".edgekit")
    done = run_edgekit("build", "-q", cwd=folder)
    assert done.returncode == 1, done.stderr
    assert "FAILED" in done.stdout and "at most 10" in done.stdout


def test_a_gate_that_did_not_run_fails_a_strict_build(
    run_edgekit: Run, make_project: Callable[..., Path], built: Build, built_folder: Path
) -> None:
    import shutil

    folder = make_project({"max_drop = 100.0": "max_drop = 100.0\nmax_latency_ms = 10"})
    shutil.copytree(built_folder / ".edgekit", folder / ".edgekit")
    assert built.targets
    done = run_edgekit("build", "-q", cwd=folder)
    assert done.returncode == 0 and "not run" in done.stdout
    assert run_edgekit("build", "-q", "--strict", cwd=folder).returncode == 1


def test_an_impossible_order_is_refused_before_any_work(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    prune, export = 'use = "prune"\nratio = 0.5\nepochs = 2', 'use = "export"'
    folder = make_project({f"{prune}\n\n[[steps]]\n{export}": f"{export}\n\n[[steps]]\n{prune}"})
    done = run_edgekit("build", cwd=folder)
    assert done.returncode == 2
    assert "step 4 prune takes a PyTorch module, which step 3 export converted to an ONNX file" in done.stderr
    assert not (folder / ".edgekit").exists()
