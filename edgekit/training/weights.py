"""Load trained weights from a file, completely or partly. Nothing in the file is executed."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edgekit.errors import ModelError, first_line
from edgekit.training.modules import tied_parameters

_WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")
"""The prefixes of DataParallel and torch.compile."""
_TOLD = 3


@dataclass(frozen=True)
class Part:
    """Which tensors of a file and of a module were matched."""

    below: str
    """The name of the submodule that the file's names fit; empty for the module itself."""
    loaded: int
    """The number of tensors."""
    left: list[str]
    """Tensors of the file that the module does not have, or has in other shapes."""
    made: list[str]
    """Tensors of the module that keep their initial values."""

    def sentence(self, file: str) -> str:
        """A sentence that describes it."""
        where = f" into '{self.below}'" if self.below else ""
        left = f", {_few(self.left)} of the file left" if self.left else ""
        return f"{self.loaded} tensors of {file} loaded{where}{left}, {_few(self.made)} to be trained from the start"


def load_weights(module: nn.Module, path: Path) -> None:
    """Load a .safetensors file, or a state dict saved by torch, into a module. Nothing in the file is executed.

    Raises ModelError for a file that is neither, that contains more than tensors, or that does not fit the module.
    """
    state = _read(path)
    own = module.state_dict()
    _tie(module, state, path)
    state.update({name: own[name] for name in _counters(module) if name not in state})
    wrong = sorted(
        (own.keys() ^ state.keys()) | {k for k in own.keys() & state.keys() if own[k].shape != state[k].shape}
    )
    if wrong:
        raise ModelError(
            f"{path.name} does not fit the module: {len(wrong)} tensors differ, first '{wrong[0]}'",
            "save the weights of the same architecture: torch.save(module.state_dict(), ...); or load the tensors "
            "that fit and "
            "train the rest: step load-part",
        )
    module.load_state_dict(state)


def load_part(module: nn.Module, path: Path) -> Part:
    """Load the tensors of a file whose names and shapes match those of the module or, if more of them match, of one of
    its submodules. Raises ModelError for a file that is not a state dict, and if nothing matches."""
    state = {_WRAPPERS.sub("", name): value for name, value in _read(path).items()}
    own = module.state_dict()
    places = ["", *(f"{name}." for name, _ in module.named_modules() if name)]

    def fitting(place: str) -> dict[str, Tensor]:
        pairs = ((f"{place}{name}", value) for name, value in state.items())
        return {name: value for name, value in pairs if name in own and own[name].shape == value.shape}

    below = max(places, key=lambda place: len(fitting(place)))
    fits = fitting(below)
    if not fits:
        raise ModelError(
            f"no tensor of {path.name} fits the module: it has '{next(iter(state), 'nothing')}', the module "
            f"'{next(iter(own), 'nothing')}'",
            "save the weights of the same backbone: torch.save(backbone.state_dict(), ...)",
        )
    _tie(module, fits, path)
    module.load_state_dict(fits, strict=False)
    left = [name for name in state if f"{below}{name}" not in fits]
    made = sorted(own.keys() - fits.keys() - set(_counters(module)))
    return Part(below.removesuffix("."), len(fits), left, made)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"{', '.join(names[:_TOLD]) or 'nothing'}{more}"


def _tie(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Give each name of a shared parameter the same value. Raises ModelError if the file has different ones."""
    for names in tied_parameters(module):
        given = [name for name in names if name in state]
        if any(not torch.equal(state[given[0]], state[name]) for name in given[1:]):
            raise ModelError(
                f"{path.name} holds different values for {' and '.join(given)}, which are tied in the module",
                "save the weights of the same architecture, or untie them in the model",
            )
        state.update({name: state[given[0]] for name in names if given})


def _read(path: Path) -> dict[str, Tensor]:
    return _safetensors(path) if path.suffix == ".safetensors" else _state_dict(path)


def _counters(module: nn.Module) -> list[str]:
    """The batch counters of batch norms, which did not exist before PyTorch 0.4.1 and are optional."""
    return [name for name in module.state_dict() if name.rpartition(".")[2] == "num_batches_tracked"]


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a readable .safetensors file: {first_line(error)}", "save the weights again"
        ) from error


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols; a refused file is reported below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path} was rejected: it holds objects other than tensors, or is damaged",
            "save the weights with safetensors.torch.save_file, whose files run no code on loading",
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path} holds no state dict", "save module.state_dict(), not the module or a checkpoint")
    return state
