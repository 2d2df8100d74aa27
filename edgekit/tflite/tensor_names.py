"""Names for all tensors of a .tflite file, which OpenVINO requires although the format does not."""

from edgekit.tflite.packing import IDENTIFIER
from edgekit.tflite.schema import schema


def with_tensor_names(data: bytes) -> bytes:
    """The file with a name for each tensor that has none; the file itself if all have one. Raises StepError if
    ai-edge-litert, which knows the format, is missing."""
    types = schema()
    model = types.ModelT.InitFromObj(types.Model.GetRootAs(bytearray(data), 0))
    nameless = [
        (number, tensor) for graph in model.subgraphs for number, tensor in enumerate(graph.tensors) if not tensor.name
    ]
    if not nameless:
        return data
    import flatbuffers

    for number, tensor in nameless:
        tensor.name = f"tensor_{number}"
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
