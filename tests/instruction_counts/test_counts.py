from pathlib import Path

import pytest

from edgekit.instruction_counts.counts import CacheCounts, read_intervals, total_of
from edgekit.instruction_counts.instructions import InstructionKind

LOAD, MULTIPLY, BRANCH = "2000c03d", "20cc220e", "c0035fd6"
TOLD = f"""interval 113 7 1 112 16 7 3 2 1 3 2 2 0
0 2
1 5
interval 173 0 0 0 0 0 0 0 0 0 0 0 0
1 1
block 0 400000 {LOAD}{MULTIPLY}{MULTIPLY}
block 1 40000c {LOAD}{BRANCH}
"""


def test_what_the_plugin_wrote_is_read_by_interval_and_kind(tmp_path: Path) -> None:
    (tmp_path / "counts").write_text(TOLD)
    first, second = read_intervals(tmp_path / "counts")
    assert (first.ended_by, second.ended_by) == (113, 173)
    assert first.counts.instructions == {
        InstructionKind.VECTOR_LOAD: 7,
        InstructionKind.FLOAT_PRODUCT: 4,
        InstructionKind.BRANCH: 5,
    }
    assert first.counts.quads == {InstructionKind.VECTOR_LOAD: 7.0, InstructionKind.FLOAT_PRODUCT: 2.0}
    assert (first.counts.loaded_bytes, first.counts.stored_bytes) == (112, 16)
    assert first.counts.caches == (CacheCounts(7, 3, 2, 1), CacheCounts(3, 2, 2, 0))
    both = total_of([first.counts, second.counts])
    assert both.total == first.counts.total + second.counts.total == 18
    assert both.caches[0].misses == 3 and both.quads[InstructionKind.VECTOR_LOAD] == 8.0


def test_the_json_names_every_kind(tmp_path: Path) -> None:
    (tmp_path / "counts").write_text(TOLD)
    values = read_intervals(tmp_path / "counts")[0].counts.to_json()
    assert values["instructions"].keys() == {kind.name.lower() for kind in InstructionKind}
    assert values["quads"] == {"vector_load": 7.0, "float_product": 2.0}
    assert values["caches"][1] == {"accesses": 3, "misses": 2, "load_misses": 2, "write_backs": 0}


@pytest.mark.parametrize("text", [TOLD.replace("block 1", "block 2"), "interval 173 x\n", TOLD + "block 3\n"])
def test_a_file_that_is_not_whole_is_no_count(text: str, tmp_path: Path) -> None:
    (tmp_path / "counts").write_text(text)
    with pytest.raises((ValueError, KeyError)):
        read_intervals(tmp_path / "counts")


def test_nothing_counted_is_no_interval(tmp_path: Path) -> None:
    (tmp_path / "counts").write_text("")
    assert read_intervals(tmp_path / "counts") == []
