"""interactions.toml -> Interactions: which techniques go together, as data, and whether a row applies to given
steps."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, field

from edgekit.architectures import ARCHITECTURES
from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.contract.technique import PROPERTIES, Family, Technique, properties
from edgekit.errors import InteractionsError, did_you_mean
from edgekit.figures.conclusions import MARGIN, conclusion_on, is_large_loss
from edgekit.figures.intervals import LEVEL, Interval
from edgekit.records import Record, read_toml, validate
from edgekit.runtime_specs import RUNTIMES
from edgekit.traits import Architecture, Role

_NETWORKS = 2
"""The networks on which a large loss must have been measured to make a poor verdict an error."""
STEP_NAMES = PROPERTIES - {"unknown"} | {"role", "trained", "removes_units", "training_epochs"}
CONTEXT_PROPERTIES = (
    "architecture", "student_share", "batch_norms", "odd_channels", "training_data", "arch", "isa", "runtime",
    "is_this_machine", "prunable", "student_is_teacher",
)  # fmt: skip

_POSSIBLE = {"architecture": get_args(Architecture), "arch": tuple(ARCHITECTURES), "runtime": tuple(RUNTIMES)}
"""All values of properties that have few."""


class PairVerdict(StrEnum):
    GOOD = "good"
    MODERATE = "moderate"
    POOR = "poor"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class ValueLimits(Record, frozen=True):
    """For a number, inclusive limits. For a set, its required (`has`) and excluded (`lacks`) members."""

    min: float | None = None
    max: float | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def allow(self, value: Any) -> bool:
        """Whether a number or set is within the limits."""
        if isinstance(value, int | float):
            return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)
        return set(self.has) <= set(value) and not set(self.lacks) & set(value)

    def meet(self, other: "ValueLimits") -> bool:
        """Whether a value can be within both limits."""
        low = max((each.min for each in (self, other) if each.min is not None), default=float("-inf"))
        high = min((each.max for each in (self, other) if each.max is not None), default=float("inf"))
        return low <= high and not (set(self.has) & set(other.lacks) or set(other.has) & set(self.lacks))


Constraint = bool | float | str | tuple[str, ...] | ValueLimits
Condition = dict[str, Constraint]
Side = Literal["first", "then", "step"]


class Evidence(Record, frozen=True, kw_only=True):
    """The evidence for a verdict."""

    kind: Literal["paper", "published", "measured", "claim", "documentation"]
    source: str
    says: str
    question: str | None = None
    """The question in benchmarks/ordering.py that `points` answers."""
    points: tuple[float, float, float] | None = None
    """The advantage of the first of two arms: the mean, and the ends of the 95 % interval."""

    @property
    def is_large_loss(self) -> bool:
        """Whether the whole interval of the points is below the margin."""
        return self.points is not None and is_large_loss(Interval(*self.points), MARGIN)

    @property
    def statement(self) -> str:
        """What the source says, with the points."""
        return self.says if self.points is None else f"{self.says}; {self._points_in_words}"

    @property
    def answer(self) -> str:
        """The answer of an example to the question, without its unit and level; the example follows the program in the
        source."""
        assert self.points is not None
        mean, low, high = self.points
        example = self.source.partition(", ")[2].partition(", ")[0] or self.source
        return f"{example} {mean:+.2f} ({low:+.2f} to {high:+.2f}), {conclusion_on(Interval(mean, low, high), MARGIN)}"

    @property
    def _points_in_words(self) -> str:
        assert self.points is not None
        mean, low, high = self.points
        conclusion = conclusion_on(Interval(mean, low, high), MARGIN)
        return f"{mean:+.2f} points, {LEVEL:.0%} interval {low:+.2f} to {high:+.2f}: {conclusion}"


class Replacement(Record, frozen=True, kw_only=True):
    side: Side
    use: str
    options: dict[str, Any] = {}
    channel_share: dict[str, str] = {}
    """An option that is a share of weights, and the new step's option for the share of channels that leaves as many
    weights. Options of the same name are carried over."""
    note: str = ""
    """What else the replacement changes, told with it."""


class OptionChange(Record, frozen=True, kw_only=True):
    side: Side
    options: dict[str, Any]


class Remedy(Record, frozen=True, kw_only=True):
    """What `edgekit plan --fix` changes in the recipe: exactly one of these."""

    swap: bool = False
    remove: Side | tuple[Condition, ...] | None = None
    """A step by its side, or the steps of the first technique that one of these conditions fits, tried in order."""
    to_student: Side | None = None
    """Apply the step to the student after distillation instead of the teacher."""
    replace: Replacement | None = None
    set: OptionChange | None = None
    add: str | None = None
    """A step to add where the contracts allow it."""


class Example(Record, frozen=True, kw_only=True):
    """Two short recipes in the form of `recipe_in_words`, and the context in which they are checked."""

    triggers: str
    silent: str
    given: dict[str, Any] = {}
    """Properties of the models and the target; all others are known and irrelevant."""
    silent_given: dict[str, Any] | None = None
    """For the silent recipe, if the context makes the difference."""


class Interaction(Record, frozen=True, kw_only=True):
    """One row: an ordered pair (`first`, `then`), one step or, with `count`, all steps of a kind together."""

    code: Annotated[str, Meta(pattern=r"^EK[1-9]\d\d$")]
    title: str
    first: Condition | None = None
    then: Condition | None = None
    step: Condition | None = None
    count: Annotated[int, Meta(ge=2)] | None = None
    """The least number of different techniques that fit `step`. A technique that is applied in several rounds counts
    once."""
    without_before: Condition | None = None
    """No earlier step of the same model may fit this."""
    without_after: Condition | None = None
    """No later step of the same model may fit this."""
    when: Condition = {}
    verdict: PairVerdict
    damages: bool = False
    """Whether the step at fault leaves a model that later techniques cannot build on."""
    breaks: bool = False
    """Whether, by construction, the step cannot have its effect in this case, or the file is wrong on the target."""
    own_severity: Severity | None = field(default=None, name="severity")
    """Error or warning for a poor verdict, in a project's own table. For a shipped row, the evidence decides."""
    why: str
    limits: str = ""
    """What this project's measurements add to the reason, or where they contradict it."""
    fix: str = ""
    remedy: Remedy | None = None
    example: Example | None = None
    evidence: Annotated[tuple[Evidence, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if (self.first is None) != (self.then is None) or (self.first is None) == (self.step is None):
            raise ValueError("a row needs either 'first' and 'then', or 'step'")
        for condition in (self.first, self.then, self.step, self.without_before, self.without_after):
            check_step_condition(condition or {})
        _check_names(self.when, CONTEXT_PROPERTIES)
        if self.verdict is PairVerdict.POOR:
            if self.own_severity is Severity.INFO:
                raise ValueError("a poor verdict has the severity 'error' or 'warning', or none: the evidence decides")
            if not self.fix:
                raise ValueError("a poor verdict needs 'fix': what to do")
        elif self.own_severity is not None or self.breaks:
            raise ValueError("only a poor verdict has 'severity' or 'breaks': a moderate one is info, a good one none")

    @property
    def severity(self) -> Severity | None:
        """Info for a moderate verdict, none for a good one. A poor verdict is an error where the step cannot have its
        effect, and where a large loss was measured on at least two networks; else it is a warning."""
        if self.verdict is not PairVerdict.POOR:
            return Severity.INFO if self.verdict is PairVerdict.MODERATE else None
        if self.own_severity is not None:
            return self.own_severity
        return Severity.ERROR if self.breaks or len(self.large_losses) >= _NETWORKS else Severity.WARNING

    @property
    def large_losses(self) -> frozenset[str]:
        """The sources that measured a loss beyond the margin, with certainty. The first arm of a question is the row's
        case, and the second one its alternative."""
        return frozenset(each.source for each in self.evidence if each.is_large_loss)

    @property
    def sides(self) -> tuple[Condition, ...]:
        """The conditions on the row's steps, in order."""
        return tuple(each for each in (self.first, self.then, self.step) if each is not None)

    @property
    def families(self) -> tuple[frozenset[str], ...]:
        """The technique families of the row, in order."""
        return tuple(map(_families, self.sides))

    @property
    def is_about_order(self) -> bool:
        """Whether the row recommends the other order."""
        return self.first is not None and self.remedy is not None and self.remedy.swap


def check_step_condition(condition: Condition) -> None:
    """Check that a condition on a step names known properties and families. Raises ValueError."""
    _check_names(condition, STEP_NAMES)
    for family in _families(condition):
        if family not in set(Family):
            raise ValueError(f"no technique family '{family}'; {did_you_mean(family, list(Family))}")


def _check_names(condition: Condition, known: Sequence[str] | frozenset[str]) -> None:
    for name in condition:
        if name not in known:
            raise ValueError(f"no property '{name}'; {did_you_mean(name, sorted(known))}")


def _families(condition: Condition) -> frozenset[str]:
    family = condition.get("family")
    if isinstance(family, str):
        return frozenset({family})
    return frozenset(family) if isinstance(family, tuple) else frozenset()


Interactions = tuple[Interaction, ...]


class Rule(Record, frozen=True):
    """A finding that is based on contracts or a study instead of the table."""

    title: str
    severity: Severity
    why: str
    fix: str
    source: str
    """What it is based on."""
    example: Example


_CONTRACTS = "the steps' contracts"

RULES = {
    "EK001": Rule(
        "a step cannot take its input",
        Severity.ERROR,
        "Each step's contract declares the traits that its input must have (a PyTorch module or an ONNX file, float or "
        "quantized, trained, shaped, folded, portable), and the traits that it provides and preserves. A step before "
        "this "
        "one removed a required trait, or no step provides it. The recipe cannot run, so the finding cannot be "
        "allowed.",
        "move the step before the one that removes the trait, or add a step that provides it",
        _CONTRACTS,
        Example(triggers="train; export; prune; simplify; quantize", silent="train; prune; export; simplify; quantize"),
    ),
    "EK002": Rule(
        "a step needs a model that the project does not have",
        Severity.ERROR,
        "Distillation needs a teacher; [model] in edgekit.toml has none.",
        'add teacher = "model:teacher" to [model]; or train instead (recipe train-prune-int8)',
        _CONTRACTS,
        Example(triggers="distill; export", silent="train; export", given={"teacher": False}),
    ),
    "EK003": Rule(
        "no model for the device",
        Severity.ERROR,
        "The recipe ends without a model file for the student.",
        "add the step export",
        _CONTRACTS,
        Example(triggers="train", silent="train; export"),
    ),
    "EK190": Rule(
        "an order with a lower metric on your own model",
        Severity.ERROR,
        "Both orders of two steps were measured on this project. This order has the lower metric: the 95 % interval of "
        "the difference is below zero. The interactions table has no row for the pair.",
        "swap the two steps",
        "a study's results for the project",
        Example(
            triggers="train; qat; sparsify; export; simplify; quantize",
            silent="train; sparsify; qat; export; simplify; quantize",
            given={"study": "an example: qat before sparsify against the other order: -5.0 points [-7.0, -3.0]"},
        ),
    ),
    "EK191": Rule(
        "a step without measurable benefit on your own model",
        Severity.WARNING,
        "The recipe was measured on this project with and without this step. The step improves neither the metric "
        "nor the "
        "file size.",
        "remove the step",
        "a study's results for the project",
        Example(
            triggers="train; sparsify; export; simplify; quantize",
            silent="train; export; simplify; quantize",
            given={
                "study": "an example: with sparsify against without it: 0.0 points [-1.0, 1.0], and the file is not "
                "smaller"
            },
        ),
    ),
}
"""By code."""


@cache
def shipped_interactions() -> Interactions:
    """The table that comes with edgekit."""
    return load_interactions(Path(__file__).with_name("interactions.toml"))


def interactions_with(path: Path) -> Interactions:
    """The shipped table with a file's rows, which replace shipped rows of the same code. Raises InteractionsError as
    `load_interactions` does, for the whole table."""
    own = load_interactions(path)
    codes = {row.code for row in own}
    whole = [*(row for row in shipped_interactions() if row.code not in codes), *own]
    _check(whole, path)
    return tuple(whole)


def load_interactions(path: Path) -> Interactions:
    """The rows of a file. Raises InteractionsError for a wrong row, a duplicate code, two contradicting rows, and rows
    whose orders form a cycle."""
    tables = read_toml(path, InteractionsError)
    unknown = set(tables) - {"interactions"}
    if unknown or not isinstance(tables.get("interactions"), list):
        raise InteractionsError(f"{path}: [[interactions]] is missing", "write one [[interactions]] table for each row")
    rows = []
    for number, table in enumerate(tables["interactions"], start=1):
        where = (
            f"{path}, {table.get('code', f'row {number}')}" if isinstance(table, Mapping) else f"{path}, row {number}"
        )
        rows.append(validate(Interaction, table, where, InteractionsError))
    _check(rows, path)
    return tuple(rows)


def _check(rows: Sequence[Interaction], path: Path) -> None:
    _check_codes(rows, path)
    _check_remedies(rows, path)
    _check_contradictions(rows, path)
    _check_circles(rows, path)


def fits(condition: Condition, known: Mapping[str, Any], unknown: frozenset[str] = frozenset()) -> bool | None:
    """Whether a condition holds for these properties; None if it depends on an unknown one. A condition that holds for
    every possible value of an unknown property holds."""
    undecided = False
    for name, constraint in condition.items():
        if name in unknown:
            possible = [_holds(constraint, value) for value in _POSSIBLE.get(name, ())]
            undecided = undecided or not possible or not all(possible)
        elif not _holds(constraint, known.get(name)):
            return False
    return None if undecided else True


def step_properties(
    technique: Technique, role: Role, *, trained: bool | None = None, removes_units: bool | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """The properties of a step that conditions may refer to, and the names of unknown ones. `trained` refers to the
    model that it reads, `removes_units` to what structured pruning finds in it."""
    observed = {"trained": trained, "removes_units": removes_units}
    unknown = technique.unknown | {name for name, value in observed.items() if value is None}
    known = {**properties(technique), "role": role.value, "training_epochs": technique.epochs, **observed}
    return known, unknown


def step_fits(condition: Condition, technique: Technique, role: Role) -> bool | None:
    """Whether a condition holds for a step, for any model."""
    return fits(condition, *step_properties(technique, role))


def _holds(constraint: Constraint, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(constraint, ValueLimits):
        return constraint.allow(value)
    if isinstance(constraint, tuple):
        return value in constraint
    return bool(value == constraint)


def _check_codes(rows: Sequence[Interaction], path: Path) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.code in seen:
            raise InteractionsError(f"{path}: {row.code} stands twice", "give each row a code of its own")
        seen.add(row.code)


def _check_remedies(rows: Sequence[Interaction], path: Path) -> None:
    """Check that remedies name existing steps."""
    load_all()
    for row in rows:
        for name in (row.remedy.add, row.remedy.replace.use if row.remedy.replace else None) if row.remedy else ():
            if name is not None and name not in Step.registry:
                raise InteractionsError(
                    f"{path}, {row.code}: its remedy names the step '{name}', which does not exist",
                    did_you_mean(name, list(Step.registry)),
                )


def _check_contradictions(rows: Sequence[Interaction], path: Path) -> None:
    """Check that no two rows have different verdicts on the same pair of families under conditions that can hold at
    once, or on one step under the same conditions."""
    for one, other in combinations(rows, 2):
        if one.verdict is not other.verdict and (_is_same_pair(one, other) or _is_same_step(one, other)):
            raise InteractionsError(
                f"{path}: {one.code} and {other.code} give the same case the verdicts {one.verdict} and "
                f"{other.verdict}",
                "keep one of them, or give them different conditions",
            )


def _is_same_pair(one: Interaction, other: Interaction) -> bool:
    if one.first is None or one.then is None or other.first is None or other.then is None:
        return False
    if not all((*one.families, *other.families)):
        return False
    return overlap(one.first, other.first) and overlap(one.then, other.then) and overlap(one.when, other.when)


def _is_same_step(one: Interaction, other: Interaction) -> bool:
    def step_of(row: Interaction) -> tuple[object, ...]:
        return row.step, row.when, row.count, row.without_before, row.without_after

    return one.step is not None and step_of(one) == step_of(other)


def _check_circles(rows: Sequence[Interaction], path: Path) -> None:
    """Check that the orders that rows require do not form a cycle of steps that can occur in one recipe."""
    orders = [(row, *order) for row in rows if (order := required_order(row))]
    for one in orders:
        for chain in _chains([one], orders):
            codes = " -> ".join(each[0].code for each in chain)
            raise InteractionsError(
                f"{path}: no order satisfies {codes}: their required orders form a cycle",
                "change a verdict, or give the rows different conditions",
            )


def required_order(row: Interaction) -> tuple[Condition, Condition] | None:
    """(earlier, later) by a row that requires an order."""
    if row.first is None or row.then is None:
        return None
    if row.is_about_order:
        return row.then, row.first
    return (row.first, row.then) if row.verdict is PairVerdict.GOOD else None


def _chains(chain: list[Any], orders: list[Any]) -> Iterator[list[Any]]:
    """Closed chains of orders in which each later step can be the next one's earlier step."""
    _, _, later = chain[-1]
    if overlap(later, chain[0][1]):
        yield chain
        return
    for each in orders:
        if each not in chain and overlap(later, each[1]):
            yield from _chains([*chain, each], orders)


def overlap(one: Condition, other: Condition) -> bool:
    """Whether one step could fit both conditions."""
    return all(_compatible(one[name], other[name]) for name in one.keys() & other.keys())


def _compatible(one: Constraint, other: Constraint) -> bool:
    if isinstance(one, ValueLimits) and isinstance(other, ValueLimits):
        return one.meet(other)
    if isinstance(one, ValueLimits) or isinstance(other, ValueLimits):
        limits, value = (one, other) if isinstance(one, ValueLimits) else (other, one)
        return any(_holds(limits, each) for each in (value if isinstance(value, tuple) else (value,)))
    choices = [list(each) if isinstance(each, tuple) else [each] for each in (one, other)]
    return any(left == right for left, right in product(*choices))
