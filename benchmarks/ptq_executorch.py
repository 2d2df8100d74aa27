"""ExecuTorch by XNNPACK, in an environment of its own; a part of benchmarks/ptq.py, which calls

python ptq_executorch.py int8 FOLDER METRIC OUT.pte
python ptq_executorch.py serve MODEL.pte FEEDS.npz
"""

from pathlib import Path
from typing import Any

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
from executorch.exir import to_edge_transform_and_lower
from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
from executorch.runtime import Runtime
from ptq_models import module_of
from ptq_served import Feed, feeds_of, script
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


def quantize(_: str, folder: Path, __: str, path: Path) -> None:
    """Per channel; for transformers with dynamic activation ranges per token."""
    module = module_of(folder)
    feeds = [tuple(map(torch.tensor, each.values())) for each in feeds_of(folder / "calibration.npz")]
    is_dynamic = folder.name == "encoder"
    quantizer = XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=True, is_dynamic=is_dynamic)
    )
    prepared = prepare_pt2e(torch.export.export(module, feeds[0]).module(), quantizer)
    for feed in feeds:
        prepared(*feed)
    made = torch.export.export(convert_pt2e(prepared), feeds[0])
    program = to_edge_transform_and_lower(made, partitioner=[XnnpackPartitioner()]).to_executorch()
    path.write_bytes(program.buffer)


def runner(model: str) -> Any:
    """Runs one sample on one thread."""
    _unsafe_reset_threadpool(1)
    method = Runtime.get().load_program(model).load_method("forward")

    def run(feed: Feed) -> Any:
        return method.execute(tuple(map(torch.from_numpy, feed.values())))[0].numpy()

    return run


if __name__ == "__main__":
    script(quantize, runner)
