"""A module that ties its weights."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgekit.project.project import Project, load_project


class Tied(nn.Module):
    """An embedding whose matrix is the head's, too, and a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.norm(self.embedding(x).mean(1)))
        return logits


@pytest.fixture
def tied(make_project: Callable[..., Path]) -> Project:
    folder = make_project({'student = "model:student"': 'student = "tied:Tied"'})
    source = inspect.getsource(Tied)
    (folder / "tied.py").write_text(f"import torch\nfrom torch import nn\n\n\n{source}")
    return load_project(folder)
