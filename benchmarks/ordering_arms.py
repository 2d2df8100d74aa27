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


BUDGETS = {"digits": Budget(80, 0.01, 80, 10), "spoken": Budget(16, 0.005, 24, 3)}


@dataclass(frozen=True)
class Question:
    text: str
    first: str
    second: str
    codes: tuple[str, ...] = ()
    """The rows of interactions.toml whose verdict the question measures."""


@dataclass(frozen=True)
class Arms:
    recipes: dict[str, Steps]
    narrow: dict[str, dict[str, Steps]]
    """Arms with a narrower student, by the module that defines it."""
    pipelines: list[str]
    """Arms that are printed stage by stage and plotted."""
    cascades: list[str]
    """Arms that are printed with figures of the teacher's weights."""
    questions: list[Question]


def arms(budget: Budget) -> Arms:
    """Every arm and every question."""
    taught = teacher("train", epochs=budget.teacher, learning_rate=budget.rate)
    whole, half, tuning = budget.student, budget.student // 2, budget.tuning
    recommended = [taught, student("distill", epochs=half), pruned(0.5, half)]
    control = [taught, student("distill", epochs=whole)]
    qat = student("qat", epochs=tuning)
    recipes: dict[str, Steps] = {
        "failed": failed(taught, whole, 4, 0.5),
        "failed, 75 % pruned": failed(taught, whole, 4, 0.75),
        "failed, INT2, 75 %": failed(taught, whole, 2, 0.75),
        "recommended": [*recommended, *INT8],
        "recommended, 75 % pruned": [*recommended[:2], pruned(0.75, half), *INT8],
        "control: undamaged teacher": [*control, *FLOAT],
        "control: student alone": [student("train", epochs=whole), *FLOAT],
        "without distillation": [student("train", epochs=half), pruned(0.5, half), *INT8],
        "without pruning": [*control, *INT8],
        "without INT8": [*recommended, *FLOAT],
        "pruned, then distilled": [
            taught, student("train", epochs=half // 2), pruned(0.5, half // 2), student("distill", epochs=half), *INT8,
        ],
        "four techniques": [*recommended[:2], pruned(0.5, half // 2), zeros(0.5, half // 2), *INT8],
        "pruned, not fine-tuned": [*recommended[:2], pruned(0.5, 0), *INT8],
        "teacher sparse 75 %, then distilled": [taught, zeros(0.75, 0, "teacher"), *control[1:], *FLOAT],
        "teacher pruned 50 %, then distilled": [taught, pruned(0.5, 0, "teacher"), *control[1:], *FLOAT],
        "teacher INT4 tensor, then distilled": [taught, rounded(4, "tensor", 0, "teacher"), *control[1:], *FLOAT],
        "student INT4 post-training": [*control, rounded(4, "channel", 0), *INT8],
        "student INT4 trained": [*control, student("qat", bits=4, epochs=tuning), *INT8],
        "student INT8 trained": [*control, qat, *INT8],
        "student INT8 trained, not fused": [*control, qat, *INT8[:3]],
        "student INT8 trained, then sparse": [*control, qat, zeros(0.5, tuning), *INT8],
        "student sparse, then INT8 trained": [*control, zeros(0.5, tuning), qat, *INT8],
        "student rounded to INT8 twice": [*control, rounded(8, "tensor", 0), *INT8],
        "student rounded to INT4, then INT8": [*control, rounded(4, "tensor", 0), *INT8],
        "student sparse": [*control, zeros(0.5, tuning), *FLOAT],
    }  # fmt: skip
    for share in (0.5, 0.75, 0.9):
        recipes[f"student {share:.0%} zeros at once"] = [*control, zeros(share, 3 * tuning)]
        recipes[f"student {share:.0%} zeros gradually"] = [*control, zeros(share, 3 * tuning, gradual=True)]
    for share in (0.5, 0.75):
        recipes[f"student {share:.0%} of channels at once"] = [*control, pruned(share, 3 * tuning)]
        recipes[f"student {share:.0%} of channels gradually"] = [*control, pruned(share, 3 * tuning, gradual=True)]
    recipes |= {name: [taught, *steps] for name, steps in one_shot(budget).items()}
    return Arms(
        recipes=recipes,
        narrow={
            "half": {"half the width, distilled": [*control, *INT8]},
            "quarter": {"failed, a quarter as wide": failed(taught, whole, 4, 0.5)},
        },
        pipelines=[
            "failed",
            "failed, 75 % pruned",
            "failed, INT2, 75 %",
            "failed, a quarter as wide",
            "recommended",
            "recommended, 75 % pruned",
            "control: undamaged teacher",
            "control: student alone",
        ],
        cascades=[
            "failed",
            "failed, 75 % pruned",
            "failed, INT2, 75 %",
            "P50 then Q4 tensor",
            "Q4 tensor then P50",
            "P50 then Q4 channel",
            "Q4 channel then P50",
        ],
        questions=[*PIPELINES, *SINGLE, *SCHEDULES, *ORDERS],
    )


PIPELINES = [
    Question("the failed pipeline against the recommended one", "failed", "recommended", ("EK203",)),
    Question("the same at the same size", "failed, a quarter as wide", "recommended"),
    Question("the same, 75 % pruned", "failed, 75 % pruned", "recommended, 75 % pruned"),
    Question("the same, INT2", "failed, INT2, 75 %", "recommended, 75 % pruned"),
    Question("what the damaged teacher costs the student", "failed", "control: undamaged teacher"),
    Question("the same, INT2, 75 %", "failed, INT2, 75 %", "control: undamaged teacher"),
    Question("a damaged teacher against none", "failed", "control: student alone"),
    Question("the same, INT2, 75 %, against none", "failed, INT2, 75 %", "control: student alone"),
    Question("what distillation adds", "control: undamaged teacher", "control: student alone"),
    Question("ablation: distillation", "recommended", "without distillation"),
    Question("ablation: pruning", "recommended", "without pruning", ("EK105",)),
    Question("ablation: INT8", "recommended", "without INT8", ("EK104",)),
]
SINGLE = [
    Question("INT8 after distillation, against float", "without pruning", "control: undamaged teacher", ("EK111",)),
    Question("pruned before distillation, against after", "pruned, then distilled", "recommended", ("EK113",)),
    Question("four techniques, against three", "four techniques", "recommended", ("EK201",)),
    Question(
        "channels pruned without fine-tuning, against with it", "pruned, not fine-tuned", "recommended", ("EK303",)
    ),
    Question("a pruned student, against one designed small", "recommended", "half the width, distilled", ("EK112",)),
    Question(
        "a teacher with 75 % zeros, against a whole one",
        "teacher sparse 75 %, then distilled",
        "control: undamaged teacher",
        ("EK107",),
    ),
    Question(
        "a teacher without half of its channels, against a whole one",
        "teacher pruned 50 %, then distilled",
        "control: undamaged teacher",
        ("EK107",),
    ),
    Question(
        "a teacher rounded to INT4, against a whole one",
        "teacher INT4 tensor, then distilled",
        "control: undamaged teacher",
        ("EK108",),
    ),
    Question(
        "INT4 after training, against trained for it", "student INT4 post-training", "student INT4 trained", ("EK305",)
    ),
    Question("INT8 after training, against trained for it", "without pruning", "student INT8 trained", ("EK309",)),
    Question("QAT with 4 bits, against 8", "student INT4 trained", "student INT8 trained", ("EK412",)),
    Question("QAT, fused, against not fused", "student INT8 trained", "student INT8 trained, not fused", ("EK106",)),
    Question(
        "QAT, then zeros, against zeros, then QAT",
        "student INT8 trained, then sparse",
        "student sparse, then INT8 trained",
        ("EK115",),
    ),
    Question("rounded to INT8 twice, against once", "student rounded to INT8 twice", "without pruning", ("EK116",)),
    Question(
        "rounded to INT4, then INT8, against INT8", "student rounded to INT4, then INT8", "without pruning", ("EK109",)
    ),
    Question(
        "half of the weights zero, against all of them", "student sparse", "control: undamaged teacher", ("EK401",)
    ),
]
SCHEDULES = [
    *(
        Question(
            f"{share[:-1]} % zeros at once, against gradually",
            f"student {share} zeros at once",
            f"student {share} zeros gradually",
            ("EK306",) if share == "90%" else (),
        )
        for share in ("50%", "75%", "90%")
    ),
    *(
        Question(
            f"{share[:-1]} % of the channels at once, against gradually",
            f"student {share} of channels at once",
            f"student {share} of channels gradually",
        )
        for share in ("50%", "75%")
    ),
]


def teacher(use: str, **options: Any) -> dict[str, Any]:
    return {"use": use, "role": "teacher", **options}


def student(use: str, **options: Any) -> dict[str, Any]:
    return {"use": use, **options}


FLOAT: Steps = [student("export"), student("simplify"), student("fuse")]
INT8: Steps = [student("export"), student("simplify"), student("quantize"), student("fuse")]


def failed(taught: dict[str, Any], epochs: int, bits: int, sparsity: float) -> Steps:
    """INT4 with one scale per tensor, unstructured pruning, distillation from the damaged teacher, graph
    optimization."""
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


def pruned(ratio: float, epochs: int, role: str = "student", *, gradual: bool = False) -> dict[str, Any]:
    return {"use": "prune", "role": role, "ratio": ratio, "epochs": epochs, "gradual": gradual}


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

IN_WORDS = {
    "P50": "50 % zeros",
    "P70": "70 % zeros",
    "Q4 tensor": "INT4 per tensor",
    "Q4 channel": "INT4 per channel",
    "Q8 channel": "INT8 per channel",
}
CODES = {"Q4 tensor": ("EK101",), "Q4 channel": ("EK102",), "Q8 channel": ("EK103",)}
TUNED_CODES = {"Q4 tensor": ("EK114",), "Q4 channel": ("EK102",)}

ORDERS = [
    Question(
        f"{IN_WORDS[label]}, then {IN_WORDS[share]} in one shot, against the other order",
        f"{label} then {share}",
        f"{share} then {label}",
        CODES[label],
    )
    for share in ("P50", "P70")
    for label, _, _ in GRIDS
]
ORDERS += [
    Question(
        f"{IN_WORDS[label]}, then {IN_WORDS['P50']}, each fine-tuned, against the other order",
        f"{label} then P50, tuned",
        f"P50 then {label}, tuned",
        TUNED_CODES[label],
    )
    for label, _, _ in GRIDS[:2]
]
ORDERS += [
    Question(
        f"batch norms kept after {IN_WORDS[name]}, against re-estimated",
        f"{name} alone",
        f"{name} alone, norms re-estimated",
        ("EK304",) if name.startswith("P") else ("EK317",),
    )
    for name in ("P50", "P70", "Q4 tensor", "Q4 channel")
]
ORDERS += [
    Question("INT8 after pruning, against float", "P50 then Q8 channel", "P50 alone", ("EK104",)),
    Question("4 bits after training, against 8", "Q4 channel alone", "Q8 channel alone", ("EK305",)),
]
