import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.data.splits import Splits
from edgekit.project.project import Project, load_project
from edgekit.survey.module_survey import survey_of
from edgekit.traits import Role
from tests.conftest import MakeProject


def test_a_convolutional_network_is_looked_at(tiny: Project) -> None:
    found = survey_of(tiny, Splits(tiny), Role.STUDENT)
    assert (found.architecture, found.channels, found.batch_norms) == ("cnn", (16, 16), True)
    assert found.parameters == 16 * 9 + 16 * 16 * 9 + 64 + 68


ATTENTION = {
    "fused": "F.scaled_dot_product_attention(q, k, v)",
    "by hand": "torch.softmax(q @ k.transpose(1, 2) / 4, -1) @ v",
    "as a method": "(q @ k.transpose(1, 2) / 4).softmax(-1) @ v",
    "einsum": "torch.einsum('bij,bjk->bik', F.softmax(q @ k.transpose(1, 2), -1), v)",
}


@pytest.mark.parametrize("attention", [*ATTENTION, "none"])
def test_attention_makes_a_transformer(make_project: MakeProject, attention: str) -> None:
    folder = make_project()
    code = ATTENTION.get(attention, "v.softmax(-1)")
    (folder / "model.py").write_text(
        "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.mix, self.head = nn.Linear(8, 24), nn.Linear(8, 4)\n\n"
        "    def forward(self, image):\n        q, k, v = self.mix(image.squeeze(1)).chunk(3, -1)\n"
        f"        return self.head(({code}).mean(1))\n\n\n"
        "def teacher():\n    return Net()\n\n\ndef student():\n    return Net()\n"
    )
    project = load_project(folder)
    found = survey_of(project, Splits(project), Role.STUDENT)
    assert found.architecture == ("other" if attention == "none" else "transformer")
    assert not found.batch_norms


def test_pytorchs_own_encoder_is_a_transformer() -> None:
    from edgekit.survey.module_survey import _Calls

    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    with _Calls() as calls, torch.no_grad():
        layer(torch.zeros(1, 3, 8))
    assert calls.attention


def test_a_softmax_whose_result_is_only_returned_is_no_attention() -> None:
    from edgekit.survey.module_survey import _Calls

    def squeezed(features: Tensor) -> Tensor:
        weights = F.softmax(features, -1)
        return (weights * math.pi).sum(-1)

    with _Calls() as calls:
        squeezed(torch.zeros(2, 3))
    assert not calls.attention


def test_a_module_without_trainable_parameters_is_looked_at(make_project: MakeProject) -> None:
    folder = make_project()
    code = (folder / "model.py").read_text() + "\n\ndef frozen():\n    return student().requires_grad_(False)\n"
    (folder / "model.py").write_text(code)
    project = load_project(folder)
    project = project.copy_with(model=project.model.copy_with(student="model:frozen"))
    assert survey_of(project, Splits(project), Role.STUDENT).architecture == "cnn"
