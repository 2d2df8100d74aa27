import re
import tomllib
from pathlib import Path

import pytest

from edgekit.runners.doctor import checkups
from edgekit.runtime_specs import RUNTIMES
from edgekit.version import DISTRIBUTION


def test_what_is_there_has_a_version_and_what_is_missing_a_remedy() -> None:
    found = {each.name: each for each in checkups()}
    assert found["torch"].found and not found["torch"].remedy
    assert found["target rpi4"].found
    for each in found.values():
        assert bool(each.found) != bool(each.remedy)


def test_without_an_emulator_the_way_to_it_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    found = {each.name: each for each in checkups()}
    assert found["target rpi4"].remedy == "edgekit setup rpi4"
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each.name: each for each in checkups()}
    assert "--runner container" in found["target rpi4"].remedy
    assert found["ssh"].remedy == "install the OpenSSH client"
    assert "no podman on this machine: install Docker or Podman" in found["container engine"].remedy


def test_every_runtime_and_all_that_an_extra_installs_is_reported() -> None:
    listed = {each.name for each in checkups()}
    assert set(RUNTIMES) <= listed
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    shown = {name: {re.split(r"[<>=!~\[; ]", each)[0] for each in extras[name]} for name in extras}
    for extra in set(shown) - {"all", "dev", "test", "wild"}:
        pins = {"onnx", "numpy", "setuptools", "six", DISTRIBUTION}  # they pin what others bring
        assert shown[extra] - pins <= listed, f"extra '{extra}'"
