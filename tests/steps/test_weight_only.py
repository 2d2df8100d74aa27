import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.contract.step import Outcome
from edgekit.errors import StepError
from edgekit.model.facts import observed_facts
from edgekit.model.reading import load_model
from edgekit.project.project import Project, load_project
from edgekit.runtimes.ort import host_outputs
from edgekit.steps.export import Export
from edgekit.steps.simplify import Simplify
from edgekit.steps.weight_only import WeightOnly
from edgekit.traits import Trait
from tests.conftest import TINY, MakeProject
from tests.steps.conftest import simplified

TRANSFORMER = '''
import torch
from torch import nn


class Encoder(nn.Module):
    """The rows of an image as tokens, through two encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 64)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True) for _ in range(2))
        self.head = nn.Linear(64, 4)

    def forward(self, image):
        features = self.embed(image.squeeze(1))
        for layer in self.layers:
            features = layer(features)
        return self.head(features.mean(1))


def teacher():
    return Encoder()


def student():
    return Encoder()
'''


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer, untrained, exported and simplified."""
    folder = tmp_path_factory.mktemp("encoder")
    shutil.copytree(TINY, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "source" / "model.py").write_text(TRANSFORMER)
    return simplified(folder, folder / "source")


@pytest.mark.parametrize("symmetric", [True, False])
def test_an_encoder_gets_smaller_and_answers_nearly_the_same(
    run_step: Callable[..., Outcome], tiny: Project, encoder: Path, symmetric: bool
) -> None:
    done = run_step(WeightOnly(block_size=32, symmetric=symmetric), tiny, encoder)
    assert done.notes["operators"]["MatMulNBits"] >= 8
    assert done.path.stat().st_size < 0.4 * encoder.stat().st_size
    facts = observed_facts(load_model(done.path))
    assert Trait.INTEGER in facts and Trait.PORTABLE not in facts
    image = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    before, after = (host_outputs(each, [image])[0] for each in (encoder, done.path))
    cosine = (before * after).sum() / np.linalg.norm(before) / np.linalg.norm(after)
    assert cosine > 0.98


def test_a_network_without_matrix_products_is_reported(
    run_step: Callable[..., Outcome], make_project: MakeProject
) -> None:
    folder = make_project(name="pooled")
    code = (folder / "model.py").read_text()
    replaced = code.replace("self.head = nn.Linear(width, 4)", "self.head = nn.Conv2d(width, 4, 1)")
    replaced = replaced.replace(".relu()).flatten(1))", ".relu())).flatten(1)")
    (folder / "model.py").write_text(replaced)
    project = load_project(folder)
    plain = run_step(Simplify(), project, run_step(Export(), project).path)
    with pytest.raises(StepError, match="no matrix product"):
        run_step(WeightOnly(), project, plain.path)
