"""Prepare the runners that emulate targets: what `edgekit setup` does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.errors import RunnerError, did_you_mean
from edgekit.fetching.source import Source
from edgekit.progress import Progress
from edgekit.runners.emulator import prepare
from edgekit.runners.engine import find_engine
from edgekit.runners.image import base_image, build_image
from edgekit.target import Target

QEMU, CONTAINER = "qemu", "container"
RUNNERS = (QEMU, CONTAINER)


@dataclass(frozen=True)
class Preparation:
    """A target whose runner is ready."""

    target: str
    runner: str
    what: str
    """The emulator's version, CPU and runtime, or the name of the image."""


def prepare_targets(
    targets: Sequence[Target], runner: str, progress: Progress, base: str = "", source: Source | None = None
) -> Iterator[Preparation]:
    """Set up the emulator of each target in turn, or build the container image of each from the image `base`, by
    default Debian 12's slim variant. Existing parts are kept; emulators are set up from `source`, by default the
    indices.

    Raises RunnerError for another runner, for a `base` without a container, and for a folder as the source of one;
    EmulatorError and ContainerError if this machine cannot set one up, FetchError if a file cannot be had as it is
    pinned.
    """
    if runner not in RUNNERS:
        raise RunnerError(f"there is no runner '{runner}' to prepare", did_you_mean(runner, list(RUNNERS)))
    if base and runner != CONTAINER:
        raise RunnerError("a base image is for the runner container", f"omit it, or choose {CONTAINER}")
    if source and source.folder and runner == CONTAINER:
        raise RunnerError("an image is built from the indices, not from a folder", f"omit it, or choose {QEMU}")
    if runner == CONTAINER:
        engine = find_engine()
        for each in targets:
            yield Preparation(each.id, runner, build_image(engine, each, base or base_image(), progress, source))
        return
    for each in targets:
        emulator = prepare(each, progress, source)
        yield Preparation(each.id, runner, f"{emulator.version} -cpu {each.cpu.split(',')[0]}, {each.runtime}")
