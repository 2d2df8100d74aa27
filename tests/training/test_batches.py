import numpy as np
import torch

from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.training.batches import TensorBatch, tensor_batches, tensor_example, unlabelled_batch
from edgekit.traits import Data


def test_tensors_have_the_values_and_types_of_the_arrays(tiny: Project) -> None:
    split = Split(tiny, Data.EVALUATION)
    for arrays, tensors in zip(split.batches(), tensor_batches(split), strict=True):
        assert np.array_equal(arrays.inputs[0], tensors.inputs[0].numpy())
        assert np.array_equal(arrays.target, tensors.target.numpy())
        assert torch.equal(unlabelled_batch(arrays.inputs).on(torch.device("cpu")).inputs[0], tensors.inputs[0])
    assert tensor_example(split).inputs[0].dtype == torch.float32 and len(tensor_example(split)) == 1


def test_a_batch_with_several_targets_goes_to_a_device_whole() -> None:
    batch = TensorBatch((torch.zeros(2, 3),), (torch.ones(2), torch.zeros(2))).on(torch.device("cpu"))
    assert len(batch) == 2 and [each.tolist() for each in batch.target] == [[1, 1], [0, 0]]
