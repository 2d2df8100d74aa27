"""targets/*.toml -> Target: the shipped targets, a project's own, and what one takes from another."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgekit.architectures import ARCHITECTURES, CORES
from edgekit.encoding import one_line
from edgekit.errors import TargetError, did_you_mean
from edgekit.host import instruction_sets
from edgekit.paths import is_there
from edgekit.records import read_toml, validate
from edgekit.target import CacheLevel, CpuInfo, Runtime, Target

_OF_THE_CORE = ("isa", "cpuinfo", "caches")
"""The keys that describe a core: a target with another core than its base has its own."""


@cache
def shipped_folder() -> Path:
    """The folder of the targets that come with edgekit: inside the wheel, or at the top of a checkout."""
    installed = Path(__file__).with_name("_targets")
    return installed if installed.is_dir() else Path(__file__).parent.parent / "targets"


def load_target(path: Path, folders: Iterable[Path] = ()) -> Target:
    """The target that a TOML file describes; its id is the file's stem. A `base` is searched for among the shipped
    targets, in `folders` and beside the file. Raises TargetError."""
    return _load(path, _tables_of(path, (*folders, path.parent), ()))


def _load(path: Path, tables: Mapping[str, Any]) -> Target:
    hint = 'or start from a similar device: base = "rpi4" (edgekit targets lists them)'
    known = {**_core_tables(tables), **tables, "id": path.stem}
    record: Target = validate(Target, known, str(path), TargetError, if_missing=hint)
    if ARCHITECTURES[record.arch].needs_cpuinfo and record.cpuinfo is None:
        raise TargetError(
            f"{path}: 'cpuinfo' is missing, and edgekit does not know the core '{record.cpu}'",
            f"add [cpuinfo], which the emulator reports to the runtime, as the board's /proc/cpuinfo has it; known "
            f"cores: {', '.join(CORES)}",
        )
    _check_features(path, record)
    _check_runtimes(path, record.runtimes)
    _check_caches(path, record.caches)
    return _with_calibration(record, path.parent)


def _core_tables(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a target that follow from its core, if that is known."""
    core = CORES.get(str(tables.get("cpu")))
    if core is None or tables.get("arch") != "aarch64":
        return {}
    cpuinfo = CpuInfo(
        implementer="0x41", variant=core.variant, part=core.part, revision=core.revision, features=core.features
    )
    return {"isa": sorted(instruction_sets(core.features)), "cpuinfo": cpuinfo.to_json()}


def _tables_of(path: Path, folders: Sequence[Path], above: Sequence[Path]) -> dict[str, Any]:
    """The tables of a target's file over those of its base. `above` are the files that have it as their base."""
    own = read_toml(path, TargetError)
    if "calibration" in own:
        raise TargetError(
            f"{path}: unknown key 'calibration'",
            "remove the key: the latency calibration is the file ID.latency.json beside this one",
        )
    if "base" not in own:
        return own
    base = _base_file(path, own.pop("base"), folders, (*above, path))
    tables = _tables_of(base, (*folders, base.parent), (*above, path))
    _load(base, tables)  # a fault of the base is reported with its own file
    return _merge(tables, own)


def _base_file(path: Path, base: Any, folders: Sequence[Path], above: Sequence[Path]) -> Path:
    """The file of a target's base: a file beside it, or the target with that id. A project's target with the id of a
    shipped one may have that one as its base."""
    if not isinstance(base, str):
        raise TargetError(f"{path}: 'base' is {base!r}: expected the id of a target", 'such as base = "rpi4"')
    places = [path.parent / base] if base.endswith(".toml") else list(_files_of(base, folders))
    left = [each for each in places if all(each.resolve() != one.resolve() for one in above)]
    if places and not left:
        raise TargetError(
            f"{path}: its base '{base}' has this target as its own base", "give the device's values in one of them"
        )
    if not left:
        known = list(target_files(folders))
        raise TargetError(f"{path}: there is no target '{base}' to be its base", did_you_mean(base, known))
    return left[0]


def _files_of(name: str, folders: Sequence[Path]) -> Iterator[Path]:
    """The files of an id, the one that takes precedence first."""
    for folder in (*reversed(folders), shipped_folder()):
        if is_there(folder / f"{name}.toml"):
            yield folder / f"{name}.toml"


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a base with a target's own keys. Tables are merged by key. Another core has none of the base's
    properties, and another runtime takes the place of the base's."""
    same_core = all(own.get(key, base.get(key)) == base.get(key) for key in ("arch", "cpu"))
    merged = {key: value for key, value in base.items() if same_core or key not in _OF_THE_CORE}
    own = {**own, **_chosen_runtime(base, own)}
    for key, value in own.items():
        before = merged.get(key)
        mixes = isinstance(before, dict) and isinstance(value, dict) and key != "runtime"
        merged[key] = {**before, **value} if mixes else value  # type: ignore[dict-item]
    return merged


