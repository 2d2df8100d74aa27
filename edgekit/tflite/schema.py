"""The types of the TFLite file format, from ai-edge-litert."""

from types import ModuleType

from edgekit.errors import StepError, first_line
from edgekit.version import pip_install


def schema() -> ModuleType:
    """The format's flatbuffer types. Raises StepError if the package is missing."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise StepError(
            f"ai-edge-litert, which knows the TFLite format, cannot be imported: {first_line(error)}",
            pip_install("litert"),
        ) from error
    found: ModuleType = schema_py_generated
    return found
