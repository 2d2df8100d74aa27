"""Modules: created by the project's entry point, loaded with weights, saved as .safetensors with their pruned
shapes."""

import copy
import json
import os
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from edgekit.arrays import Outputs
from edgekit.contract.artifact import Artifact
from edgekit.errors import EdgekitError, EntryPointError, ModelError, first_line
from edgekit.files import write_bytes
from edgekit.project.entrypoints import entry_function, user_code_errors
from edgekit.project.project import Project
from edgekit.training.attention import as_fewer_heads, has_fewer_heads
from edgekit.training.batches import TensorBatch
from edgekit.training.weight_constraints import WeightConstraints, constraints_from_json
from edgekit.traits import Role

_SHAPES = "edgekit.shapes"
_HELD = "edgekit.held"


def seed_everything(seed: int, epoch: int = 0) -> None:
    """Seed every generator that a training loop or a dataset may draw from."""
    value = (seed * 1_000_003 + epoch) % 2**32
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def device_of_training() -> torch.device:
    """CUDA if it is available, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On CUDA, use deterministic kernels where there are any; the CPU's always are. torch warns of operators without
    one."""
    if device.type != "cuda":
        yield
        return
    # cuBLAS needs this setting, which it reads when its first handle is created.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def untrained_module(project: Project, role: Role) -> nn.Module:
    """The module that a role's entry point returns, seeded. Raises EntryPointError if it is not an nn.Module."""
    entry = project.model_entry(role)
    if entry is None:
        raise EntryPointError(f"edgekit.toml has no {role}", f'add {role} = "model:{role}" to [model]')
    seed_everything(project.seed)
    module = entry_function(project.root, entry)()
    if not isinstance(module, nn.Module):
        raise EntryPointError(
            f"'{entry}' returned a {type(module).__name__}, not a torch.nn.Module", "return the module itself"
        )
    return module.cpu().eval()


def saved_module(project: Project, artifact: Artifact) -> nn.Module:
    """The module of a torch artifact: the entry point's, in the artifact's shapes, with its weights, in eval mode."""
    module = untrained_module(project, artifact.role)
    if artifact.path.suffix != ".safetensors":
        return module
    with safe_open(str(artifact.path), "pt") as file:
        shapes = json.loads((file.metadata() or {}).get(_SHAPES, "{}"))
        _reshape(module, shapes, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return module.eval()


def constraint_of(artifact: Artifact) -> WeightConstraints:
    """The constraint on a torch artifact's weights; empty if no step imposed one."""
    if artifact.path.suffix != ".safetensors":
        return WeightConstraints()
    with safe_open(str(artifact.path), "pt") as file:
        return constraints_from_json(json.loads((file.metadata() or {}).get(_HELD, "{}")))


def save_module(
    module: nn.Module, project: Project, role: Role, path: Path, held: WeightConstraints | None = None
) -> None:
    """Write a module's state, the constraint on its weights, and the integer attributes in which its submodules differ
    from the entry point's (channels, features, groups), so that `saved_module` can rebuild it without unpickling."""
    fresh = dict(untrained_module(project, role).named_modules())
    shapes = {
        name: changed
        for name, each in module.named_modules()
        if (changed := {k: v for k, v in _sizes(each).items() if _sizes(fresh[name]).get(k) != v})
    }
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    values = {_SHAPES: json.dumps(shapes)} | (
        {_HELD: json.dumps(held.to_json())} if held and held != WeightConstraints() else {}
    )
    write_bytes(path, save(state, values))


def tied_parameters(module: nn.Module) -> list[list[str]]:
    """The names of each parameter that has several, such as an embedding that is also the output layer's matrix."""
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [each for each in names.values() if len(each) > 1]


def tie(module: nn.Module, ties: Sequence[Sequence[str]]) -> None:
    """Tie parameters again that were one, if they still have the same values."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for first, *others in ties:
        for name in others:
            if parameters[name].shape == parameters[first].shape and torch.equal(parameters[name], parameters[first]):
                owner, _, key = name.rpartition(".")
                setattr(module.get_submodule(owner), key, parameters[first])


def parameter_count(module: nn.Module) -> int:
    """The number of parameters."""
    return sum(each.numel() for each in module.parameters())


def module_macs(module: nn.Module, batch: TensorBatch) -> int:
    """Multiply-accumulates of matrix products and convolutions for one sample, counted by PyTorch during a run."""
    counter = FlopCounterMode(display=False)
    one = TensorBatch(tuple(each[:1] for each in batch.inputs), None)
    with torch.no_grad(), _without_fused_layers(), counter:
        outputs_of(module, one)
    return int(counter.get_total_flops()) // 2


@contextmanager
def _without_fused_layers() -> Iterator[None]:
    """Run attention and recurrent layers as separate matrix products, because their fused kernels are not counted."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")  # the mkldnn flags also warn about unrelated settings
            with torch.backends.mkldnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def outputs_of(module: nn.Module, batch: TensorBatch, what: str = "the model") -> Outputs[Tensor]:
    """The module's outputs for a batch: those of tuples and dicts in order, without None, with the names of
    `_name_outputs`.

    Raises ModelError if the module does not accept the batch, or returns values other than tensors.
    """
    try:
        given = module(*batch.inputs)
    except EdgekitError:
        raise
    except Exception as error:  # a forward may raise anything
        text = ", ".join(f"{str(each.dtype).removeprefix('torch.')} {tuple(each.shape)}" for each in batch.inputs)
        raise ModelError(
            f"{what} does not take inputs of {text}: {first_line(error)}", _remedy(module, batch, error)
        ) from error
    found = dict(_name_outputs(given, ""))
    wrong = next((each for each in found.values() if not isinstance(each, Tensor)), None)
    if not found or wrong is not None:
        raise ModelError(
            f"{what} gives {'nothing' if not found else f'a {type(wrong).__name__} among its outputs'}",
            "return tensors from forward, or tuples and dicts of tensors",
        )
    return Outputs(found.values(), list(found))


