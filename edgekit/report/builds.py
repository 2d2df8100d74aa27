"""The output of `edgekit build`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from edgekit.builds.result import Build, TargetBuild
from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.figures.measurement import PREDICTED
from edgekit.metrics.metric import comparing_score
from edgekit.metrics.named import NAMED
from edgekit.report.integers import section_lines
from edgekit.report.tables import COLOURS, MARKS, table, with_unit
from edgekit.traits import Fidelity, Role
from edgekit.wording import format_metric

SCHEMA = 1

_FEW = 32
"""With fewer calibration samples, the largest activation is often exceeded by later ones."""


def build_report(built: Build) -> list[RenderableType]:
    """For each target: the steps, the models side by side, the gates, and the bundle's folder."""
    found: list[RenderableType] = []
    for each in built.targets:
        unit = next(one.unit for one in each.verdict.measurements if one.name == "metric")
        found += [
            _steps(built, each, unit),
            _models(built, each, unit),
            *_predicted_line(each),
            *_similarity(each),
            *_notes(each),
            _gates(each),
            *_runtimes(each),
            _closing(each),
        ]
    values = {(one.code, one.message): one for each in built.targets for one in each.findings}
    found += [
        f"[{COLOURS[one.severity]}]{one.severity} {one.code}:[/] {escape(one.message)}" for one in values.values()
    ]
    found += [
        f"[yellow]warning:[/] {each.target.id}: recipe {each.recipe} instead of {one.recipe}: {escape(one.why)}"
        for each in built.targets
        for one in each.rejected_recipes
    ]
    found += [
        f"[yellow]warning:[/] {each.target.id}: {escape(gate.warning)}"
        for each in built.targets
        for gate in each.verdict.gates
        if gate.warning
    ]
    found += [
        f"[bold yellow]disturbed[/]: {each.target.id}: {escape(why)}; times are not kept: build again when it is quiet"
        for each in built.targets
        for why in each.verdict.disturbed
    ]
    warned = {(run.name, run.role, run.warning) for each in built.targets for run in each.steps if run.warning}
    found += [f"[yellow]warning:[/] {name} of the {role}: {escape(text)}" for name, role, text in sorted(warned)]
    found += [f"[yellow]assumed:[/] {escape(text)}" for text in built.assumed]
    metrics = [one for each in built.targets for one in each.verdict.measurements if one.name == "metric"]
    said = dict.fromkeys(one.detail for one in metrics if one.fidelity is Fidelity.NATIVE and one.detail)
    found += [f"[yellow]data:[/] the metric is computed on {escape(text)}" for text in said]
    found += _data(built)
    return found


def build_json(built: Build) -> str:
    """The same as one JSON object; README documents it."""
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "project": built.project.name,
        "seed": built.project.seed,
        "passed": built.passes(strict=False),
        "targets": [_target_facts(built, each) for each in built.targets],
        "assumed_unchanged": list(built.assumed),
        **({"data": asdict(built.data)} if built.data else {}),
    }
    return json.dumps(values, indent=2)


def _data(built: Build) -> list[RenderableType]:
    """The samples behind the figures, for a project of a model file and samples."""
    used = built.data
    if used is None:
        return []
    place, most = Path(used.calibration).name, built.project.data.calibration_samples
    held = f"held out of {place} by seed {built.project.seed}" if used.held_out else f"of {Path(used.evaluation).name}"
    fewer = used.calibration_samples is not None and used.calibration_samples < most
    asked = f" (at most {most} were asked for)" if fewer else ""
    against = "the outputs of the model as given" if comparing_score(built.project) else "labels"
    why = "" if used.labelled else ", because there are no labels"
    lines = [
        f"calibrated on {used.calibration_samples} samples of {place}{asked}, "
        f"judged on {used.evaluation_samples} {held}",
        f"{built.project.metric}: compared with {against}{why}",
    ]
    if used.preprocessing:
        parts = (f"{key} {_list(value)}" for key, value in used.preprocessing.items())
        lines.append(f"preprocessing: {', '.join(parts)}")
    if used.calibration_samples is not None and used.calibration_samples < _FEW:
        warned = (
            f"{used.calibration_samples} samples are too few for reliable activation ranges: calibrate on 100 or more"
        )
        return [f"[yellow]warning:[/] {warned}", *(escape(each) for each in lines)]
    return [escape(each) for each in lines]


def _list(value: Any) -> str:
    return "x".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _target_facts(built: Build, each: TargetBuild) -> dict[str, Any]:
    rejected = [asdict(one) for one in each.rejected_recipes]
    return {
        "target": each.target.id,
        "runtime": str(each.target.runtime),
        **({"runtimes": [one.to_json() for one in each.runtimes]} if each.runtimes else {}),
        "recipe": each.recipe,
        "rejected_recipes": rejected,
        "passed_over": rejected,  # the former key, for schema 1
        "model": str(each.bundle / f"model.{each.target.runtime.format}"),
        "manifest": str(each.bundle / "manifest.json"),
        "bytes": each.model_bytes,
        "float_bytes": each.float_bytes,
        "reference_bytes": each.reference_bytes,
        "metric": built.project.metric,
        "value": each.value,
        "float_value": each.float_value,
        "reference_value": each.reference_value,
        "metric_fidelity": each.fidelity,
        "reference_fidelity": Fidelity.NATIVE,
        "passed": each.verdict.passed,
        "gates": [gate.to_json() for gate in each.verdict.gates],
        "findings": [finding.to_json() for finding in each.findings],
        "measurements": [one.to_json() for one in each.verdict.measurements],
        "disturbed": list(each.verdict.disturbed),
        "steps": [
            {
                "name": run.name,
                "role": run.role,
                "cached": run.cached,
                "seconds": round(run.seconds, 3),
                "warning": run.warning,
            }
            for run in each.steps
        ],
    }


