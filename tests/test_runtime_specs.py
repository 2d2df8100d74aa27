import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from edgekit.architectures import ARCHITECTURES
from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.runtime_specs import RUNTIMES, runtimes_of
from edgekit.target_files import find_target, load_target, target_files
from edgekit.traits import Format

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", RUNTIMES)
def test_pyproject_installs_each_runtime_in_the_versions_that_its_record_names(name: str) -> None:
    spec = RUNTIMES[name]
    installed = PROJECT["optional-dependencies"][spec.extra] if spec.extra else PROJECT["dependencies"]
    assert spec.requirement in [each.partition(";")[0].strip() for each in installed]


@pytest.mark.parametrize("name", RUNTIMES)
def test_each_runtime_has_an_opener(name: str) -> None:
    spec = RUNTIMES[name]
    assert callable(import_module(f"edgekit.device.openers.{spec.opener}").open_model)
    assert spec.module.partition(".")[0] == name.replace("-", "_"), "by this name the worker finds its version"


def test_every_runtime_has_a_rank_of_its_own_and_known_architectures() -> None:
    ranks = [spec.rank for spec in RUNTIMES.values()]
    assert len(set(ranks)) == len(ranks)
    assert all(set(spec.architectures) <= set(ARCHITECTURES) for spec in RUNTIMES.values())
    assert runtimes_of(Format.TFLITE) == ["ai-edge-litert", "tflite-runtime"]
    assert runtimes_of(Format.ONNX)[0] == "onnxruntime"


@pytest.mark.parametrize("name", sorted(target_files()))
def test_each_shipped_target_carries_runtimes_with_wheels_for_it_in_tried_versions(name: str) -> None:
    target = find_target(name)
    for each in target.runtimes:
        assert target.arch in each.spec.architectures
        tried = re.escape(each.spec.requirement.partition("==")[2]).replace(r"\*", r"\d+")
        assert re.fullmatch(tried, each.version)


def test_some_runtime_supports_each_feature_that_a_step_needs() -> None:
    load_all()
    needed = {kind.feature for kind in Step.registry.values() if kind.feature is not None}
    assert needed == set().union(*(spec.features for spec in RUNTIMES.values()))


def test_records_are_checked_against_the_names(tmp_path: Path) -> None:
    text = target_files()["rpi4"].read_text()
    for old, new, entry in (
        ('name = "onnxruntime"', 'name = "onnxruntim"', "'runtime.name' is 'onnxruntim'"),
        ('arch = "aarch64"', 'arch = "aarch65"', "'arch' is 'aarch65'"),
    ):
        (tmp_path / "own.toml").write_text(text.replace(old, new, 1))
        with pytest.raises(Exception, match=entry) as raised:
            load_target(tmp_path / "own.toml")
        assert "did you mean" in raised.value.hint  # type: ignore[attr-defined]
