"""A model file in the form that a runtime takes."""

from pathlib import Path

from edgekit.errors import ModelError
from edgekit.formats import format_of
from edgekit.model.facts import activation_types
from edgekit.model.operators import INTEGER_OPERATORS, nodes
from edgekit.model.passes.qoperator_to_qdq import QOperatorToQdqPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.reading import load_model, save_model
from edgekit.target import Runtime
from edgekit.tflite.tensor_names import with_tensor_names
from edgekit.tflite.writing import write_model
from edgekit.traits import Format


def form_for(path: Path, runtime: Runtime, folder: Path, arch: str) -> Path:
    """The file itself, or a converted one in `folder`: a .tflite file for TFLite's runtimes, an ONNX file without ONNX
    Runtime's integer operators for others. ONNX Runtime also gets the latter if a file was fused for ARM and `arch` is
    x86_64, whose kernels need unsigned activations; it then fuses again. OpenVINO gets .tflite files with a name for
    each tensor.

    Raises ModelError for a runtime that does not take the model, StepError for an operator without a TFLite form.
    """
    if format_of(path) is Format.TFLITE:
        return _tflite_form(path, runtime, folder)
    model = load_model(path)
    is_fused = any(node.op_type in INTEGER_OPERATORS for node in nodes(model.graph))
    has_kernels = "onnxruntime-kernels" in runtime.spec.features
    if has_kernels and not (is_fused and arch == "x86_64" and "int8" in activation_types(model)):
        return path
    if is_fused:
        model = rewrite(model, QOperatorToQdqPass())
    elif runtime.format is Format.ONNX:
        return path
    made = folder / f"{path.stem}.{runtime.format}"
    if runtime.format is Format.TFLITE:
        made.write_bytes(write_model(model).data)
    else:
        save_model(model, made)
    return made


def _tflite_form(path: Path, runtime: Runtime, folder: Path) -> Path:
    if not runtime.spec.runs(Format.TFLITE):
        raise ModelError(
            f"{runtime.name} does not run {Format.TFLITE.label} models", "give the ONNX file that it was converted from"
        )
    data = path.read_bytes()
    named = data if runtime.format is Format.TFLITE else with_tensor_names(data)
    if named == data:
        return path
    made = folder / path.name
    made.write_bytes(named)
    return made
