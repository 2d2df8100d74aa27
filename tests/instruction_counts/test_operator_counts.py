from edgekit.instruction_counts.counts import CountInterval, Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.instruction_counts.operator_counts import counts_of_operators, counts_of_run, marked_runs

MARK, CLOCK = 173, 113


def interval(total: int, ended_by: int = CLOCK) -> CountInterval:
    return CountInterval(ended_by, Counts({InstructionKind.OTHER: total}, {}, 0, 0, ()))


def test_of_every_model_only_the_marked_run_counts() -> None:
    warm, counted, between = interval(9, MARK), interval(5, MARK), interval(70, MARK)
    other = [interval(1), interval(2), interval(3, MARK)]
    runs = marked_runs([warm, counted, between, warm, *other], MARK)
    assert runs == [[counted], other]
    assert [counts_of_run(run).total for run in runs] == [5, 6]
    assert marked_runs([], MARK) == []


def test_operators_are_every_second_interval_behind_the_run_s_own() -> None:
    for after in (5, 6):
        items = [1, 2, 3, 4, 900, 7, 300, 8, 20, 9, *range(after)]
        looks = [interval(each) for each in items[:-1]] + [interval(items[-1], MARK)]
        assert [each.total for each in counts_of_operators(looks, 3)] == [900, 300, 20]


def test_another_number_of_looks_at_the_clock_tells_of_no_operator() -> None:
    for others in (*range(9), 11, 12):
        looks = [interval(1) for _ in range(others + 6)]
        assert (counts_of_operators(looks, 3) == []) == (others not in (9, 10))
