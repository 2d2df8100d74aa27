from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from edgekit.errors import ModelError
from edgekit.project.project import Project
from edgekit.training.modules import untrained_module
from edgekit.training.weights import load_part, load_weights
from edgekit.traits import Role

X = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("/tmp/edgekit-was-here"),)  # type: ignore[return-value]


def test_a_malicious_pickle_is_refused_and_not_run(tiny: Project, tmp_path: Path) -> None:
    mark = Path("/tmp/edgekit-was-here")
    mark.unlink(missing_ok=True)
    torch.save({"first.0.weight": Malicious()}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="objects other than tensors") as raised:
        load_weights(untrained_module(tiny, Role.STUDENT), tmp_path / "w.pt")
    assert not mark.exists()
    assert "safetensors" in raised.value.hint


def test_plain_weights_are_loaded_from_both_formats(tiny: Project, tmp_path: Path) -> None:
    source = untrained_module(tiny, Role.STUDENT)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1.0)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    for name in ("w.pt", "w.safetensors"):
        module = untrained_module(tiny, Role.STUDENT)
        load_weights(module, tmp_path / name)
        assert torch.equal(module(X), source(X))


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04torn"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_damaged_weights_file_is_reported(tiny: Project, tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        load_weights(untrained_module(tiny, Role.STUDENT), path)


def test_weights_of_another_architecture_are_reported(tiny: Project, tmp_path: Path) -> None:
    torch.save(untrained_module(tiny, Role.TEACHER).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"does not fit the module: \d+ tensors differ, first"):
        load_weights(untrained_module(tiny, Role.STUDENT), tmp_path / "w.pt")
    torch.save([torch.ones(1)], tmp_path / "list.pt")
    with pytest.raises(ModelError, match="no state dict"):
        load_weights(untrained_module(tiny, Role.STUDENT), tmp_path / "list.pt")


def test_a_file_that_holds_tied_weights_once_loads(tied: Project, tmp_path: Path) -> None:
    source = untrained_module(tied, Role.STUDENT)
    with torch.no_grad():
        source.get_parameter("embedding.weight").add_(1.0)
    save_model(source, str(tmp_path / "w.safetensors"))
    module = untrained_module(tied, Role.STUDENT)
    load_weights(module, tmp_path / "w.safetensors")
    assert torch.equal(module.get_parameter("head.weight"), source.get_parameter("embedding.weight"))


def test_two_values_for_one_parameter_are_reported(tied: Project, tmp_path: Path) -> None:
    module = untrained_module(tied, Role.STUDENT)
    state = dict(module.state_dict()) | {"head.weight": torch.zeros(10, 4)}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"different values for embedding.weight and head.weight"):
        load_weights(module, tmp_path / "w.pt")


def test_a_state_from_before_batches_were_counted_loads(tied: Project, tmp_path: Path) -> None:
    module = untrained_module(tied, Role.STUDENT)
    state = {name: value + 1 for name, value in module.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "w.pt")
    load_weights(module, tmp_path / "w.pt")
    assert torch.equal(module.get_buffer("norm.running_mean"), state["norm.running_mean"])
    del state["norm.running_mean"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"1 tensors differ, first 'norm\.running_mean'"):
        load_weights(module, tmp_path / "w.pt")


class Headed(nn.Module):
    """A backbone under a head."""

    def __init__(self, backbone: nn.Module, classes: int) -> None:
        super().__init__()
        self.backbone, self.head = backbone, nn.Linear(4, classes)


def backbone() -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(4, 4))


def test_what_fits_is_loaded_and_the_rest_is_reported(tmp_path: Path) -> None:
    source = Headed(backbone(), 10)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    module = Headed(backbone(), 3)
    before = module.head.weight.detach().clone()
    part = load_part(module, tmp_path / "w.pt")
    assert torch.equal(module.backbone.get_parameter("0.weight"), source.backbone.get_parameter("0.weight"))
    assert torch.equal(module.head.weight, before)
    assert part.below == "" and part.loaded == 9
    assert sorted(part.left) == part.made == ["head.bias", "head.weight"]
    assert part.sentence("w.pt") == (
        "9 tensors of w.pt loaded, head.weight, head.bias of the file left, head.bias, head.weight to be trained from "
        "the start"
    )


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.module."])
def test_a_backbones_own_file_goes_below_its_name(tmp_path: Path, wrapper: str) -> None:
    source = backbone()
    torch.save({f"{wrapper}{name}": value for name, value in source.state_dict().items()}, tmp_path / "w.pt")
    module = Headed(backbone(), 3)
    part = load_part(module, tmp_path / "w.pt")
    assert torch.equal(module.backbone.get_parameter("3.weight"), source.get_parameter("3.weight"))
    assert (part.below, part.left, part.made) == ("backbone", [], ["head.bias", "head.weight"])


def test_a_file_of_which_nothing_fits_is_reported(tmp_path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(7, 7)}, tmp_path / "w.pt")
    with pytest.raises(
        ModelError, match=r"no tensor of w.pt fits the module: it has 'encoder.weight', the module 'back"
    ):
        load_part(Headed(backbone(), 3), tmp_path / "w.pt")
