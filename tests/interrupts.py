"""Interrupts of processes that tests start."""

import signal


def heeding_interrupts() -> None:
    """Called in a new process before its program: signals that end it have their default effect. A shell's background
    jobs ignore SIGINT, `nohup` makes them ignore SIGHUP, and their processes inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
