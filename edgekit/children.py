"""Python processes that end with this one, and do not import from the working directory."""

import sys
from collections.abc import Sequence

_ENDS_WITH_PARENT = "from edgekit.device.worker import end_with_parent\nend_with_parent()\n"


def script_command(script: str, *arguments: str) -> list[str]:
    """The command that runs a script; its `sys.argv[1:]` are the arguments."""
    return [sys.executable, "-P", "-c", _ENDS_WITH_PARENT + script, *arguments]


def module_command(module: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs a module as `python -m` does."""
    return script_command(
        f"import runpy\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)", *arguments
    )
