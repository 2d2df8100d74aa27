import subprocess
import sys

from edgekit.version import __version__


def test_the_package_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "edgekit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(__version__)
