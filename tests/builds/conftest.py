import shutil
from pathlib import Path

import pytest

from edgekit.builds.result import Build


@pytest.fixture(scope="module")
def folder(built: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project with what its builds left in the cache."""
    made = tmp_path_factory.mktemp("runtimes") / "tiny"
    shutil.copytree(built.targets[0].bundle.parent.parent, made, ignore=shutil.ignore_patterns("dist"))
    return made
