"""litert-torch and ai-edge-quantizer on a shape of tflite_models.py, in an environment of their own; a part of
benchmarks/tflite.py, which calls

python tflite_litert.py SHAPE OUT.tflite
"""

import sys
from pathlib import Path

import tflite_models
import torch
from ptq_litert import quantized


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2])
    module, samples = tflite_models.settled(name)
    example = torch.zeros(1, 3, tflite_models.SIDE, tflite_models.SIDE)
    quantized(module, (example,), [{"image": each[None]} for each in samples], path)


if __name__ == "__main__":
    main()
