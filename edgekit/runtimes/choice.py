"""Parse words that name runtimes: all, or names such as openvino, or openvino:bf16."""

from collections.abc import Sequence

from edgekit.errors import TargetError, did_you_mean
from edgekit.runtime_specs import RUNTIMES, RuntimeName
from edgekit.target import Runtime, Target

ALL = "all"


def runtime_words(words: Sequence[str], target: Target | None, other: str = ALL) -> list[str]:
    """Each runtime's word once; `all` stands for those that a target lists, or for all that edgekit knows. A word is a
    name, or a name and the type in which floats are computed. Raises TargetError for an unknown word, with the `other`
    valid word in its hint."""
    names = [each.name for each in target.runtimes] if target else list(RUNTIMES)
    typed = [f"{name}:{floats}" for name in names for floats in RUNTIMES[name].float_types[1:]]
    found = list(dict.fromkeys(each for word in words for each in (names if word == ALL else [word])))
    for word in found:
        if word not in (*names, *typed):
            whose = f"{target.id} has no runtime '{word}'" if target else f"there is no runtime '{word}'"
            raise TargetError(whose, did_you_mean(word, [*names, *typed, other]))
    return found


def runtime_name(word: str) -> RuntimeName:
    """The runtime's name in a word."""
    return word.partition(":")[0]


def target_runtimes(words: Sequence[str], target: Target, other: str = ALL) -> list[Runtime]:
    """The runtimes of a target that words name; its own without words. Raises TargetError for one that it does not
    list."""
    named = {each.name: each for each in target.runtimes}
    found = [with_float_type(named[runtime_name(word)], word) for word in runtime_words(words, target, other)]
    return found or [target.runtime]


def with_float_type(runtime: Runtime, word: str) -> Runtime:
    """The runtime with the float type that its word names, if it names one."""
    floats = word.partition(":")[2]
    return runtime.copy_with(floats=floats) if floats else runtime
