"""Random recipes: any steps, in any order, with options that a user could write."""

from random import Random
from typing import Any

from hypothesis import strategies as st

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.planning.recipe import Recipe, RecipeStep, recipe_from
from edgekit.traits import FILES, MODULE_ENTRY, Facts, Role

load_all()

OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "train": {},
    "load": {},
    "load-part": {},
    "distill": {},
    "prune": {
        "ratio": st.sampled_from([0.3, 0.5, 0.75]),
        "units": st.sampled_from(["all", "channels", "heads"]),
        "gradual": st.booleans(),
        "epochs": st.sampled_from([0, 5]),
        "batch_norm": st.sampled_from(["kept", "re-estimated"]),
    },
    "sparsify": {
        "sparsity": st.sampled_from([0.3, 0.5, 0.9]),
        "gradual": st.booleans(),
        "epochs": st.sampled_from([0, 5]),
        "batch_norm": st.sampled_from(["kept", "re-estimated"]),
    },
    "quantize-weights": {
        "bits": st.sampled_from([2, 4, 8]),
        "granularity": st.sampled_from(["tensor", "channel", "group"]),
        "epochs": st.sampled_from([0, 5]),
    },
    "qat": {"bits": st.sampled_from([4, 8])},
    "export": {},
    "simplify": {},
    "quantize": {"activation": st.sampled_from(["int8", "uint8", "target"])},
    "weight-only": {},
    "keep": {},
    "quantize-dynamic": {
        "smoothing": st.sampled_from(["chosen", "none", 0.5]),
        "tables": st.booleans(),
        "blocks": st.booleans(),
    },
    "mixed-precision": {"floats": st.sampled_from(["measured", "none"])},
    "fuse": {"layouts": st.booleans()},
    "tflite": {"ports": st.sampled_from(["float", "int8"])},
    "tflite-dynamic": {},
}
"""The options that verdicts hang on; a recipe may set any of them or none."""


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    use = draw(st.sampled_from(sorted(OPTIONS)))
    named = draw(st.sets(st.sampled_from(sorted(OPTIONS[use])))) if OPTIONS[use] else set()
    options = {name: draw(OPTIONS[use][name]) for name in sorted(named)}
    of_one = {"distill", "simplify", "quantize", "quantize-dynamic", "weight-only", "keep", "mixed-precision", "fuse"}
    of_one |= {"tflite", "tflite-dynamic"}
    roles = ["student", "teacher"] if use not in of_one else []
    return {"use": use, **({"role": draw(st.sampled_from(roles))} if roles else {}), **options}


def recipes(most: int = 8) -> st.SearchStrategy[Recipe]:
    return st.lists(steps(), min_size=1, max_size=most).map(lambda tables: recipe_from("random", tables, "random"))


BRIEF: dict[str, dict[str, Any]] = {
    "train": {"epochs": 1},
    "distill": {"epochs": 1},
    "prune": {"ratio": 0.5, "epochs": 1},
    "sparsify": {"epochs": 1},
    "quantize-weights": {},
    "qat": {"epochs": 1},
}
"""Options with which a step takes no time on the tiny project; the others have none to set."""


def accepted_order(seed: int, most: int = 6) -> Recipe:
    """A recipe of registered steps that the contracts allow, on either model, drawn step by step by their declarations
    alone; at most `most` steps and an export. A model's channels are cut once: more the tiny one has not to give."""
    random = Random(seed)
    have: dict[Role, Facts] = {Role.TEACHER: MODULE_ENTRY, Role.STUDENT: MODULE_ENTRY}
    chosen: list[RecipeStep] = []

    def is_allowed(each: RecipeStep) -> bool:
        contract = each.step.contract
        pruned = each.step.name() == "prune" and each in chosen
        joined = all(needed <= have[role] for role, needed in contract.joins.items())
        return contract.requires <= have[each.role] and joined and not pruned

    def add(each: RecipeStep) -> None:
        contract = each.step.contract
        have[each.role] = (have[each.role] & contract.preserves) | contract.provides
        chosen.append(each)

    every = [
        RecipeStep(kind(**BRIEF.get(name, {})), role) for name, kind in sorted(Step.registry.items()) for role in have
    ]
    while len(chosen) < most and (not have[Role.STUDENT] & FILES or random.random() < 0.6):
        allowed = [each for each in every if is_allowed(each)]
        if not allowed:
            break
        add(*random.choices(allowed, [2 if each.role is Role.STUDENT else 1 for each in allowed]))
    if not have[Role.STUDENT] & FILES:
        add(RecipeStep(Step.registry["export"](), Role.STUDENT))
    return Recipe(f"order {seed}", tuple(chosen))
