from pathlib import Path

import pytest

from edgekit.runners.doctor import checkups


def test_what_is_there_has_a_version_and_what_is_missing_a_remedy() -> None:
    found = {each.name: each for each in checkups()}
    assert found["torch"].found and not found["torch"].remedy
    assert found["target rpi4"].found
    for each in found.values():
        assert bool(each.found) != bool(each.remedy)


def test_without_an_emulator_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    found = {each.name: each for each in checkups()}
    assert found["target rpi4"].remedy == "edgekit setup rpi4"
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each.name: each for each in checkups()}
    assert "--runner container" in found["target rpi4"].remedy
    assert found["ssh"].remedy == "install the OpenSSH client"
    assert "no podman on this machine: install Docker or Podman" in found["container engine"].remedy
