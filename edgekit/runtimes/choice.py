"""Which runtimes words name: all, or names such as openvino, or openvino:bf16."""

from collections.abc import Sequence
from typing import get_args

from edgekit.errors import TargetError, did_you_mean
from edgekit.target import Runtime, RuntimeName, Target

ALL = "all"
BF16 = "openvino:bf16"
"""OpenVINO with floats in bf16, which it takes by itself where the CPU has it."""


def runtime_words(words: Sequence[str], target: Target | None, other: str = ALL) -> list[str]:
    """Each runtime's word once, `all` for those that a target names, or for every one that edgekit knows. Raises
    TargetError for a word that is none of them; its hint names the `other` word that may stand there."""
    known = [each.name for each in target.runtimes] if target else list(get_args(RuntimeName))
    found = list(dict.fromkeys(each for word in words for each in (known if word == ALL else [word])))
    for word in found:
        if word not in known and not (word == BF16 and "openvino" in known):
            whose = f"{target.id} names no runtime '{word}'" if target else f"no runtime '{word}'"
            raise TargetError(whose, did_you_mean(word, [*known, *([BF16] if "openvino" in known else []), other]))
    return found


def runtime_name(word: str) -> RuntimeName:
    """The name of the runtime that a word of `runtime_words` is."""
    name: RuntimeName = "openvino" if word == BF16 else word  # type: ignore[assignment]
    return name


def target_runtimes(words: Sequence[str], target: Target, other: str = ALL) -> list[Runtime]:
    """The runtimes of a target that words name, its own without words. Raises TargetError for one that it does not
    name, as `runtime_words`."""
    named = {each.name: each for each in target.runtimes}
    found = [in_manner(named[runtime_name(word)], word) for word in runtime_words(words, target, other)]
    return found or [target.runtime]


def in_manner(runtime: Runtime, word: str) -> Runtime:
    """The runtime with floats as its word says, where that says so."""
    return runtime.changed(floats="bf16") if word == BF16 else runtime
