"""The command line as a user types it: exit codes, two-line errors, no traceback."""

import os
import subprocess
import sys
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


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """The exit code of edgekit, started by a shell, and what it says on standard error."""

    def run(line: str, **environment: str) -> tuple[int, str]:
        program = tmp_path / "edgekit"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgekit "$@"\n')
        program.chmod(0o755)
        script = f'{line}; echo "exit ${{PIPESTATUS[0]}}" >&2'
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path / "state"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        words, _, code = done.stderr.rpartition("exit ")
        return int(code), words

    return run


@pytest.mark.parametrize("command", ["recipes", "doctor --json", "--help", "targets", "explain pruning"])
def test_a_closed_pipe_is_not_a_gate_that_failed(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *command.split()], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_output_that_cannot_be_written(shell: Callable[..., tuple[int, str]]) -> None:
    for command in ("recipes", "doctor --json", "--help"):
        code, words = shell(f"edgekit {command} > /dev/full")
        assert code == 3 and words.startswith("error: the output cannot be written: No space left on device\nhint: ")
        assert words.count("\n") == 2
    for command, code in (("recipes > /dev/full", 3), ("recipes show no-such", 2), ("no-such", 2), ("recipes", 0)):
        assert shell(f"(edgekit {command}) 2> /dev/full > all")[0] == code
    assert shell("edgekit recipes >&-")[0] == 0


def test_without_a_home(shell: Callable[..., tuple[int, str]]) -> None:
    """`doctor` says what is missing; `setup` names the place."""
    assert shell("edgekit doctor > all", HOME="/dev/null", EDGEKIT_EMULATORS="")[0] == 0
    code, words = shell("edgekit setup rpi4", HOME="/dev/null", EDGEKIT_EMULATORS="", XDG_CACHE_HOME="")
    assert code == 3 and words.startswith(
        "error: /dev/null/.cache/edgekit/emulators cannot be written: Not a directory"
    )


def test_an_unexpected_error_names_its_report(shell: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """Made by a file of the target's that does not come with edgekit."""
    (tmp_path / "sitecustomize.py").write_text(
        "import edgekit.report.recipes as module\nmodule.recipes_report = lambda _: {}['no such recipe']\n"
    )
    code, words = shell("edgekit recipes", PYTHONPATH=str(tmp_path))
    first, second = words.splitlines()
    assert code == 3 and first == "error: unexpected KeyError: 'no such recipe'"
    (report,) = (tmp_path / "state" / "edgekit").iterdir()
    assert second == f"hint: report it with {report}, which has no data; --debug shows the traceback"
    assert "command: edgekit recipes\n" in report.read_text() and "no such recipe" not in report.read_text()
    code, words = shell("edgekit recipes --debug", PYTHONPATH=str(tmp_path))
    assert code == 3 and words.startswith("Traceback") and "error: unexpected KeyError" in words


def test_debug_does_not_change_the_exit_code(run_edgekit: Run) -> None:
    for arguments, code in ((("recipes", "show", "no-such"), 2), (("setup", "x86-vnni"), 3)):
        done = run_edgekit(*arguments, "--debug")
        assert done.returncode == code and "Traceback" in done.stderr and "\nhint: " in done.stderr
