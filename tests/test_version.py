from importlib.metadata import version

import edgekit
from edgekit.version import DISTRIBUTION, __version__, pip_install


def test_the_installed_distribution_has_this_version() -> None:
    assert version(DISTRIBUTION) == __version__ == edgekit.__version__


def test_an_extra_is_quoted_for_the_shell() -> None:
    assert pip_install("training") == f"pip install '{DISTRIBUTION}[training]'"
    assert pip_install() == f"pip install {DISTRIBUTION}"
