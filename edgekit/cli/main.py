"""The command line: command modules are imported when they are called; an error prints two lines and sets the exit
code."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from edgekit.cli.console import OutputError, echo, echo_line, tell_output_errors
from edgekit.deprecation import RenamedWarning
from edgekit.errors import EdgekitError, first_line, type_and_line
from edgekit.scratch import clear_system_leftovers
from edgekit.version import __version__

_COMMANDS = (
    "init",
    "plan",
    "explain",
    "recipes",
    "build",
    "simplify",
    "quantize",
    "bench",
    "calibrate",
    "study",
    "inspect",
    "targets",
    "setup",
    "doctor",
    "cache",
)
_SPIN_COUNT = "1000"
"""By default, PyTorch's threads spin for milliseconds while they wait for one another. Beside four busy processes, a
step of training then takes up to fifty times as long (edgekit/training/threads.py)."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the command as an interrupt does: from a container engine, a CI system or a closed terminal."""
_TOOL_FAILED = 3
_SIGPIPE = 13
"""Its number in POSIX; Windows has none."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # of a child's: click would end with the exit code of a gate that failed
            raise RuntimeError("a process that edgekit started has ended") from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            from edgekit.errors import did_you_mean

            ctx.fail(f"No command '{cmd_name}': {did_you_mean(cmd_name, list(_COMMANDS))}")
        command: click.Command = import_module(f"edgekit.cli.{cmd_name}").command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgekit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; may also follow the command.")
def edgekit(debug: bool) -> None:
    """From a PyTorch or ONNX model to what a device's firmware build embeds."""


def _print_renames_in_one_line() -> None:
    """Show a RenamedWarning as a message of the command line, without a file and a line of source."""
    show = warnings.showwarning

    def show_rename(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, RenamedWarning):
            echo(f"warning: {message}", err=True)
        else:
            show(message, category, *place, **options)

    warnings.showwarning = show_rename


def _end_like_interrupt() -> list[signal.Signals]:
    """Make the signals of _ENDING raise KeyboardInterrupt, so that temporary folders are removed and children ended. A
    second signal ends the process at once. Returns a list to which the first one is added."""
    received: list[signal.Signals] = []

    def interrupt(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    handled = [each for each in _ENDING if signal.getsignal(each) is signal.SIG_DFL]  # nohup ignores SIGHUP
    for each in handled:
        signal.signal(each, interrupt)
    return received


def main() -> None:
    """Run the command line and exit with 0 (success), 1 (a gate, budget or plan failed), 2 (usage or input), 3 (a tool
    failed), or 128 and the number of the signal that ended it, also where nobody reads the output any more."""
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    _print_renames_in_one_line()
    if not debug:
        _print_no_tracebacks()
    os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)  # read when torch is loaded
    clear_system_leftovers()
    received = _end_like_interrupt()
    tell_output_errors()
    try:
        code = edgekit.main(arguments, prog_name="edgekit", standalone_mode=False) or 0
        if sys.stdout:
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted: finished steps and epochs are kept; run again to continue")
        code = 128 + next(iter(received), signal.SIGINT)
    except (Exception, OutputError) as error:
        if debug:
            from traceback import print_exc

            _to_stderr(print_exc)
        code = _report_error(error, arguments)
    sys.exit(code)


def _report_error(error: Exception | OutputError, arguments: Sequence[str]) -> int:
    """Print what is wrong and what to do, and return the exit code."""
    if isinstance(error, click.ClickException):
        _to_stderr(error.show)
        return error.exit_code
    if isinstance(error, EdgekitError):
        _say(f"error: {error.message}", error.hint)
        return error.exit_code
    if isinstance(error, OutputError):
        _discard_output()
        if error.is_closed:
            return 128 + _SIGPIPE
        _say(f"error: the output cannot be written: {error.reason}", "write it to another place")
        return _TOOL_FAILED
    if isinstance(error, OSError) and error.filename:
        _say(f"error: {error.strerror}: {first_line(str(error.filename))}", "check the path, its owner and its mode")
    else:
        from edgekit.cli.crash import write_crash_report

        report = write_crash_report(error, arguments)
        where = f"report it with {report}, which has no data; " if report else "report it; "
        _say(f"error: unexpected {type_and_line(error)}", f"{where}--debug shows the traceback")
    return _TOOL_FAILED


def _discard_output() -> None:
    """Discard what standard output still holds: it would fail again when the process ends."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OutputError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(message: str, hint: str = "") -> None:
    _to_stderr(lambda: echo_line(message, err=True))
    if hint:
        _to_stderr(lambda: echo_line(f"hint: {hint}", err=True))


def _to_stderr(show: Callable[[], object]) -> None:
    """Print to standard error; the exit code stands where nobody can read it."""
    try:
        show()
    except OutputError:
        _discard_output()


def _print_no_tracebacks() -> None:
    """Report what fails in threads and when objects are removed in one line, as other errors are."""

    def report_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value and not isinstance(failed.exc_value, OutputError):
            _say(f"warning: a thread ended early: {type_and_line(failed.exc_value)}")

    threading.excepthook = report_thread
    sys.unraisablehook = lambda _: None
