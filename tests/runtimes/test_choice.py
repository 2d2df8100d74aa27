import pytest

from edgekit.errors import TargetError
from edgekit.runtimes.choice import runtime_name, runtime_words, target_runtimes
from edgekit.target import Runtime
from edgekit.target_files import find_target

VNNI = find_target("x86-vnni")


def test_a_target_has_its_own_runtime_and_others() -> None:
    assert target_runtimes([], VNNI) == [VNNI.runtime]
    assert target_runtimes(["all"], VNNI) == list(VNNI.runtimes)
    assert target_runtimes(["openvino", "all"], VNNI)[0].name == "openvino", "each once, in the order of the words"


def test_openvino_takes_bf16_where_that_is_asked_for() -> None:
    (found,) = target_runtimes(["openvino:bf16"], VNNI)
    assert found == Runtime(name="openvino", version=found.version, floats="bf16")
    assert str(found).endswith(", floats as bf16") and runtime_name("openvino:bf16") == "openvino"


@pytest.mark.parametrize(
    ("word", "target", "told", "hint"),
    [
        ("opnvino", "x86-vnni", "x86-vnni has no runtime 'opnvino'", "openvino"),
        ("openvino:bf16", "rpi4", "rpi4 has no runtime 'openvino:bf16'", ""),
        ("onnxruntime:bf16", None, "no runtime 'onnxruntime:bf16'", "onnxruntime"),
    ],
)
def test_a_word_that_is_no_runtime_is_refused(word: str, target: str | None, told: str, hint: str) -> None:
    with pytest.raises(TargetError, match=told) as raised:
        runtime_words([word], find_target(target) if target else None)
    assert hint in raised.value.hint