def _chosen_runtime(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The runtimes of a target whose own runtime is not its base's: the others of the base stay, and the version is the
    base's if none is given. Another version alone leaves the others as they are."""
    given, before = own.get("runtime"), base.get("runtime")
    if not isinstance(given, dict) or not isinstance(before, dict):
        return {}
    runtimes = [before, *base.get("other_runtimes", ())]
    name = given.get("name", before.get("name"))
    known: Mapping[str, Any] = next((each for each in runtimes if each.get("name") == name), {})
    left = [each for each in runtimes if each.get("name") != name]
    return {"runtime": {**known, **given}, **({} if "other_runtimes" in own else {"other_runtimes": left})}


def calibration_file(target: Target, folder: Path) -> Path:
    """The file of a target's latency calibration in a folder of targets."""
    return folder / f"{target.id}.latency.json"


def _with_calibration(target: Target, folder: Path) -> Target:
    path = calibration_file(target, folder)
    return target.copy_with(calibration=str(path)) if path.is_file() else target


def _check_features(path: Path, target: Target) -> None:
    """Runtimes choose kernels by /proc/cpuinfo, and edgekit the integer scheme by `isa`: both must describe one CPU."""
    if target.cpuinfo is None:
        return
    reported = instruction_sets(target.cpuinfo.features)
    if reported != target.isa:
        sets = " and ".join(", ".join(sorted(each)) or "none" for each in (target.isa, reported))
        raise TargetError(
            f"{path}: 'isa' and cpuinfo.features name different instruction sets: {sets}",
            "correct the one that is not the device's: in Linux's names, neon is asimd, and dotprod is asimddp",
        )


def _check_runtimes(path: Path, runtimes: Sequence[Runtime]) -> None:
    names = [each.name for each in runtimes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise TargetError(
            f"{path}: the runtime {twice} is given twice", "give each runtime once, the device's default as [runtime]"
        )
    wrong = next((each for each in runtimes if each.floats not in each.spec.float_types), None)
    if wrong:
        known = " or ".join(wrong.spec.float_types)
        raise TargetError(f"{path}: {wrong.name} computes floats only in {known}", "remove the key 'floats'")


def _check_caches(path: Path, caches: Sequence[CacheLevel]) -> None:
    for level, each in enumerate(caches, 1):
        if not each.sets or each.sets & (each.sets - 1) or each.size != each.sets * each.ways * each.line:
            raise TargetError(
                f"{path}: cache {level} of {each.size} bytes cannot have {each.ways} ways of lines of {each.line}",
                "size / (ways x line) is its number of sets, a power of two",
            )
        if each.line != caches[0].line:
            raise TargetError(f"{path}: its caches have lines of different sizes", "give all caches the same line size")


def target_files(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """The file of every known target by id. Targets in `folders` (a project's own) take precedence over shipped
    ones."""
    places = (shipped_folder(), *folders)
    return {path.stem: path for place in places for path in sorted(place.glob("*.toml"))}


def load_targets(folders: Sequence[Path] = ()) -> tuple[list[Target], list[TargetError]]:
    """Every known target, and the errors of those whose files are wrong."""
    found, errors = list[Target](), list[TargetError]()
    for path in target_files(folders).values():
        try:
            found.append(load_target(path, folders))
        except TargetError as error:
            errors.append(error)
    return found, errors


def find_target(name: str, folders: Iterable[Path] = ()) -> Target:
    """The target with this id or in this file, with the latency calibration in one of `folders` or beside it. Raises
    TargetError, with the most similar id as a hint."""
    places = tuple(folders)
    if name.endswith(".toml"):
        return load_target(Path(name), places)
    known = target_files(places)
    if name not in known:
        raise TargetError(f"there is no target '{name}'", did_you_mean(name, list(known)))
    found = load_target(known[name], places)
    for folder in places:
        found = _with_calibration(found, folder)
    return found


def target_toml(target: Target, source: str) -> str:
    """A target as a TOML file that `load_target` reads, with a comment on its origin."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment(one_line(source)))
    values = {name: value for name, value in target.to_json().items() if name != "id" and value is not None}
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    for name, value in values.items():
        if name not in tables:
            document.add(name, value)
    for name, value in tables.items():
        kept = {key: part for key, part in value.items() if part is not None}
        if kept:
            document.add(tomlkit.nl())
            document.add(name, tomlkit.item(kept))
    return tomlkit.dumps(document)
