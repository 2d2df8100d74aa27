import sys

import pytest

from edgekit.errors import StepError
from edgekit.tflite.schema import schema


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(StepError) as raised:
        schema()
    assert "'.[litert]'" in raised.value.hint
