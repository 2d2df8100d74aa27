"""edgekit: from a PyTorch or ONNX model to what a device's firmware build embeds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgekit.version import __version__

if TYPE_CHECKING:
    from edgekit.api import bench, build, calibrate, explain, inspect, plan, quantize, setup, simplify, study
    from edgekit.benchmarking.bench import Bench
    from edgekit.benchmarking.board_calibration import BoardCalibration
    from edgekit.builds.check import RecipeCheck
    from edgekit.builds.result import Build
    from edgekit.call_options import (
        BenchOptions,
        BuildOptions,
        CalibrateOptions,
        QuantizeOptions,
        SetupOptions,
        StudyOptions,
    )
    from edgekit.errors import EdgekitError
    from edgekit.execution.single_step import Conversion
    from edgekit.model.inspection import Inspection
    from edgekit.planning.explanations import Answer, Explanation
    from edgekit.progress import Progress
    from edgekit.runners.preparation import Preparation
    from edgekit.studies.results import Study

_MODULES = {
    "edgekit.api": "bench build calibrate explain inspect plan quantize setup simplify study",
    "edgekit.benchmarking.bench": "Bench",
    "edgekit.benchmarking.board_calibration": "BoardCalibration",
    "edgekit.builds.check": "RecipeCheck",
    "edgekit.builds.result": "Build",
    "edgekit.call_options": "BenchOptions BuildOptions CalibrateOptions QuantizeOptions SetupOptions StudyOptions",
    "edgekit.errors": "EdgekitError",
    "edgekit.execution.single_step": "Conversion",
    "edgekit.model.inspection": "Inspection",
    "edgekit.planning.explanations": "Answer Explanation",
    "edgekit.progress": "Progress",
    "edgekit.runners.preparation": "Preparation",
    "edgekit.studies.results": "Study",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Answer",
    "Bench",
    "BenchOptions",
    "BoardCalibration",
    "Build",
    "BuildOptions",
    "CalibrateOptions",
    "Conversion",
    "EdgekitError",
    "Explanation",
    "Inspection",
    "Preparation",
    "Progress",
    "QuantizeOptions",
    "RecipeCheck",
    "SetupOptions",
    "Study",
    "StudyOptions",
    "__version__",
    "bench",
    "build",
    "calibrate",
    "explain",
    "inspect",
    "plan",
    "quantize",
    "setup",
    "simplify",
    "study",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import edgekit` loads nothing."""
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'edgekit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
