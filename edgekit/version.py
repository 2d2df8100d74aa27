"""The release number and how edgekit is installed. Importing this module imports nothing else."""

__version__ = "0.1.0"

DISTRIBUTION = "edgekit-toolchain"
"""The name for pip. The import and the command are `edgekit`, a name that another project has on the public index."""
SOURCE = "."
"""What pip installs: edgekit's checkout, until the distribution is published under its name."""


def pip_install(extra: str = "") -> str:
    """The command that installs edgekit, with one of its extras, and where to run it."""
    command = f"pip install '{SOURCE}[{extra}]'" if extra else f"pip install {SOURCE}"
    return command if SOURCE == DISTRIBUTION else f"{command} in edgekit's checkout"
