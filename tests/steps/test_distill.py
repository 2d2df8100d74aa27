from collections.abc import Callable

import torch

from edgekit.contract.step import Outcome
from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.steps.distill import Distill
from edgekit.steps.train import Train
from edgekit.training.batches import tensor_batches
from edgekit.training.modules import saved_module
from edgekit.traits import Data, Role
from tests.steps.conftest import artifact


def test_the_student_comes_nearer_to_its_teacher_than_by_training_alone(
    run_step: Callable[..., Outcome], tiny: Project
) -> None:
    teacher = run_step(Train(epochs=10), tiny, role=Role.TEACHER)
    taught_by = {Role.TEACHER: artifact(teacher.path, role=Role.TEACHER)}
    distilled = run_step(Distill(epochs=10, alpha=1.0, temperature=2.0), tiny, joined=taught_by)
    alone = run_step(Train(epochs=10), tiny)
    batch = next(tensor_batches(Split(tiny, Data.EVALUATION)))
    with torch.no_grad():
        expected = saved_module(tiny, taught_by[Role.TEACHER])(*batch.inputs).softmax(1)
        apart = [
            float((saved_module(tiny, artifact(each.path))(*batch.inputs).softmax(1) - expected).abs().mean())
            for each in (distilled, alone)
        ]
    assert apart[0] < apart[1]
