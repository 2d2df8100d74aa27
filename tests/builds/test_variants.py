from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.builds.build import build
from edgekit.call_options import BuildOptions
from edgekit.errors import TargetError, ToolError
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runtimes import opening
from edgekit.target_files import find_target
from tests.tflite.models import needs_runtime

RPI4 = find_target("rpi4")


@needs_runtime
def test_a_runtime_whose_emulator_is_not_set_up_is_left(folder: Path) -> None:
    """It could not be held against this machine."""
    litert = next(each for each in RPI4.runtimes if each.name == "ai-edge-litert").copy_with(version="0.0.1")
    target = RPI4.copy_with(other_runtimes=(litert,))
    (done,) = build(load_project(folder), [target], Silent(), BuildOptions(runtime="best")).targets
    assert done.target.runtime == RPI4.runtime
    left = next(each for each in done.runtimes if each.runtime == litert)
    assert "is not set up; edgekit setup rpi4 --runtimes ai-edge-litert" in left.why and not left.taken


def test_a_runtime_that_is_missing_is_told_before_anything_is_trained(
    make_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "installed_version", lambda _: "")
    with pytest.raises(ToolError, match="openvino is not installed") as raised:
        build(load_project(make_project()), [find_target("x86-vnni")], Silent(), BuildOptions(runtime="openvino"))
    assert "'.[openvino]'" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "told", "hint"),
    [
        ("all", "a build takes one runtime", "--runtime best"),
        ("openvino", "rpi4 has no runtime 'openvino'", ""),
        ("onnx", "rpi4 has no runtime 'onnx'", "onnxruntime"),
        ("fastest", "rpi4 has no runtime 'fastest'", "best"),
    ],
)
def test_a_runtime_that_a_target_does_not_name_is_refused(
    make_project: Callable[..., Path], name: str, told: str, hint: str
) -> None:
    with pytest.raises(TargetError, match=told) as raised:
        build(load_project(make_project()), [RPI4], Silent(), BuildOptions(runtime=name))
    assert hint in raised.value.hint
