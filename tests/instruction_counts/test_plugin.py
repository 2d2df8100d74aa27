import random
import subprocess
from collections import OrderedDict
from pathlib import Path

import pytest

from edgekit.errors import EmulatorError
from edgekit.instruction_counts.counts import CacheCounts
from edgekit.instruction_counts.plugin import SOURCE, can_be_counted, compile_plugin, plugin_options, plugin_path
from edgekit.target_files import find_target
from tests.instruction_counts.compiler import needs_compiler

RPI4 = find_target("rpi4")

HARNESS = r"""
#include "SOURCE"
void qemu_plugin_register_vcpu_tb_trans_cb(Id a, void (*b)(Id, struct qemu_plugin_tb *)) {}
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *a, int b, void *c, uint64_t d) {}
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *a, void (*b)(unsigned, Access, uint64_t, void *), int c, int d, void *e) {}
void qemu_plugin_register_vcpu_syscall_cb(Id a, void (*b)(Id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t)) {}
void qemu_plugin_register_atexit_cb(Id a, void (*b)(Id, void *), void *c) {}
void qemu_plugin_reset(Id a, void (*b)(Id)) { b(a); }
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *a) { return 0; }
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *a, size_t b) { return NULL; }
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *a) { return 0; }
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *a) { return NULL; }
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *a) { return 0; }
unsigned qemu_plugin_mem_size_shift(Access a) { return a & 15; }
_Bool qemu_plugin_mem_is_store(Access a) { return a & 16; }
int main(int argc, char **argv)
{
    unsigned shift, store;
    uint64_t address;
    if (qemu_plugin_install(0, NULL, argc - 1, argv + 1))
        return 1;
    called(0, 0, mark, 0, 0, 0, 0, 0, 0, 0, 0);
    while (scanf("%" SCNu64 " %u %u", &address, &shift, &store) == 3)
        accessed(0, shift | (store ? 16 : 0), address, NULL);
    called(0, 0, mark, 0, 0, 0, 0, 0, 0, 0, 0);
    ended(0, NULL);
    return 0;
}
"""


class Reference:
    """The same caches, each set an ordered dictionary from line to dirty, the last one used last."""

    def __init__(self, levels: list[tuple[int, int]]) -> None:
        self.levels = [[OrderedDict[int, bool]() for _ in range(sets)] for sets, _ in levels]
        self.ways = [ways for _, ways in levels]
        self.told = [[0, 0, 0, 0] for _ in levels]
        self.last: tuple[int, bool] | None = None

    def access(self, line: int, store: bool) -> None:
        if self.last and self.last[0] == line and (self.last[1] or not store):
            return
        self.last = line, store or bool(self.last and self.last[0] == line)
        for level, sets in enumerate(self.levels):
            held, value = sets[line % len(sets)], self.told[level]
            value[0] += 1
            if line in held:
                held[line] = held[line] or store
                held.move_to_end(line)
                return
            value[1] += 1
            value[2] += not store
            if len(held) == self.ways[level]:
                gone, dirty = held.popitem(last=False)
                if dirty:
                    value[3] += 1
                    self.write_back(level + 1, gone)
            held[line] = store

    def write_back(self, level: int, line: int) -> None:
        for below in range(level, len(self.levels)):
            held = self.levels[below][line % len(self.levels[below])]
            if line in held:
                held[line] = True
                return
            self.told[below][3] += 1


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    (folder / "harness.c").write_text(HARNESS.replace("SOURCE", str(SOURCE)))
    subprocess.run(["cc", "-O1", "-o", str(folder / "harness"), str(folder / "harness.c")], check=True)
    return folder / "harness"


@needs_compiler
@pytest.mark.parametrize("seed", range(6))
def test_the_caches_are_those_of_a_plain_model(seed: int, harness: Path, tmp_path: Path) -> None:
    draw = random.Random(seed)
    levels = [(2 ** draw.randint(0, 3), draw.randint(1, 4)), (2 ** draw.randint(2, 5), draw.randint(1, 8))]
    levels += [(64, 8)] * (seed % 2)
    lines, parts = Reference(levels), []
    for _ in range(4000):
        address, shift, store = draw.randrange(64 * 900), draw.randint(0, 4), draw.random() < 0.3
        if parts and draw.random() < 0.5:
            address = parts[-1][0] + draw.randint(0, 80)
        parts.append((address, shift, int(store)))
        for line in range(address >> 6, ((address + 2**shift - 1) >> 6) + 1):
            lines.access(line, store)
    options = [f"out={tmp_path}/counts", "mark=173", "line=64", *(f"cache={sets}:{ways}" for sets, ways in levels)]
    given = "".join("{} {} {}\n".format(*each) for each in parts)
    subprocess.run([str(harness), *options], input=given, text=True, check=True)
    word, mark, loads, stores, loaded, stored, *counted = (tmp_path / "counts").read_text().split()
    assert (word, mark) == ("interval", "173")
    assert int(loads) + int(stores) == 4000
    assert int(loaded) + int(stored) == sum(2**shift for _, shift, _ in parts)
    found = [CacheCounts(*map(int, counted[at : at + 4])) for at in range(0, len(counted), 4)]
    assert found == [CacheCounts(*each) for each in lines.told]


@needs_compiler
@pytest.mark.parametrize(
    "wrong", ["cache=3:2", "cache=4:0", "cache=x", "nothing", "out=/no/such/folder/counts", "what=1"]
)
def test_what_the_plugin_cannot_take_is_reported(wrong: str, harness: Path, tmp_path: Path) -> None:
    given = [wrong, f"out={tmp_path}/counts", "mark=173"]
    done = subprocess.run([str(harness), *given], capture_output=True, text=True, check=False)
    assert done.returncode and f"counters: cannot take {wrong.partition('=')[0]}" in done.stderr
    done = subprocess.run([str(harness), "mark=173"], capture_output=True, text=True, check=False)
    assert done.returncode and "out and mark are needed" in done.stderr


@needs_compiler
def test_it_is_compiled_once(tmp_path: Path) -> None:
    made = compile_plugin(tmp_path)
    assert made == plugin_path(tmp_path) and list(made.parent.iterdir()) == [made]
    before = made.stat().st_mtime_ns
    assert compile_plugin(tmp_path).stat().st_mtime_ns == before


def test_without_a_compiler_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmulatorError, match="no C compiler") as raised:
        compile_plugin(tmp_path)
    assert "apt install gcc" in raised.value.hint and not list(tmp_path.iterdir())


def test_a_compiler_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "sh -c 'echo stdio.h: No such file >&2; exit 1'")
    with pytest.raises(EmulatorError, match=r"sh cannot compile the plugin: stdio\.h: No such file"):
        compile_plugin(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_options_are_the_targets_caches(tmp_path: Path) -> None:
    values = plugin_options(Path("/a,b/p.so"), Path("/tmp/out"), RPI4, by_operator=True)
    assert values[:3] == ["-seed", "1", "-plugin"]
    assert values[3] == "/a,,b/p.so,out=/tmp/out,mark=173,clock=113,line=64,cache=256:2,cache=1024:16"
    assert "clock" not in plugin_options(Path("p.so"), tmp_path, RPI4, by_operator=False)[3]


def test_only_cores_whose_caches_are_known_are_counted() -> None:
    known = ["rpi3", "rpi4", "rpi5", "rpi-zero2w", "arm64-generic", "rpi-armv7l", "x86-avx2"]
    assert [name for name in known if can_be_counted(find_target(name))] == known[:4]
