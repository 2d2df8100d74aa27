from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from edgekit.contract.artifact import Artifact
from edgekit.traits import FILE_ENTRY, Format, Role


def test_an_artifact_cannot_be_changed_and_shares_no_notes() -> None:
    one, other = (Artifact(Path("m.onnx"), Format.ONNX, FILE_ENTRY, "digest", Role.STUDENT) for _ in range(2))
    with pytest.raises(FrozenInstanceError):
        one.digest = "another"  # type: ignore[misc]
    one.notes["bytes"] = 1
    assert other.notes == {} and other.parents == ()
