"""Random recipes: any steps, in any order, with options that a user could write."""

from typing import Any

from hypothesis import strategies as st

from edgekit.planning.recipe import Recipe, recipe_from

OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "train": {},
    "load": {},
    "distill": {},
    "prune": {
        "ratio": st.sampled_from([0.3, 0.5, 0.75]),
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
    "qat": {},
    "export": {},
    "simplify": {},
    "quantize": {"activation": st.sampled_from(["int8", "uint8", "target"])},
    "weight-only": {},
    "fuse": {"layouts": st.booleans()},
}
"""The options that verdicts hang on; a recipe may set any of them or none."""


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    use = draw(st.sampled_from(sorted(OPTIONS)))
    named = draw(st.sets(st.sampled_from(sorted(OPTIONS[use])))) if OPTIONS[use] else set()
    options = {name: draw(OPTIONS[use][name]) for name in sorted(named)}
    roles = ["student", "teacher"] if use not in ("distill", "simplify", "quantize", "weight-only", "fuse") else []
    return {"use": use, **({"role": draw(st.sampled_from(roles))} if roles else {}), **options}


def recipes(most: int = 8) -> st.SearchStrategy[Recipe]:
    return st.lists(steps(), min_size=1, max_size=most).map(lambda tables: recipe_from("random", tables, "random"))
