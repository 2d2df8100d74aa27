"""onnx's own light models, of IR 3 and opset 9: whole networks whose weights are made by nodes."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edgekit.benchmarking.bench import bench_files
from edgekit.call_options import BenchOptions
from edgekit.contract.step import Outcome
from edgekit.model.inspection import inspect_model
from edgekit.project.project import Project
from edgekit.steps.simplify import Simplify
from tests.steps.conftest import step_runner

LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))


@pytest.fixture
def run_step(tmp_path: Path) -> Callable[..., Outcome]:
    return step_runner(tmp_path)


def test_there_are_some() -> None:
    assert len(LIGHT) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_it_is_inspected_measured_and_simplified(run_step: Callable[..., Outcome], tiny: Project, path: Path) -> None:
    found = inspect_model(path)
    assert found.macs and found.parameters
    assert {one.name for one in bench_files([path], None, BenchOptions(seconds=0.05)).measurements} >= {
        "latency_p50",
        "macs",
    }
    done = run_step(Simplify(), tiny, path)
    assert done.notes["nodes"] < done.notes["nodes_before"]
    assert 0 < done.notes["macs"] <= found.macs, "where weights are alike, convolutions of one input are one"
