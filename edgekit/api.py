"""edgekit as a library: the functions that `import edgekit` exposes."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgekit.benchmarking.bench import Bench, Settings, bench_files
from edgekit.benchmarking.board_calibration import BoardCalibration, calibrate_board
from edgekit.builds.build import build as project_build
from edgekit.builds.build import chosen_targets
from edgekit.builds.result import Build
from edgekit.contract.registry import load_all, step_from
from edgekit.contract.step import Step
from edgekit.deprecation import FORMER_BUILD_OPTIONS, FORMER_RANGES, current_name
from edgekit.errors import RecipeError, StudyError, did_you_mean
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

Ranges = Literal["auto", "fixed", "dynamic"]
"""Where the ranges of activations come from."""
_PROBE_SAMPLES = 16
"""Calibration samples for each network of `calibrate`, whose weights are random."""


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
    float_operators: str | Path | None = None,
    runner: str = "",
    runtime: str = "",
    progress: Progress | None = None,
    placement: str | Path | None = None,
) -> Build:
    """Do what `edgekit build` does: build the ONNX file `model` with its samples, or the project in `folder`.

    `calibration` and `evaluation` are paths of a folder or file of samples, or `module:function` in `folder`; without
    them the model's own samples are used. `folder` also holds the cache and dist/. `preprocessing` is the table of that
    name in edgekit.toml. `float_operators` is the manifest of an earlier build for the same target: its float
    operators stay float (formerly `placement`). `runner` is where the result is verified: native, qemu, or a board's ssh://user@host:port.
    `runtime` is one that the target lists, or `best`. Raises EdgekitError: `message` says what is wrong, `hint` what to
    do.
    """
    if placement is not None:
        current_name("placement", FORMER_BUILD_OPTIONS, "edgekit.build")
        float_operators = placement
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
    manifest = Path(float_operators) if float_operators is not None else None
    chosen = chosen_targets(project, names)
    return project_build(project, chosen, progress or Silent(), allowed, manifest, runner, runtime)


def quantize(
    model: str | Path,
    calibration: "str | Path | Array | Mapping[str, Array]",
    *,
    target: str,
    output: str | Path | None = None,
    calibration_samples: int | None = None,
    ranges: Ranges = "auto",
    preprocessing: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Quantize a model file to INT8 with the target's scheme.

    The result is written to `output`, by default model-quantized.onnx beside the model. If the `ranges` of activations
    are `fixed`, it is what the step `quantize` of a build makes of the same file, in QDQ form. If they are `dynamic`,
    so that each run computes them, it is what the step `quantize-dynamic` makes. `auto` chooses `dynamic` for
    transformers. `calibration` is the path of a folder or file of samples, a `module:function` beside the model, an
    array with axes (samples, ...), or one array per input name. `options` are those of the step; `edgekit recipes show
    int8` lists them. Raises EdgekitError.
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
    """Simplify a model file: write the smallest equivalent graph that was found.

    The result is written to `output`, by default model-simplified.onnx beside the model. It is what the step `simplify`
    of a build makes of the same file. Both files are compared on `calibration`, as for `quantize`, or on random inputs.
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
    """Do what `edgekit bench` does: measure on this machine, or for a target where its instruction set runs.

    Targets and their latency calibrations are also searched in targets/ of `folder`, by default the working directory.
    Several models are timed in turns and compared with the first; several numbers of `threads` or samples per `batch`
    are measured one after the other. `shapes` gives the lengths of dynamic axes by name, or whole input shapes;
    `inputs` is a file of samples. `profile` adds the time of each operator type. `runner` is where the models run:
    native, qemu, or a board's ssh://user@host:port. Raises EdgekitError.
    """
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
    """Do what `edgekit calibrate` does: fit the latency prediction of a target to a board.

    `models`, or edgekit's own networks in float and INT8, are timed on a board (`runner` is its ssh://user@host:port)
    and counted under the target's emulator; prices are fitted to both. The calibration is written to targets/ of
    `folder`, by default the working directory, or beside the target file that is named. `runtime` is one that the
    target lists. Raises EdgekitError.
    """
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
    """Do what `edgekit study` does on the project in `folder`, with seeds from 0.

    `pairs` such as "quantize-weights bits=4, sparsify" are measured in both orders; `orders` measures all orders of the
    recipe's techniques; `ablate` measures what each of them adds. Without any of these, the recipe alone is measured
    step by step. `recipe` is the name of a shipped one or a TOML file, by default the project's own. After `budget_min`
    minutes the study ends with the seeds that are complete. The results are written to `output`, with a plot as .png
    and .svg beside it where matplotlib is installed. Raises EdgekitError.
    """
    if output is not None and Path(output).suffix != ".json":
        raise StudyError(
            f"{output} does not end in .json: the plot is written beside the results",
            "give a file name that ends in .json",
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
    """The project of a model file while one step runs; arrays are written to a temporary file of samples."""
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        place: str | None
        if calibration is None or isinstance(calibration, str | Path):
            place = None if calibration is None else str(calibration)
        else:
            import numpy as np

            place = str(Path(folder) / "calibration.npz")
            arrays = calibration if isinstance(calibration, Mapping) else {"samples": calibration}
            np.savez(place, **{name: np.asarray(each) for name, each in arrays.items()})
        # All samples calibrate: no metric is computed, so none need to be held out.
        yield file_project(
            Path(model), place, evaluation=place, calibration_samples=samples, preprocessing=preprocessing
        )


def _is_transformer(path: Path) -> bool:
    from edgekit.model.importing import file_architecture

    return path.is_file() and file_architecture(path) == "transformer"


def _quantizer(model: Path, ranges: str = "auto") -> str:
    """The step that quantizes a file, by where activation ranges come from. Raises RecipeError for unknown `ranges`."""
    current = current_name(ranges, FORMER_RANGES, "ranges")
    if current not in get_args(Ranges):
        raise RecipeError(f"there is no kind of ranges '{ranges}'", did_you_mean(ranges, list(get_args(Ranges))))
    return "quantize-dynamic" if current == "dynamic" or (current == "auto" and _is_transformer(model)) else "quantize"


def _quantize_networks(target: Target, folder: Path, progress: Progress) -> dict[Path, str]:
    """The networks of `calibrate`, float and quantized with the target's scheme, each with its kind."""
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
