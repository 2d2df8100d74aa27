"""The command line as a user types it: exit codes, two-line errors, no traceback."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_help_lists_every_command(run_edgekit: Run) -> None:
    output = run_edgekit("--help").stdout
    for name in (
        "init",
        "plan",
        "explain",
        "recipes",
        "build",
        "simplify",
        "quantize",
        "bench",
        "inspect",
        "targets",
        "setup",
        "doctor",
        "cache",
    ):
        assert f"\n  {name} " in output
        done = run_edgekit(name, "--help")
        assert done.returncode == 0 and "Usage:" in done.stdout
    assert run_edgekit("--version").stdout.startswith("edgekit, version 0.")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("bild",), 2, "did you mean 'build'?"),
        (("build",), 2, "edgekit init DIR"),
        (("plan", "-C", "."), 2, "edgekit init DIR"),
        (("plan", "--inspect"), 2, "no model to inspect"),
        (("plan", "--recipe", "distil"), 2, "no recipe 'distil'"),
        (("plan", "--recipe", "text.toml"), 2, "is not valid TOML"),
        (("plan", "--recipe", "absent.toml"), 2, "cannot be read"),
        (("plan", "--target", "rpi44"), 2, "did you mean 'rpi4'?"),
        (("recipes", "show", "distil-int"), 2, "did you mean 'distil-int8'?"),
        (("recipes", "show", "text.toml"), 2, "is not valid TOML"),
        (("explain", "prunning"), 2, "did you mean 'pruning'?"),
        (("explain", "EK1O1"), 2, "did you mean 'EK"),
        (("bench", "absent.onnx"), 2, "there is no file absent.onnx"),
        (("bench", "."), 2, "is a folder, not a model"),
        (("bench", "m.onnx", "--threads", "0"), 2, "--threads"),
        (("bench", "m.onnx", "--shape", "x"), 2, "AXIS=N"),
        (("inspect", "text.onnx"), 2, "no"),
        (("setup", "rpi44"), 2, "did you mean 'rpi4'?"),
        (("setup",), 2, "Missing argument"),
        (("setup", "x86-vnni"), 3, "no emulator runs"),
        (("targets", "show", "pi"), 2, "no target 'pi'"),
        (("cache",), 2, "no edgekit.toml"),
        (("init", "text.onnx"), 2, "is a file"),
    ],
)
def test_bad_input_ends_in_a_line_a_hint_and_an_exit_code(
    run_edgekit: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / "text.onnx").write_text("this is no model")
    (tmp_path / "text.toml").write_text("this is no recipe")
    done = run_edgekit(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4


def test_debug_shows_the_traceback_wherever_it_stands(run_edgekit: Run, tmp_path: Path) -> None:
    for arguments in (("--debug", "build"), ("build", "--debug")):
        assert "Traceback" in run_edgekit(*arguments, cwd=tmp_path).stderr
