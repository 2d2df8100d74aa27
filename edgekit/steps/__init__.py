"""One technique a file. Importing a file registers its step."""

from importlib import import_module
from pkgutil import iter_modules


def load_all() -> None:
    """Register every step. The files import torch and onnxruntime only when they run."""
    for found in iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")