def _name_outputs(given: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The outputs of a forward by name: keys of dicts, else `output`, or `output_0` and so on if there are several."""
    if isinstance(given, dict):
        for key, each in given.items():
            yield from _name_outputs(each, f"{name}_{key}" if name else str(key))
    elif isinstance(given, tuple | list):
        for number, each in enumerate(given):
            yield from _name_outputs(each, f"{name or 'output'}_{number}")
    elif given is not None:
        yield name or "output", given


def _remedy(module: nn.Module, batch: TensorBatch, error: Exception) -> str:
    """The hint for inputs that a module does not accept."""
    weights = {each.dtype for each in module.parameters() if each.is_floating_point()}
    given = {each.dtype for each in batch.inputs if each.is_floating_point()}
    if weights and given and not given & weights:
        names = [str(min(each, key=str)).removeprefix("torch.") for each in (given, weights)]
        return f"the data is {names[0]} and the model's weights are {names[1]}: convert the data"
    if "more than 1 value per channel" in str(error):
        return "batch norms need two samples or more in training mode: raise batch_size"
    return "make the model and the data agree on the inputs' shapes and types"


def deep_copy(module: nn.Module) -> nn.Module:
    """An independent copy of a module."""
    with user_code_errors("copying the module"):
        return copy.deepcopy(module)


def _sizes(module: nn.Module) -> dict[str, int | list[int]]:
    """The public attributes of one module that are integers, or lists or tuples of integers."""
    return {
        key: list(value) if isinstance(value, tuple | list) else value
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (type(value) is int or (isinstance(value, tuple | list) and value and all(type(v) is int for v in value)))
    }


def _reshape(module: nn.Module, shapes: dict[str, dict[str, Any]], state: dict[str, Tensor]) -> None:
    """Set a module's sizes and state. Shared tensors stay shared if the state has equal values for them."""
    made: dict[int, list[nn.Parameter]] = {}
    for name, each in module.named_modules():
        for key, value in shapes.get(name, {}).items():
            setattr(each, key, tuple(value) if isinstance(getattr(each, key), tuple) else value)
        prefix = f"{name}." if name else ""
        for key, parameter in each._parameters.items():
            if parameter is not None:
                alike = made.setdefault(id(parameter), [])
                setattr(each, key, _parameter(state[prefix + key], parameter.requires_grad, alike))
        for key in each._buffers:
            if prefix + key in state:
                setattr(each, key, state[prefix + key])
        if isinstance(each, nn.MultiheadAttention) and has_fewer_heads(each):
            as_fewer_heads(each)


def _parameter(value: Tensor, trained: bool, alike: list[nn.Parameter]) -> nn.Parameter:
    """The parameter among `alike` with this value, else a new one, which is added to them."""
    for each in alike:
        if torch.equal(each, value):
            return each
    alike.append(nn.Parameter(value, trained))
    return alike[-1]
