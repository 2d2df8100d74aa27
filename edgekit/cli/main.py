"""The command line: command modules are imported when they are called; an error prints two lines and sets the exit
code."""

import os
import signal
import sys
import warnings
from importlib import import_module
from typing import Any

import click

from edgekit.cli.console import echo, echo_line
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
_UNEXPECTED = 3


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

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
    """Run the command line and exit with 0 (success), 1 (a gate, budget or plan failed), 2 (usage or input) or 3 (a
    tool failed)."""
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    _print_renames_in_one_line()
    os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)  # read when torch is loaded
    clear_system_leftovers()
    received = _end_like_interrupt()
    try:
        sys.exit(edgekit.main(arguments, prog_name="edgekit", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        echo("interrupted: finished steps and epochs are kept; run again to continue", err=True)
        sys.exit(128 + next(iter(received), signal.SIGINT))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except EdgekitError as error:
        if debug:
            raise
        echo_line(f"error: {error.message}", err=True)
        if error.hint:
            echo_line(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.filename:
            echo_line(f"error: {error.strerror}: {first_line(str(error.filename))}", err=True)
            echo_line("hint: check the path, its owner and its mode", err=True)
        else:
            echo_line(f"error: unexpected {type_and_line(error)}", err=True)
            echo_line("hint: run again with --debug and report the traceback", err=True)
        sys.exit(_UNEXPECTED)
