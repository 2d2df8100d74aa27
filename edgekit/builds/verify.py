"""Verify the deployed model: evaluate the gates on its evidence, by the budgets of the project and the target."""

import filecmp
from dataclasses import replace

from edgekit.builds.evidence import EvaluatedModels, Evidence
from edgekit.figures.measurement import Measurement, highest_fidelity
from edgekit.gates.gates import Gate, Status, budget_gates
from edgekit.gates.speed import speed_gate
from edgekit.gates.verdict import Verdict
from edgekit.metrics.choice import budgets_for
from edgekit.project.project import Project
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.wording import format_metric


def verify(project: Project, target: Target, models: EvaluatedModels, evidence: Evidence) -> Verdict:
    """The verdict on the deployed model. The metric is that of the highest fidelity: on the target's CPU if the whole
    split ran there."""
    deployed, float_student = models.deployed, models.float_student
    budgets = budgets_for(project, target)
    own = [one for one in evidence.measurements if one.model == deployed.name]
    gates = [evidence.parity, *metric_gates(project, target, models, highest_fidelity(own, "metric"))]
    gates += budget_gates(budgets, target, own, evidence.missing, evidence.unpredicted, evidence.disturbed)
    if float_student.path != deployed.path:
        limit = budgets.max_latency_ratio
        gates.append(speed_gate(deployed.path, limit, evidence.speed, evidence.disturbed, evidence.missing))
    return Verdict(tuple(gates), evidence.measurements, evidence.disturbed)


def metric_gates(
    project: Project, target: Target, models: EvaluatedModels, measured: Measurement | None = None
) -> list[Gate]:
    """Whether the deployed model's metric keeps the budgets: as `measured`, by default on this machine. A model that is
    left as given cannot lose anything. Without an allowed drop, by the budgets or by default, the drop is a gate that
    is not run."""
    from edgekit.metrics.metric import unit_of

    deployed, reference, unit = models.deployed, models.reference, unit_of(project)
    metric = deployed.metric if measured is None else measured.value
    judged = replace(deployed, metric=metric)
    on = "" if measured is None or measured.fidelity is Fidelity.NATIVE else f" ({measured.fidelity})"
    budgets = budgets_for(project, target)
    value = f"{format_metric(metric, unit)} {unit}{on}"
    gates = []
    drop = reference.metric - metric
    changed = deployed.metric != reference.metric or not filecmp.cmp(deployed.path, reference.path, shallow=False)
    if changed and (budgets.max_drop is not None or budgets.min_metric is None):
        other = f"{format_metric(reference.metric, unit)}{f' ({Fidelity.NATIVE})' if on else ''}"
        text = f"{value} against {other}: {_drop_words(drop, unit)}"
        # The reference itself always exceeds chance in a metric that compares with it.
        luck = reference.luck(unit) or (judged.luck(unit) if judged.similarity else "")
        gates.append(_drop_gate(text, drop, budgets.max_drop, luck, _largest_loss_words(models, unit)))
    if budgets.min_metric is not None:
        text = f"{value}, at least {budgets.min_metric:g}"
        gates.append(_figure_gate("metric", metric >= budgets.min_metric, text, judged.luck(unit)))
    return gates


def _drop_words(drop: float, unit: str) -> str:
    """The drop, as a gain if it is negative."""
    return f"{format_metric(abs(drop), unit)} {'gained' if drop < 0 else 'lost'}"


def _largest_loss_words(models: EvaluatedModels, unit: str) -> str:
    """The step that lost most, if several did or might have."""
    worst = models.largest_loss()
    if worst is None or len(models.stages) < 2:
        return ""
    return f"; {worst[0]} lost most, {format_metric(worst[1], unit)}"


def _drop_gate(text: str, drop: float, allowed: float | None, luck: str, culprit: str) -> Gate:
    if allowed is None:
        why = "no drop is allowed or forbidden: the metric has no default; set max_drop in [budgets]"
        return Gate("drop", Status.NOT_RUN, f"{text}; {why}")
    holds = drop <= allowed + 1e-9
    return _figure_gate("drop", holds, f"{text}, allowed {allowed:g}{'' if holds else culprit}", luck)


def _figure_gate(name: str, holds: bool, text: str, luck: str) -> Gate:
    """Failed if the figure does not hold. If it holds but chance would reach it as well, the gate is not run."""
    if holds and luck:
        return Gate(name, Status.NOT_RUN, f"{text}; {luck}")
    return Gate(name, Status.PASSED if holds else Status.FAILED, text)