def _steps(built: Build, each: TargetBuild, unit: str) -> RenderableType:
    title = f"{built.project.name} for {each.target.id} ({each.target.name}), seed {built.project.seed}"
    roles = {run.role for run in each.steps}
    several = ["model"] if len(roles) > 1 else []
    figures = (f"{unit}, native", "parameters", "file", "time")
    first = 1 + len(several)
    rows = table(title, "step", *several, *figures, numeric=frozenset(range(first, first + len(figures))))
    for number, run in enumerate(each.steps, start=1):
        notes = run.artifact.notes
        rows.add_row(
            f"{number} {run.name}",
            *([run.role] if several else []),
            format_metric(run.metric, unit) if run.metric is not None else "",
            f"{notes['parameters']:,}" if "parameters" in notes else "",
            f"{notes['bytes']:,} B" if "bytes" in notes else "",
            "cached" if run.cached else f"{run.seconds:.1f} s",
        )
    return rows


def _models(built: Build, each: TargetBuild, unit: str) -> RenderableType:
    """One column per figure and fidelity: figures obtained in different ways do not share a heading."""
    measured = each.verdict.measurements
    load_all()
    came_so = any("as-given" in Step.registry[run.name].sections for run in each.steps)
    models = ["deployed"] if came_so else list(dict.fromkeys(one.model for one in measured))
    shown = [
        ("metric", unit),
        ("file_size", "size"),
        ("macs", "MACs"),
        ("latency_p50", "p50"),
        ("memory_peak", "memory"),
    ]
    columns = [
        (name, label, fidelity)
        for name, label in shown
        for fidelity in Fidelity
        if any(one.name == name and one.fidelity is fidelity for one in measured)
    ]
    headings = [f"{label}\n{fidelity}" for _, label, fidelity in columns]
    rows = table("", "model", *headings, "smaller\nstatic", numeric=frozenset(range(1, len(columns) + 2)))
    rows.columns[0].no_wrap = True
    sizes = {one.model: one.value for one in measured if one.name == "file_size"}
    for model in sorted(models, key=["reference", "float student", "deployed"].index):
        figures = {(one.name, one.fidelity): one for one in measured if one.model == model}
        cells = [
            with_unit(one.value, one.unit) if (one := figures.get((name, fidelity))) else ""
            for name, _, fidelity in columns
        ]
        rows.add_row(_target_json(model, built, each), *cells, f"{sizes['reference'] / sizes[model]:.1f} x")
    return rows


def _target_json(model: str, built: Build, each: TargetBuild) -> str:
    if built.project.model_file is not None:
        return {"reference": "as given", "float student": "simplified"}.get(model, model)
    if model != "reference":
        return model
    has_teacher = any(run.role is Role.TEACHER for run in each.steps)
    return "teacher, fp32" if has_teacher else "uncompressed"


def _similarity(each: TargetBuild) -> list[RenderableType]:
    """The similarity of the deployed model to the given one, by metrics other than the project's."""
    items = [one for one in each.verdict.measurements if one.model == "deployed" and one.name in NAMED]
    if not items:
        return []
    figures = ", ".join(f"{one.name} {with_unit(one.value, one.unit)}" for one in items)
    return [f"deployed model compared with the given one ({items[0].fidelity}): {figures}\n"]


def _predicted_line(each: TargetBuild) -> list[RenderableType]:
    """The predicted latency with its interval, if there is one."""
    items = [one for one in each.verdict.measurements if one.name == PREDICTED]
    return [
        escape(f"{one.model}'s latency (predicted): {one.value:.3g} ms, {one.limits} ms; {one.detail}\n")
        for one in items
    ]


def _notes(each: TargetBuild) -> list[RenderableType]:
    """What the steps noted, by the sections that their classes declare."""
    load_all()
    found: list[RenderableType] = []
    for run in each.steps:
        sections = (name for name in Step.registry[run.name].sections if name != "simplification")
        found += map(escape, section_lines(sections, run.artifact.notes))
    return found


def _gates(each: TargetBuild) -> RenderableType:
    rows = table("", "gate", "status", "detail")
    for gate in each.verdict.gates:
        rows.add_row(gate.name, MARKS[gate.status], escape(gate.detail))
    return rows


def _runtimes(each: TargetBuild) -> list[RenderableType]:
    """The runtimes that were tried for the fastest."""
    if not each.runtimes:
        return []
    rows = table("", "runtime", "", "latency", "why", numeric=frozenset({2}))
    for one in each.runtimes:
        values = {figure.name: figure for figure in one.measurements}
        latency = values.get("latency_p50") or values.get(PREDICTED)
        shown = "" if latency is None else f"{with_unit(latency.value, latency.unit)}\n{latency.fidelity}"
        rows.add_row(escape(str(one.runtime)), "[green]deployed[/]" if one.taken else "left", shown, escape(one.why))
    return [rows]


def _closing(each: TargetBuild) -> str:
    cached: Sequence[bool] = [run.cached for run in each.steps]
    steps = "every step came from the cache" if all(cached) else f"{sum(cached)} of {len(cached)} steps from the cache"
    return f"bundle: {escape(str(each.bundle))}\nruntime on the device: {each.target.runtime}\n{steps}\n"
