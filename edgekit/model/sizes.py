"""Lengths of a model's dynamic axes, given by axis name or as an input's whole shape."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekit.errors import ModelError, did_you_mean
from edgekit.model.ports import ANONYMOUS, Port

Sizes = Mapping[str, Sequence[int]]
"""By axis name, its length as the only element; by input name, its whole shape."""


def fill_sizes(ports: Sequence[Port], sizes: Sizes, batch: int = 1) -> tuple[Port, ...]:
    """The inputs with the axis lengths in `sizes`, and `batch` for batch axes. Other axes stay dynamic.

    Batch axes have `batch` in their name; if there are none, they are the first axes. Raises ModelError for a name that
    no input or axis has, and for a shape that the input does not allow.
    """
    whole, value = _stated_sizes(ports, sizes)
    axes = {**dict.fromkeys(batch_names(ports), batch), **value}
    unnamed = value.get(ANONYMOUS, ANONYMOUS)

    def length(size: int | str, axis: int) -> int | str:
        if size != ANONYMOUS:
            return axes.get(size, size) if isinstance(size, str) else size
        return batch if axis == 0 and unnamed == ANONYMOUS else unnamed

    shapes = [tuple(length(size, axis) for axis, size in enumerate(port.shape)) for port in ports]
    return tuple(replace(port, shape=whole.get(port.name, shape)) for port, shape in zip(ports, shapes, strict=True))


def lengths(port: Port) -> tuple[int, ...]:
    """The shape of an input without dynamic axes. Raises ModelError if one is left."""
    for size in port.shape:
        if isinstance(size, str):
            raise ModelError(f"input '{port.name}' has the dynamic axis '{size}'", f"give its length: {option(port)}")
    return tuple(int(size) for size in port.shape)


def option(port: Port) -> str:
    """The command-line option that sets the first dynamic axis of an input."""
    left = next(size for size in port.shape if isinstance(size, str))
    if left != ANONYMOUS:
        return f"--shape {left}=128"
    return f"--shape {port.name}={','.join(str(size) if isinstance(size, int) else '128' for size in port.shape)}"


def _stated_sizes(ports: Sequence[Port], sizes: Sizes) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """The given shapes of whole inputs, and the given lengths of axes, including those of whole inputs."""
    inputs = {port.name: port for port in ports}
    names = {size for port in ports for size in port.shape if isinstance(size, str)}
    whole, axes = {}, {}
    for name, entry in sizes.items():
        if name in names and len(entry) == 1:
            axes[name] = entry[0]
        elif name in inputs:
            whole[name] = _check(inputs[name], entry)
        elif name in names:
            raise ModelError(f"'{name}' is one axis, but {len(entry)} lengths are given", f"--shape {name}={entry[0]}")
        else:
            known = sorted({*names, *inputs})
            raise ModelError(f"no input and no dynamic axis has the name '{name}'", did_you_mean(name, known))
    for name, shape in whole.items():
        for size, length in zip(inputs[name].shape, shape, strict=True):
            if isinstance(size, str) and size != ANONYMOUS and axes.setdefault(size, length) != length:
                raise ModelError(f"the axis '{size}' cannot be {axes[size]} and {length}", "give one length for it")
    return whole, axes


def _check(port: Port, items: Sequence[int]) -> tuple[int, ...]:
    if len(items) != len(port.shape) or any(
        isinstance(size, int) and size != length for size, length in zip(port.shape, items, strict=True)
    ):
        wanted = ",".join(str(size) for size in port.shape) or "empty: it is a scalar"
        raise ModelError(
            f"input '{port.name}' does not take the shape {','.join(map(str, items))}", f"its shape is {wanted}"
        )
    return tuple(items)


def batch_names(ports: Sequence[Port]) -> list[str]:
    """The names of batch axes: those with `batch` in them; if there are none, that of time-major inputs, else the first
    axes' names."""
    names = [size for port in ports for size in port.shape if isinstance(size, str)]
    batches = [name for name in names if "batch" in name.lower()]
    firsts = [port.shape[0] for port in ports if port.shape and isinstance(port.shape[0], str)]
    return batches or _time_major_batch(ports) or firsts


def _time_major_batch(ports: Sequence[Port]) -> list[str]:
    """The batch axis of sequences (length, samples, ...) with states (layers, samples, ...) or values (samples, ...):
    the name that every input has as its first or second axis. Empty if there is only one input, or if every input has
    another dynamic axis first."""
    shapes = [port.shape for port in ports if port.shape]
    return [
        name
        for name in dict.fromkeys(size for shape in shapes[:1] for size in shape[:2] if isinstance(size, str))
        if len(shapes) > 1
        and name != ANONYMOUS
        and all(name in shape[:2] for shape in shapes)
        and any(shape[0] == name or isinstance(shape[0], int) for shape in shapes)
    ][:1]
