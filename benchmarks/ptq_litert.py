"""LiteRT by its own quantizer, in an environment of its own; a part of benchmarks/ptq.py, which calls

python ptq_litert.py int8 FOLDER METRIC OUT.tflite
python ptq_litert.py serve MODEL.tflite FEEDS.npz
"""

from pathlib import Path
from typing import Any

import numpy as np
from ptq_served import Feed, feeds_of, script


def quantize(_: str, folder: Path, __: str, path: Path) -> None:
    """Static for convolutional networks, dynamic activation ranges for transformers."""
    import torch
    from ptq_models import module_of

    feeds = feeds_of(folder / "calibration.npz")
    example = tuple(map(torch.tensor, feeds[0].values()))
    quantized(module_of(folder), example, feeds, path, is_dynamic=folder.name == "encoder")


def quantized(
    module: Any, example: tuple[Any, ...], feeds: list[Feed], path: Path, *, is_dynamic: bool = False
) -> None:
    """Convert a module with litert-torch and quantize it with ai-edge-quantizer, both with their defaults."""
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    floating = path.with_suffix(".float")
    litert_torch.convert(module, example).export(str(floating))
    made = quantizer.Quantizer(str(floating), recipe.dynamic_wi8_afp32() if is_dynamic else recipe.static_wi8_ai8())
    ranges = None
    if not is_dynamic:
        names = _interpreter(str(floating)).get_signature_list()["serving_default"]["inputs"]
        given = [dict(zip(names, each.values(), strict=True)) for each in feeds]
        ranges = made.calibrate({"serving_default": given})
    made.quantize(ranges).export_model(str(path), overwrite=True)
    floating.unlink()


def _interpreter(model: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model, num_threads=1)


def runner(model: str) -> Any:
    """Runs one sample on one thread; integer inputs and outputs of the model are converted from and to floats."""
    interpreter = _interpreter(model)
    interpreter.allocate_tensors()
    inputs = sorted(interpreter.get_input_details(), key=lambda each: each["name"])
    output = interpreter.get_output_details()[0]

    def run(feed: Feed) -> Any:
        for port, array in zip(inputs, feed.values(), strict=True):
            interpreter.set_tensor(port["index"], _rounded(array, port))
        interpreter.invoke()
        made = interpreter.get_tensor(output["index"])
        if made.dtype.kind == "f":
            return made
        scale, zero = output["quantization"]
        return (made.astype(np.float32) - zero) * np.float32(scale)

    return run


def _rounded(array: Any, port: dict[str, Any]) -> Any:
    """A sample quantized for an input."""
    if array.dtype.kind != "f" or np.issubdtype(port["dtype"], np.floating):
        return array.astype(port["dtype"])
    scale, zero = port["quantization"]
    limits = np.iinfo(port["dtype"])
    return np.clip(np.round(array / np.float32(scale)) + zero, limits.min, limits.max).astype(port["dtype"])


if __name__ == "__main__":
    script(quantize, runner)
