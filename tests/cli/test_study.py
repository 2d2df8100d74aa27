import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
PAIR = "quantize-weights bits=2 granularity=tensor epochs=1, sparsify sparsity=0.7 epochs=1"
RECIPE = """
[[steps]]
use = "train"
epochs = 3

[[steps]]
use = "prune"
ratio = 0.5
epochs = 1

[[steps]]
use = "export"
"""


def test_a_pair_is_studied_and_the_plan_is_judged_by_it(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    done = run_edgekit("study", "--pair", PAIR, "--seeds", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "quantize-weights then sparsify" in " ".join(done.stdout.split())
    assert "written: study.json" in done.stdout and "trial 9 of 9" in done.stderr, (
        "two orders twice, each step alone twice, neither"
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    data = json.loads((folder / "study.json").read_text())
    assert len(data["arms"]) == 4 and data["seeds"] == [0, 1]
    assert (folder / "study.png").read_bytes()[:4] == b"\x89PNG" and b"<svg" in (folder / "study.svg").read_bytes()
    # The same again comes from the cache, to the byte.
    again = run_edgekit("study", "--pair", PAIR, "--seeds", "2", "--json", cwd=folder)
    assert json.loads(again.stdout) == data and again.stderr == ""
    # Without matplotlib there is no plot, which is said under -q as well.
    script = (
        "import edgekit.report.plots as plots; plots.find_spec = lambda _: None; "
        "from edgekit.cli.main import main; main()"
    )
    command = [sys.executable, "-c", script, "study", "--pair", PAIR, "--seeds", "2", "-q", "-o", "bare.json"]
    bare = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "no plot: matplotlib is not installed" in bare.stderr and not (folder / "bare.png").exists()
    assert json.loads((folder / "bare.json").read_text()) == data
    (folder / "r.toml").write_text(
        '[[steps]]\nuse = "train"\nrole = "teacher"\nepochs = 3\n[[steps]]\nuse = "distill"\nepochs = 3\n'
        '[[steps]]\nuse = "quantize-weights"\nbits = 2\ngranularity = "tensor"\n'
        '[[steps]]\nuse = "sparsify"\nsparsity = 0.7\nepochs = 0\n[[steps]]\nuse = "export"\n'
    )
    by_table, by_study = (
        json.loads(run_edgekit("plan", "--recipe", "r.toml", "--json", *more, cwd=folder).stdout)
        for more in ((), ("--evidence", "study.json"))
    )
    (row,) = [each for each in by_table["findings"] if each["code"] == "EK101"]
    (measured,) = [each for each in by_study["findings"] if each["code"] == "EK101"]
    assert by_study["evidence"] == "study.json" and measured["severity"] == row["severity"] == "error"
    assert measured["limits"].startswith(row["limits"]), "two seeds of few epochs decide nothing"
    assert "Your study: this order compared with the other: " in measured["limits"]
    assert measured["limits"].endswith("undecided, therefore the table's verdict stands.")
    shown = " ".join(run_edgekit("plan", "--recipe", "r.toml", "--evidence", "study.json", cwd=folder).stdout.split())
    assert (
        "study.json measured 2 orders of two steps on this model, over 2 seeds: where these results decide, they "
        "replace the table's rows"
    ) in shown
    (folder / "model.py").write_text((folder / "model.py").read_text() + "\n# another\n")
    refused = run_edgekit("plan", "--evidence", "study.json", cwd=folder)
    assert refused.returncode == 2 and "measured another model or other data: its student and teacher" in refused.stderr


@pytest.mark.slow
def test_killed_it_goes_on_where_it_was(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    pair = PAIR.replace("sparsity=0.7 epochs=1", "sparsity=0.7 epochs=100")
    whole = run_edgekit("study", "--pair", pair, "--seeds", "1", "-o", "whole.json", cwd=folder)
    assert whole.returncode == 0, whole.stderr
    cache = folder / ".edgekit"
    cache.rename(folder / "first")
    command = [sys.executable, "-m", "edgekit", "study", "--pair", pair, "--seeds", "1", "-q"]
    killed = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(cache.glob("cache/partial/*/checkpoints/epoch.pt")) or not list(cache.glob("cache/entries/*/*")):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (folder / "study.json").exists()
    again = run_edgekit("study", "--pair", pair, "--seeds", "1", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "study.json").read_bytes() == (folder / "whole.json").read_bytes()


def test_what_the_recipe_is_made_of_and_a_budget(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    (folder / "edgekit.toml").write_text((folder / "edgekit.toml").read_text().partition("[[steps]]")[0] + RECIPE)
    spent = run_edgekit("study", "--ablate", "--budget", "0.0001", cwd=folder)
    assert spent.returncode == 2 and "spent before the first seed ended" in spent.stderr
    done = run_edgekit("study", "--ablate", "--seeds", "1", "-q", "-o", "out/a.json", cwd=folder)
    assert done.returncode == 0 and done.stderr == ""
    assert "effect of each technique" in done.stdout and (folder / "out" / "a.png").is_file()
    schema = json.loads(run_edgekit("study", "--schema", cwd=folder).stdout)
    assert set(schema["properties"]) == set(json.loads((folder / "out" / "a.json").read_text()))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--pair", "prune"), "names 1 steps"),
        (("--pair", "prune,prnue"), "did you mean 'prune'?"),
        (("--pair", "prune,quantize"), "have one order only"),
        (("--orders",), "one order only"),
        (("--recipe", "nonsense"), "no recipe 'nonsense'"),
        (("--target", "rpi9"), "rpi9"),
        (("--output", "study.png"), "ends in .json"),
        (("--seeds", "0"), "0"),
        (("--budget", "0"), "0"),
    ],
)
def test_what_cannot_be_studied_is_reported(
    run_edgekit: Run, make_project: Callable[..., Path], arguments: tuple[str, ...], told: str
) -> None:
    done = run_edgekit("study", *arguments, cwd=make_project())
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
