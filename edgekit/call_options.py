"""Options of the functions that `import edgekit` exposes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from edgekit.errors import OptionError

Options = TypeVar("Options")
Item = TypeVar("Item", str, int)
Ranges = Literal["auto", "fixed", "dynamic"]
"""Where the ranges of activations come from."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Options of `edgekit.build`. The first six apply to a model file; a project sets them in edgekit.toml."""

    evaluation: str | Path | None = None
    """A folder or file of samples, or a `module:function`. By default one fifth of the samples is held out."""
    labels: str | Path | None = None
    """A CSV file of paths and labels. By default each file's folder is its label."""
    metric: str | None = None
    recipe: str | None = None
    """The name of a shipped recipe, or a TOML file."""
    calibration_samples: int | None = None
    preprocessing: Mapping[str, Any] | None = None
    """The table of that name in edgekit.toml."""
    allowed: Collection[str] = ()
    """Codes of error findings that do not stop the build."""
    float_operators: str | Path | None = None
    """The manifest of an earlier build for the same target, whose float operators stay float."""
    runner: str = ""
    """Where the result is verified: native, qemu, container, or a board's ssh://user@host:port."""
    runtime: str = ""
    """One that the target lists, or `best`."""
    again: bool = False
    """Whether to time again what earlier builds timed. Other results are taken from the cache."""


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions:
    """Options of `edgekit.quantize`."""

    ranges: Ranges = "auto"
    """`fixed` ranges are those of the step `quantize`, `dynamic` ones, which each run computes, those of
    `quantize-dynamic`. `auto` chooses `dynamic` for transformers."""
    calibration_samples: int | None = None
    preprocessing: Mapping[str, Any] | None = None
    """The table of that name in edgekit.toml."""
    step: Mapping[str, Any] = field(default_factory=dict)
    """Options of the step; `edgekit recipes show int8` lists them."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Options of `edgekit.bench`. Several numbers of threads, and several batch sizes, are measured one by one."""

    threads: int | Sequence[int] = 1
    batch: int | Sequence[int] = 1
    """Samples per run."""
    seconds: float = 2.0
    """The longest timing of each model."""
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Lengths of dynamic axes by name, or whole input shapes by input."""
    inputs: str | Path | None = None
    """Samples in a .npz or .npy file instead of random ones."""
    profile: bool = False
    """Whether to report the time of each operator type."""
    runtimes: str | Sequence[str] = ()
    """The runtimes under which each model is measured, or `all`. By default the target's, or ONNX Runtime here."""

    def __post_init__(self) -> None:
        _check_counts("threads", self.threads)
        _check_counts("batch", self.batch)
        _check_positive("seconds", self.seconds)


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions:
    """Options of `edgekit.calibrate`."""

    runtime: str = ""
    """One that the target lists; by default its own."""
    threads: int | Sequence[int] = 1
    seconds: float = 2.0
    """The longest timing of each network."""

    def __post_init__(self) -> None:
        _check_counts("threads", self.threads)
        _check_positive("seconds", self.seconds)


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Options of `edgekit.study`."""

    recipe: str | None = None
    """The name of a shipped recipe, or a TOML file; by default the project's own."""
    orders: bool = False
    """Whether to measure all orders of the recipe's techniques."""
    ablate: bool = False
    """Whether to measure the recipe without each technique."""
    seeds: int = 3
    """Seeds, counted from 0."""
    budget_min: float | None = None
    """Minutes after which the study ends with the seeds that are complete."""

    def __post_init__(self) -> None:
        _check_counts("seeds", self.seeds)
        if self.budget_min is not None:
            _check_positive("budget_min", self.budget_min)


@dataclass(frozen=True, kw_only=True)
class SetupOptions:
    """Options of `edgekit.setup`."""

    base: str = ""
    """The base image of a container, a Debian 12; by default its slim variant."""
    source: str | Path | None = None
    """A folder of files that `edgekit setup --download` left, instead of the indices."""
    unpinned: bool = False
    """Whether files that edgekit's lock does not pin are fetched, and their digests recorded."""


def options_of(given: Options | None, kind: type[Options]) -> Options:
    """The given options, or the defaults. Raises OptionError for options of another function."""
    if given is None:
        return kind()
    if not isinstance(given, kind):
        raise OptionError(f"the options are of type {type(given).__name__}", f"give edgekit.{kind.__name__}(...)")
    return given


def listed(given: Item | Sequence[Item]) -> Sequence[Item]:
    """One or several items as a sequence."""
    return [given] if isinstance(given, str | int) else given


def _check_counts(name: str, given: int | Sequence[int]) -> None:
    counts = listed(given)
    if not counts or any(not isinstance(each, int) or each < 1 for each in counts):
        raise OptionError(f"{name} is {given}", "give a positive integer, or several where the option takes them")


def _check_positive(name: str, given: float) -> None:
    if not given > 0:
        raise OptionError(f"{name} is {given}", "give a positive number")
