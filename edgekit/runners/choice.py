"""Which runner stands in for a target on this machine."""

from edgekit.host import this_host
from edgekit.runners.emulator import prepared_emulator
from edgekit.runners.native import NativeRunner
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Runner
from edgekit.target import Target


def runner_for(target: Target) -> Runner:
    """This machine where it is the target, else the target's emulator. Raises EmulatorError where there is neither."""
    if target.is_this(this_host()):
        return NativeRunner()
    return QemuRunner(target, prepared_emulator(target))
