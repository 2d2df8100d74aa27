"""The release number and how edgekit is installed. Importing this module imports nothing else."""

__version__ = "0.1.0"

DISTRIBUTION = "edgekit"
"""What pip installs it as."""


def pip_install(extra: str = "") -> str:
    """The command that installs edgekit, with one of its extras."""
    return f"pip install '{DISTRIBUTION}[{extra}]'" if extra else f"pip install {DISTRIBUTION}"
