import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import edgekit
from edgekit.version import DISTRIBUTION, SOURCE, __version__, pip_install

ROOT = Path(__file__).parents[1]


def test_the_installed_distribution_has_this_version() -> None:
    assert version(DISTRIBUTION) == __version__ == edgekit.__version__


def test_an_extra_is_quoted_for_the_shell() -> None:
    assert pip_install("training") == "pip install '.[training]' in edgekit's checkout"
    assert pip_install() == "pip install . in edgekit's checkout"


def test_a_published_distribution_is_installed_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.version.SOURCE", DISTRIBUTION)
    assert pip_install("training") == f"pip install '{DISTRIBUTION}[training]'"


def test_no_text_installs_the_other_project_named_edgekit() -> None:
    """On the public index `edgekit` is another project; edgekit's own distribution is not published."""
    assert SOURCE == "."
    names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
    texts = {name: (ROOT / name).read_text(errors="ignore") for name in names if (ROOT / name).is_file()}
    wrong = re.compile(r"pip install (-\S+ )*['\"]?edgekit(-toolchain)?\b|['\"]edgekit\[")
    found = {name: match[0] for name, text in texts.items() if (match := wrong.search(text))}
    assert not found
