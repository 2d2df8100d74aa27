"""Options that several commands share."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edgekit.deprecation import current_name

Decorator = Callable[[Any], Any]


class RenamedChoice(click.Choice[str]):
    """A choice that accepts former values for one release, with a warning. The help lists the current ones only."""

    def __init__(self, choices: Sequence[str], former: Mapping[str, str]) -> None:
        super().__init__(choices)
        self.former = former

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The current name of the value. Fails with a usage error for an unknown value."""
        where = param.opts[0] if param else ""
        return super().convert(current_name(value, self.former, where), param, ctx)


json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of tables."
)

shape_option: Decorator = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=N",
    help="The length of a dynamic axis other than the batch, or an input's whole shape: image=1,3,48,320.",
)

targets_option: Decorator = click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    metavar="ID",
    help="A target's id or TOML file; may be given several times.",
)


_RUNNERS = (
    "native, qemu, container, or a board: ssh://USER@HOST:PORT. Default: this machine where it is the target, or qemu."
)

runner_option: Decorator = click.option("--runner", metavar="NAME", default="", help=_RUNNERS)

runners_option: Decorator = click.option("--runner", "runners", metavar="NAME", multiple=True, help=_RUNNERS)


def _memory(_: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)([mg])b?", value.strip().lower())
    if not found or not int(found[1]):
        raise click.BadParameter("give a size such as 512m or 2g", param=option)
    return int(found[1]) * {"m": 2**20, "g": 2**30}[found[2]]


memory_option: Decorator = click.option(
    "--memory-profile",
    "memory",
    callback=_memory,
    metavar="SIZE",
    help="The board's RAM where it is sold with several: 1g, 2g, 4g, 8g.",
)


def project_option(more: str = "Default: this folder.", *, default: Path | None = Path()) -> Decorator:
    """-C. A command that also works without a project has None as its default, and describes that case in `more`."""
    found: Decorator = click.option(
        "--project",
        "-C",
        "folder",
        type=click.Path(path_type=Path),
        default=default,
        help=f"The folder of edgekit.toml. {more}",
    )
    return found


def several(*options: Decorator) -> Decorator:
    """Several options as one decorator, in this order."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _sizes(_: click.Context, option: click.Parameter, value: str | None) -> list[int] | None:
    return None if value is None else _numbers(value.split("x"), int, option, "256 or 224x320")


def _values(_: click.Context, option: click.Parameter, value: str | None) -> list[float] | None:
    return None if value is None else _numbers(value.split(","), float, option, "0.5 or 0.485,0.456,0.406")


def _numbers(parts: list[str], kind: type[Any], option: click.Parameter, such_as: str) -> list[Any]:
    try:
        return [kind(part) for part in parts]
    except ValueError as error:
        raise click.BadParameter(f"give numbers, such as {such_as}", param=option) from error


def numbers_option(name: str, text: str) -> Decorator:
    """An option that takes one or several positive integers: 1,2,4. The default is 1."""

    def parse(_: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
        numbers = _numbers(value.split(","), int, option, "1 or 1,2,4")
        if min(numbers) < 1:
            raise click.BadParameter(f"{min(numbers)} is below 1", param=option)
        return tuple(dict.fromkeys(numbers))

    found: Decorator = click.option(name, callback=parse, default="1", show_default=True, metavar="N[,N...]", help=text)
    return found


def runtimes_option(text: str) -> Decorator:
    """An option that takes names of runtimes; empty by default."""

    def parse(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
        names = tuple(each.strip() for each in (value or "").split(",") if each.strip())
        if value is not None and not names:
            raise click.BadParameter("all, or names such as onnxruntime,openvino", param=option)
        return names

    found: Decorator = click.option("--runtimes", callback=parse, metavar="all|NAME[,NAME...]", help=text)
    return found


seconds_option: Decorator = click.option(
    "--seconds",
    type=click.FloatRange(0.05, 3600),
    default=2.0,
    show_default=True,
    help="The longest timing of each model.",
)


def _choice(*names: str) -> click.Choice[str]:
    return click.Choice(names, case_sensitive=False)


calibration_option: Decorator = click.option(
    "--calibration",
    metavar="PATH",
    help="Calibration samples: a folder of images, .npy, .npz or .wav, one .npz file, or module:function.",
)


def output_option(made: str) -> Decorator:
    """-o, the file that a command writes."""
    found: Decorator = click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"Default: MODEL-{made}.onnx, beside the model.",
    )
    return found


samples_option: Decorator = click.option(
    "--samples", type=click.IntRange(1), metavar="N", help="The most calibration samples to use. Default: 512."
)

preprocessing_options: Decorator = several(
    click.option("--resize", callback=_sizes, metavar="N|HxW", help="Images: the shorter side, or height and width."),
    click.option("--crop", callback=_sizes, metavar="N|HxW", help="Crop from the centre: height and width."),
    click.option(
        "--mean",
        callback=_values,
        metavar="X[,Y,Z]",
        help="Subtracted from pixels in 0 to 1 (a value above 1: in 0 to 255).",
    ),
    click.option("--std", callback=_values, metavar="X[,Y,Z]", help="Divides the pixels after the mean is subtracted."),
    click.option("--layout", type=_choice("NCHW", "NHWC", "NHW"), help="The axis order of the model's input."),
    click.option("--color", type=_choice("RGB", "BGR", "GREY"), help="The colour order that the model takes."),
    click.option("--pixels", type=_choice("0-1", "0-255"), help="The pixel range before mean and std."),
    click.option("--length", type=int, metavar="N", help="Sounds: the number of samples of each."),
    click.option("--rate", type=int, metavar="HZ", help="The sample rate; sounds with another rate are rejected."),
)
