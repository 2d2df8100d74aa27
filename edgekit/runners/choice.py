"""Choose the runner for a target on this machine, or the requested one."""

from edgekit.errors import EmulatorError, RunnerError, did_you_mean
from edgekit.host import this_host
from edgekit.progress import Progress, Silent
from edgekit.runners.address import address_of
from edgekit.runners.container import ContainerRunner
from edgekit.runners.emulator import find_emulator
from edgekit.runners.native import NativeRunner
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Runner
from edgekit.runners.ssh import SshRunner
from edgekit.target import Target

_NAMES = ("native", "qemu", "container")


def runner_for(target: Target | None, wanted: str = "", progress: Progress | None = None) -> Runner:
    """The runner `wanted`: native, qemu, container, or a board's ssh://user@host:port. By default, this machine if it
    is the target or there is no target, else the target's emulator.

    Raises EmulatorError if the target has no emulator here, or this machine is not the target; BoardError if a board
    cannot be used; ContainerError if no engine answers; RunnerError for an unknown runner.
    """
    if wanted.startswith("ssh://"):
        return SshRunner(address_of(wanted), target, progress or Silent())
    if wanted and wanted not in _NAMES:
        known = did_you_mean(wanted, list(_NAMES))
        raise RunnerError(f"there is no runner '{wanted}'", f"{known}; for a board: ssh://USER@HOST:PORT")
    is_here = target is None or target.is_this(this_host())
    if wanted == "native" and target and not is_here:
        raise EmulatorError(f"this machine is not a {target.id}", "omit --runner, or give a board: ssh://USER@HOST")
    if wanted in ("qemu", "container") and target is None:
        raise RunnerError(f"the runner {wanted} needs a target", "add --target ID")
    if target and wanted == "container":
        return ContainerRunner(target)
    if target is None or (is_here and wanted != "qemu"):
        return NativeRunner(target.runtime.name if target else "")
    return QemuRunner(target, find_emulator(target))
