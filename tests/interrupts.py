"""Interrupts of processes that tests start."""

import signal


def heeding_interrupts() -> None:
    """Called in a new process before its program: SIGINT has its default effect. A shell's background jobs ignore it,
    and their processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
