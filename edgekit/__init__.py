"""edgekit: from a PyTorch or ONNX model to what a device's firmware build embeds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgekit.version import __version__

if TYPE_CHECKING:
    from edgekit.api import bench, build, calibrate, quantize, simplify, study

__all__ = ["__version__", "bench", "build", "calibrate", "quantize", "simplify", "study"]


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used, so that `import edgekit` loads nothing."""
    if name in __all__:
        return getattr(import_module("edgekit.api"), name)
    raise AttributeError(f"module 'edgekit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
