"""edgekit as a library: the functions that `import edgekit` gives."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.benchmarking.bench import Bench, Settings, bench_files
from edgekit.benchmarking.board_calibration import BoardCalibration, calibrate_board
from edgekit.builds.build import build as project_build
from edgekit.builds.build import chosen_targets
from edgekit.builds.result import Build
from edgekit.contract.registry import load_all, step_from
from edgekit.contract.step import Step
from edgekit.errors import StudyError
from edgekit.execution.single_step import Conversion, run_single_step
from edgekit.files import write_bytes
from edgekit.planning.recipe import find_recipe, recipe_for, recipe_of
from edgekit.progress import Progress, Silent
from edgekit.project.from_file import file_project
from edgekit.project.project import Project, load_project
from edgekit.runners.choice import runner_for
from edgekit.runtimes.choice import target_runtimes
from edgekit.studies.arms import arms_of
from edgekit.studies.results import Study
from edgekit.studies.studying import run_study
from edgekit.target import Target, calibration_file, find_target
from edgekit.version import pip_install

if TYPE_CHECKING:
    from edgekit.arrays import Array

_PROBE_SAMPLES = 16
"""That calibrate the integers of a network whose values are drawn, too."""


def build(
    model: str | Path | None = None,
    *,
    targets: str | Sequence[str] = (),
    calibration: str | Path | None = None,
    evaluation: str | Path | None = None,
    labels: str | Path | None = None,
    metric: str | None = None,
    recipe: str | None = None,
    folder: str | Path | None = None,
    calibration_samples: int | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    allowed: Collection[str] = (),
    placement: str | Path | None = None,
    runner: str = "",
    runtime: str = "",
    progress: Progress | None = None,
) -> Build:
    """What `edgekit build` does: the ONNX file `model` with its samples, or, without one, the project in `folder`.

    `calibration` and `evaluation` are the path of a folder or file of samples, or `module:function` in `folder` (the
    model's own where none is named), which also takes the cache and dist/. `preprocessing` is edgekit.toml's table.
    `placement` is the manifest of an earlier build for the same target, whose operators on floats are taken over.
    `runner` is where each is verified: native, qemu or a board's ssh://user@host:port. `runtime` is the one that the
    device is to carry, of those that the target names, or `best`.
    Raises EdgekitError: `message` says what is wrong, `hint` what to do.
    """
    names = [targets] if isinstance(targets, str) else targets
    if model is None:
        project = load_project(Path(folder or "."))
    else:
        project = file_project(
            Path(model),
            str(calibration) if calibration is not None else None,
            evaluation=str(evaluation) if evaluation is not None else None,
            labels=str(labels) if labels is not None else None,
            metric=metric,
            recipe=recipe,
            folder=Path(folder) if folder is not None else None,
            calibration_samples=calibration_samples,
            preprocessing=preprocessing,
        )
    manifest = Path(placement) if placement is not None else None
    chosen = chosen_targets(project, names)
    return project_build(project, chosen, progress or Silent(), allowed, manifest, runner, runtime)


def quantize(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array]",
    *,
    target: str,
    output: str | Path | None = None,
    calibration_samples: int | None = None,
    ranges: Literal["auto", "fixed", "run"] = "auto",
    preprocessing: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """An INT8 file with the target's scheme at `output` (model-quantized.onnx beside the model where none is named):
    what the step `quantize` of a build makes of the same file, in QDQ form, where the `ranges` of activations are
    fixed; where each run finds its own, `quantize-dynamic`; `auto` takes that for transformers.

    `calibration` is the path of a folder or file of samples, a `module:function` beside the model, an array (samples,
    ...), or one for each input by name. `options` are those of the step: `edgekit recipes show int8` lists them.
    Raises EdgekitError.
    """
    step, path = _step(_quantizer(Path(model), ranges), options or {}), _output_path(model, output, "quantized")
    with _project_of(model, calibration, preprocessing, calibration_samples) as project:
        return run_single_step(step, project, find_target(target), path, progress or Silent())


def simplify(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array] | None" = None,
    *,
    output: str | Path | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """The smallest equal graph that was found, at `output` (model-simplified.onnx beside the model where none is
    named): what the step `simplify` of a build makes of the same file.

    `calibration`, as for `quantize`, is what both are compared on; made-up inputs where there is none.
    Raises EdgekitError.
    """
    path = _output_path(model, output, "simplified")
    with _project_of(model, calibration, preprocessing) as project:
        return run_single_step(_step("simplify", {}), project, None, path, progress or Silent())


def bench(
    model: str | Path | Sequence[str | Path],
    target: str | None = None,
    *,
    threads: int | Sequence[int] = 1,
    batch: int | Sequence[int] = 1,
    seconds: float = 2.0,
    shapes: Mapping[str, Sequence[int]] | None = None,
    inputs: str | Path | None = None,
    profile: bool = False,
    runner: str = "",
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Bench:
    """What `edgekit bench` measures: on this machine, or for a target where its instruction set is; targets and
    what calibrates them may lie in targets/ of `folder`, this one without it. Several models are timed in turns and
    compared with the first; several numbers of `threads` and of samples in a `batch` one after the other. `shapes`
    tells the lengths of dynamic axes by name, or whole inputs; `inputs` is a file of samples. `profile` tells what
    each kind of operator takes. `runner` is where: native, qemu or a board's ssh://user@host:port.
    Raises EdgekitError."""
    models = [model] if isinstance(model, str | Path) else model
    settings = Settings(
        [threads] if isinstance(threads, int) else threads,
        [batch] if isinstance(batch, int) else batch,
        seconds,
        shapes or {},
        Path(inputs) if inputs is not None else None,
        profile,
    )
    chosen = find_target(target, (Path(folder or ".") / "targets",)) if target else None
    return bench_files([Path(each) for each in models], chosen, settings, runner, progress)


def calibrate(
    target: str,
    models: Sequence[str | Path] = (),
    *,
    runner: str = "",
    runtime: str = "",
    threads: int | Sequence[int] = 1,
    seconds: float = 2.0,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> BoardCalibration:
    """What `edgekit calibrate` finds: `models`, or without any edgekit's own, float and INT8, timed on a board
    (`runner` is its ssh://user@host:port), counted under the target's emulator, and the prices that follow. They are
    left in targets/ of `folder`, this one without it, or beside a target's file that is named. `runtime` is one of
    those that the target names. Raises EdgekitError."""
    place = Path(folder or ".") / "targets"
    chosen = find_target(target, (place,))
    if runtime:
        chosen = chosen.on(target_runtimes((runtime,), chosen)[0])
    beside = Path(target).parent if target.endswith(".toml") else place
    path = Path(chosen.calibration) if chosen.calibration else calibration_file(chosen, beside)
    watch = progress or Silent()
    counts = [threads] if isinstance(threads, int) else threads
    on = runner_for(chosen, runner, watch)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as made:
        named: dict[Path, str] = {Path(each): Path(each).stem for each in models}
        known = named or _quantize_networks(chosen, Path(made), watch)
        return calibrate_board(on, chosen, known, counts, seconds, path, watch)


def study(
    folder: str | Path = ".",
    *,
    pairs: str | Sequence[str] = (),
    recipe: str | None = None,
    orders: bool = False,
    ablate: bool = False,
    seeds: int = 3,
    budget_min: float | None = None,
    target: str | None = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> Study:
    """What `edgekit study` measures on the project in `folder`, with the seeds from 0 on: `pairs` such as
    "quantize-weights bits=4, sparsify" in both orders, all `orders` of the recipe's techniques, what each adds to it
    (`ablate`); without any of these the recipe alone, stage by stage.

    `recipe` is a shipped one's name or a TOML file, else the project's own. After `budget_min` minutes it ends with the
    seeds that are through. The results go to `output`, the plot beside it as .png and .svg where matplotlib is
    installed. Raises EdgekitError.
    """
    if output is not None and Path(output).suffix != ".json":
        raise StudyError(
            f"the results cannot go to {output}: the plot lies beside them", "name a file that ends in .json"
        )
    project, value = load_project(Path(folder)), progress or Silent()
    chosen = recipe_of(project) if recipe is None else recipe_for(project, find_recipe(recipe, Path()))
    arms = arms_of(project, chosen, [pairs] if isinstance(pairs, str) else pairs, orders=orders, ablate=ablate)
    device = chosen_targets(project, [target] if target else ())[0]
    budget = None if budget_min is None else 60 * budget_min
    found = run_study(project, arms, range(seeds), device, value, budget)
    if output is not None:
        _write_study(found, Path(output), value)
    return found


def _write_study(found: Study, path: Path, progress: Progress) -> None:
    from edgekit.studies.results import study_json

    write_bytes(path, study_json(found).encode())
    try:
        from edgekit.report.plots import study_plot

        for form in ("png", "svg"):
            write_bytes(path.with_suffix(f".{form}"), study_plot(found, form))
    except ImportError:
        progress.note(f"no plot: matplotlib is not installed ({pip_install('plot')})")


@contextmanager
def _project_of(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array] | None",
    preprocessing: Mapping[str, Any] | None,
    samples: int | None = None,
) -> Iterator[Project]:
    """The project of a file for as long as one step takes; arrays become a file of samples meanwhile."""
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        place: str | None
        if calibration is None or isinstance(calibration, str | Path):
            place = None if calibration is None else str(calibration)
        else:
            import numpy as np

            place = str(Path(folder) / "calibration.npz")
            arrays = calibration if isinstance(calibration, Mapping) else {"samples": calibration}
            np.savez(place, **{name: np.asarray(each) for name, each in arrays.items()})
        # All samples calibrate: nothing is judged, so that nothing is held out.
        yield file_project(
            Path(model), place, evaluation=place, calibration_samples=samples, preprocessing=preprocessing
        )


def _is_transformer(path: Path) -> bool:
    from edgekit.model.importing import file_architecture

    return path.is_file() and file_architecture(path) == "transformer"


def _quantizer(model: Path, ranges: Literal["auto", "fixed", "run"] = "auto") -> str:
    """The step that makes a file's integers, by where the ranges of activations come from."""
    return "quantize-dynamic" if ranges == "run" or (ranges == "auto" and _is_transformer(model)) else "quantize"


def _quantize_networks(target: Target, folder: Path, progress: Progress) -> dict[Path, str]:
    """The networks that stand for others, float and in the target's integers, each with its kind."""
    from edgekit.latency.networks import CALIBRATION_NETWORKS

    found: dict[Path, str] = {}
    for number, probe in enumerate(CALIBRATION_NETWORKS):
        progress.advanced("quantizing", number, len(CALIBRATION_NETWORKS), probe.name)
        whole, integers = folder / f"{probe.name}.onnx", folder / f"{probe.name}-int8.onnx"
        probe.save(whole)
        with _project_of(whole, probe.samples(_PROBE_SAMPLES), None, None) as project:
            run_single_step(_step(_quantizer(whole), {}), project, target, integers, Silent())
        found |= {whole: probe.kind, integers: probe.kind}
    progress.advanced("quantizing", len(CALIBRATION_NETWORKS), len(CALIBRATION_NETWORKS))
    return found


def _step(name: str, options: Mapping[str, Any]) -> Step:
    load_all()
    return step_from(name, options, name)


def _output_path(model: str | Path, output: str | Path | None, made: str) -> Path:
    path = Path(model)
    return Path(output) if output is not None else path.with_name(f"{path.stem}-{made}.onnx")
