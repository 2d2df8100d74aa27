"""The arms of ordering.py: which recipes are compared, at the same training budget."""

from dataclasses import dataclass
from typing import Any

Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class Budget:
    teacher: int
    """Epochs of the teacher."""
    rate: float
    """Its learning rate."""
    student: int
    """Epochs of everything that trains the student, together."""
    tuning: int
    """Epochs of fine-tuning after one change to a trained network."""


BUDGETS = {"digits": Budget(80, 0.01, 80, 10), "spoken": Budget(40, 0.005, 80, 6)}


@dataclass(frozen=True)
class Arms:
    recipes: dict[str, Steps]
    narrow: dict[str, dict[str, Steps]]
    """Those that run with a narrower student, by the module that has it."""
    pipelines: list[str]
    """Printed stage by stage."""
    cascades: list[str]
    """Printed stage by stage, with what becomes of the teacher's weights."""
    questions: list[tuple[str, str, str]]
    """(question, first arm, second arm)."""


def arms(budget: Budget) -> Arms:
    """Every arm and every question."""
    taught = teacher("train", epochs=budget.teacher, learning_rate=budget.rate)
    whole, half = budget.student, budget.student // 2
    recommended = [taught, student("distill", epochs=half), pruned(0.5, half)]
    control = [taught, student("distill", epochs=whole)]
    alone = [student("train", epochs=whole)]
    recipes: dict[str, Steps] = {
        "failed": failed(taught, whole, 4, 0.5),
        "failed, 75 % pruned": failed(taught, whole, 4, 0.75),
        "failed, INT2, 75 %": failed(taught, whole, 2, 0.75),
        "recommended": [*recommended, *INT8],
        "recommended, 75 % pruned": [*recommended[:2], pruned(0.75, half), *INT8],
        "control: undamaged teacher": [*control, *FLOAT],
        "control: student alone": [*alone, *FLOAT],
        "without distillation": [student("train", epochs=half), pruned(0.5, half), *INT8],
        "without pruning": [*control, *INT8],
        "without INT8": [*recommended, *FLOAT],
        "four techniques": [*recommended[:2], pruned(0.5, half // 2), zeros(0.5, half // 2), *INT8],
        "pruned, not fine-tuned": [*recommended[:2], pruned(0.5, 0), *INT8],
        "teacher sparse 75 %, then distilled": [taught, zeros(0.75, 0, "teacher"), *control[1:], *FLOAT],
        "teacher pruned 50 %, then distilled": [taught, pruned(0.5, 0, "teacher"), *control[1:], *FLOAT],
        "teacher pruned, tuned, then distilled": [taught, pruned(0.5, budget.tuning, "teacher"), *control[1:], *FLOAT],
        "teacher INT4 tensor, then distilled": [taught, rounded(4, "tensor", 0, "teacher"), *control[1:], *FLOAT],
        "student INT4 post-training": [*control, rounded(4, "channel", 0)],
        "student INT4 trained": [*control, rounded(4, "channel", budget.tuning)],
        "student INT8 trained": [*control, student("qat", epochs=budget.tuning), *INT8],
        "student INT8 tensor": [*control, *FLOAT[:2], student("quantize", per_channel="no"), FLOAT[2]],
        "student INT8 trained, then sparse": [
            *control, student("qat", epochs=budget.tuning), zeros(0.5, budget.tuning), *INT8,
        ],
        "student sparse, then INT8 trained": [
            *control, zeros(0.5, budget.tuning), student("qat", epochs=budget.tuning), *INT8,
        ],
        "student rounded to INT8 twice": [*control, rounded(8, "tensor", 0), *INT8],
        "student rounded to INT4, then INT8": [*control, rounded(4, "tensor", 0), *INT8],
        "student sparse 90 % at once": [*control, zeros(0.9, 3 * budget.tuning)],
        "student sparse 90 % gradually": [*control, zeros(0.9, 3 * budget.tuning, gradual=True)],
    }  # fmt: skip
    recipes |= {f"{name}": [taught, *steps] for name, steps in one_shot(budget).items()}
    return Arms(
        recipes=recipes,
        narrow={
            "half": {"half the width, distilled": [*control, *INT8]},
            "quarter": {"failed, a quarter as wide": failed(taught, whole, 4, 0.5)},
        },
        pipelines=["recommended", "recommended, 75 % pruned", "control: undamaged teacher", "control: student alone"],
        cascades=[
            "failed",
            "failed, a quarter as wide",
            "failed, 75 % pruned",
            "failed, INT2, 75 %",
            "P50 then Q4 tensor",
            "Q4 tensor then P50",
            "P50 then Q4 channel",
            "Q4 channel then P50",
            "P50 then Q4 tensor, tuned",
        ],
        questions=[
            ("the failed pipeline against the recommended one", "failed", "recommended"),
            ("the same at the same size", "failed, a quarter as wide", "recommended"),
            ("the same, 75 % pruned", "failed, 75 % pruned", "recommended, 75 % pruned"),
            ("the same, INT2", "failed, INT2, 75 %", "recommended, 75 % pruned"),
            ("what the damaged teacher costs the student", "failed", "control: undamaged teacher"),
            ("the same, INT2, 75 %", "failed, INT2, 75 %", "control: undamaged teacher"),
            ("a damaged teacher against none", "failed", "control: student alone"),
            ("the same, INT2, 75 %", "failed, INT2, 75 %", "control: student alone"),
            ("what distillation adds", "control: undamaged teacher", "control: student alone"),
            ("ablation: distillation", "recommended", "without distillation"),
            ("ablation: pruning", "recommended", "without pruning"),
            ("ablation: INT8", "recommended", "without INT8"),
            ("a fourth technique", "four techniques", "recommended"),
            ("fine-tuning after pruning", "pruned, not fine-tuned", "recommended"),
            ("prune the student or design it small", "recommended", "half the width, distilled"),
            ("teacher sparse 75 % first", "teacher sparse 75 %, then distilled", "control: undamaged teacher"),
            ("teacher pruned first", "teacher pruned 50 %, then distilled", "control: undamaged teacher"),
            (
                "teacher pruned and tuned first",
                "teacher pruned, tuned, then distilled",
                "control: undamaged teacher",
            ),
            ("teacher INT4 first", "teacher INT4 tensor, then distilled", "control: undamaged teacher"),
            ("INT4: post-training or trained", "student INT4 post-training", "student INT4 trained"),
            ("INT8: post-training or trained", "without pruning", "student INT8 trained"),
            ("INT8: per tensor or per channel", "student INT8 tensor", "without pruning"),
            ("QAT and sparsity", "student INT8 trained, then sparse", "student sparse, then INT8 trained"),
            ("rounded twice", "student rounded to INT8 twice", "without pruning"),
            ("rounded to INT4, then INT8", "student rounded to INT4, then INT8", "without pruning"),
            ("sparse at once or gradually", "student sparse 90 % at once", "student sparse 90 % gradually"),
            *ORDERS,
        ],
    )


def teacher(use: str, **options: Any) -> dict[str, Any]:
    return {"use": use, "role": "teacher", **options}


def student(use: str, **options: Any) -> dict[str, Any]:
    return {"use": use, **options}


FLOAT: Steps = [student("export"), student("simplify"), student("fuse")]
INT8: Steps = [student("export"), student("simplify"), student("quantize"), student("fuse")]


def failed(taught: dict[str, Any], epochs: int, bits: int, sparsity: float) -> Steps:
    """INT4 for a whole tensor, unstructured pruning, distillation from what is left, graph optimization."""
    damage = [rounded(bits, "tensor", 0, "teacher", "kept"), zeros(sparsity, 0, "teacher", norms="kept")]
    return [taught, *damage, student("distill", epochs=epochs), *FLOAT]


def rounded(
    bits: int, granularity: str, epochs: int, role: str = "student", norms: str = "re-estimated"
) -> dict[str, Any]:
    options = {"bits": bits, "granularity": granularity, "epochs": epochs, "batch_norm": norms}
    return {"use": "quantize-weights", "role": role, **options}


def zeros(
    sparsity: float, epochs: int, role: str = "student", *, gradual: bool = False, norms: str = "re-estimated"
) -> dict[str, Any]:
    options = {"sparsity": sparsity, "epochs": epochs, "gradual": gradual, "batch_norm": norms}
    return {"use": "sparsify", "role": role, **options}


def pruned(ratio: float, epochs: int, role: str = "student") -> dict[str, Any]:
    return {"use": "prune", "role": role, "ratio": ratio, "epochs": epochs}


def one_shot(budget: Budget) -> dict[str, Steps]:
    """Both orders of rounding and pruning on the trained teacher: without fine-tuning, batch norms kept or not, and
    with fine-tuning after each."""
    found: dict[str, Steps] = {}
    for share in (0.5, 0.7):
        for label, bits, granularity in GRIDS:
            first = zeros(share, 0, "teacher", norms="kept")
            then = rounded(bits, granularity, 0, "teacher", "kept")
            found[f"P{share * 100:.0f} then {label}"] = [first, then]
            found[f"{label} then P{share * 100:.0f}"] = [then, first]
    for label, bits, granularity in GRIDS:
        found[f"{label} alone"] = [rounded(bits, granularity, 0, "teacher", "kept")]
        found[f"{label} alone, norms re-estimated"] = [rounded(bits, granularity, 0, "teacher")]
    for share in (0.5, 0.7):
        found[f"P{share * 100:.0f} alone"] = [zeros(share, 0, "teacher", norms="kept")]
        found[f"P{share * 100:.0f} alone, norms re-estimated"] = [zeros(share, 0, "teacher")]
    for label, bits, granularity in GRIDS[:2]:
        first = zeros(0.5, budget.tuning, "teacher")
        then = rounded(bits, granularity, budget.tuning, "teacher")
        found[f"P50 then {label}, tuned"] = [first, then]
        found[f"{label} then P50, tuned"] = [then, first]
    return found


GRIDS = [("Q4 tensor", 4, "tensor"), ("Q4 channel", 4, "channel"), ("Q8 channel", 8, "channel")]

ORDERS = [
    (f"{label} and {share}: rounding first", f"{label} then {share}", f"{share} then {label}")
    for share in ("P50", "P70")
    for label, _, _ in GRIDS
]
ORDERS += [
    (f"{label} and P50, tuned: rounding first", f"{label} then P50, tuned", f"P50 then {label}, tuned")
    for label, _, _ in GRIDS[:2]
]
ORDERS += [
    (f"batch norms kept after {name}", f"{name} alone", f"{name} alone, norms re-estimated")
    for name in ("P50", "P70", "Q4 tensor", "Q4 channel")
]
ORDERS += [
    ("INT8 after pruning", "P50 then Q8 channel", "P50 alone"),
    ("8 bits or 4", "Q8 channel alone", "Q4 channel alone"),
]
