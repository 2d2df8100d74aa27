"""dist/<target>/: written to a temporary folder, then put into place as a whole."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from onnx import ModelProto, numpy_helper

from edgekit.arrays import Array
from edgekit.bundle.c_arrays import PortSource, c_sources
from edgekit.bundle.manifest import MANIFEST, Origin, manifest, safe_file_name
from edgekit.bundle.swap import replace_folder
from edgekit.errors import ModelError, StorageError, first_line, storage_errors
from edgekit.files import write_json
from edgekit.formats import format_of
from edgekit.model.ports import Port, inputs_of, outputs_of
from edgekit.model.reading import load_model
from edgekit.project.project import Project
from edgekit.records import read_json
from edgekit.scratch import temporary_folder
from edgekit.target import Target
from edgekit.tflite.reading import TfliteFile, read_tflite, to_file_inputs, to_file_outputs
from edgekit.traits import Format


def check_place(project: Project, target: Target) -> None:
    """Raises StorageError if the target's folder holds anything that edgekit did not write, or the bundle of another
    model: a new bundle replaces the folder as a whole."""
    folder = project.dist_folder / target.id
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return
    holds = _what_it_holds(folder, project.name if project.model_file is not None else None)
    if holds:
        raise StorageError(f"{folder} holds {holds}", "move it away, or build in another folder: -C DIR")


def _what_it_holds(folder: Path, name: str | None) -> str:
    """What a new bundle would destroy beside a bundle of edgekit's, of the project `name` if it is given; empty if that
    is all there is."""
    try:
        told = read_json(folder / MANIFEST, ModelError, "")
        there, listed = told["project"], {MANIFEST, *told["files"]}
        bundled = "edgekit" in told
    except (ModelError, LookupError, TypeError):
        bundled = False
    if not bundled:
        return "something else than a bundle of edgekit's"
    if name not in (None, there):
        return f"the bundle of {first_line(str(there))}"
    others = sorted(path.name for path in folder.iterdir() if path.name not in listed)
    return f"{others[0]}, which edgekit did not write" if others else ""


def write_bundle(project: Project, target: Target, model: Path, golden: Path, origin: Origin) -> Path:
    """Write the bundle of a target and return its folder. An older bundle is replaced as a whole."""
    dist = project.dist_folder
    with storage_errors(dist):
        dist.mkdir(parents=True, exist_ok=True)
        project.cache_folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(project.cache_folder.parent / "dist.lock"),
            temporary_folder(dist) as temporary,
        ):
            folder = temporary / target.id
            folder.mkdir()
            file = folder / f"model.{format_of(model)}"
            shutil.copyfile(model, file)
            faces = _device_ports(model)
            source, header = c_sources(
                model, project.name, target.name, _sources(faces.inputs), _sources(faces.outputs)
            )
            (folder / "model.c").write_text(source)
            (folder / "model.h").write_text(header)
            pair = _golden_files(golden, folder, faces)
            result = manifest(project, target, origin, file, faces.inputs, faces.outputs, pair)
            write_json(folder / MANIFEST, result)
            final = dist / target.id
            check_place(project, target)
            replace_folder(folder, final)
    return final


@dataclass(frozen=True)
class _DevicePorts:
    """A model's inputs and outputs as they appear on the device, with the manifest's details of each."""

    inputs: list[tuple[Port, dict[str, Any]]]
    outputs: list[tuple[Port, dict[str, Any]]]
    taken: Callable[[Sequence[Array]], Sequence[Array]]
    """Converts arrays from the ONNX model's form to the file's."""
    given: Callable[[Sequence[Array]], Sequence[Array]]


def _device_ports(model: Path) -> _DevicePorts:
    if format_of(model) is Format.TFLITE:
        file = read_tflite(model)
        scales = file.scales()
        own = {
            number: (file.own_port(number), _port_details(file, number, scales))
            for number in (*file.inputs, *file.outputs)
        }
        return _DevicePorts(
            [own[number] for number in file.inputs],
            [own[number] for number in file.outputs],
            lambda arrays: to_file_inputs(file, arrays),
            lambda arrays: to_file_outputs(file, arrays),
        )
    proto = load_model(model)
    scales = port_scales(proto)
    inputs = [(port, scales.get(port.name, {})) for port in inputs_of(proto.graph)]
    outputs = [(port, scales.get(port.name, {})) for port in outputs_of(proto.graph)]
    return _DevicePorts(inputs, outputs, lambda arrays: arrays, lambda arrays: arrays)


def _port_details(file: TfliteFile, number: int, scales: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Scales, and the ONNX model's axis order if it differs."""
    order = file.order(number)
    return {**scales.get(file.name(number), {}), **({} if order is None else {"onnx_axes": list(order)})}


def port_scales(model: ModelProto) -> dict[str, dict[str, Any]]:
    """Scale, zero point and integer type of inputs that enter a QuantizeLinear and of outputs that leave a
    DequantizeLinear: real = scale * (integer - zero_point)."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found: dict[str, dict[str, Any]] = {}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.input) < 3:
            continue
        name = node.input[0] if node.op_type == "QuantizeLinear" else node.output[0]
        if node.input[1] not in constants or node.input[2] not in constants:
            continue
        scale = numpy_helper.to_array(constants[node.input[1]])
        zero = numpy_helper.to_array(constants[node.input[2]])
        if scale.size == 1 and name not in found:
            found[name] = {
                "scale": float(scale.reshape(())),
                "zero_point": int(zero.reshape(())),
                "integer_type": str(zero.dtype),
            }
    return found


def _sources(ports: Sequence[tuple[Port, dict[str, Any]]]) -> list[PortSource]:
    return [PortSource(port, scales.get("scale"), scales.get("zero_point")) for port, scales in ports]


def _golden_files(golden: Path, folder: Path, faces: _DevicePorts) -> dict[str, Any]:
    """Write the golden pair as raw little-endian files, with the file that the input was made from; returns how to read
    them."""
    values: dict[str, Any] = {"inputs": [], "outputs": []}
    for raw in sorted(golden.parent.glob("golden_raw.*")):
        shutil.copyfile(raw, folder / raw.name)
        values["raw"] = raw.name
    with np.load(golden) as pair:
        for kind, ports, moved in (("input", faces.inputs, faces.taken), ("output", faces.outputs, faces.given)):
            arrays = moved([pair[f"{kind}_{number}"] for number in range(len(ports))])
            for number, ((port, _), array) in enumerate(zip(ports, arrays, strict=True)):
                name = f"golden_{kind}_{number}_{safe_file_name(port.name)}.bin"
                little = array.astype(array.dtype.newbyteorder("<"))
                (folder / name).write_bytes(np.ascontiguousarray(little).tobytes())
                values[f"{kind}s"].append(
                    {"file": name, "name": port.name, "dtype": str(array.dtype), "shape": list(array.shape)}
                )
    return values
