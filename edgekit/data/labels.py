"""Labels of files, from their folders or from a table."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.data.samples import UNLABELLED
from edgekit.data.trees import Tree
from edgekit.errors import DataError, did_you_mean, first_line
from edgekit.paths import read_regular

_FORM = "give a CSV file of paths and labels"
_MOST_BYTES = 256_000_000
_MOST_DIGITS = 18
"""Of an integer of 64 bits."""
_NAMED = 1000
"""The number of known files among which a misspelled name is searched."""


@dataclass(frozen=True)
class Labels:
    """The target of each file."""

    targets: tuple[Tree, ...]
    classes: tuple[str, ...] = ()
    """Class names in the order of their labels; empty if labels are numbers themselves."""


def no_labels(count: int) -> Labels:
    """The labels of files that have none."""
    return Labels((UNLABELLED,) * count)


def labels_of_folders(root: Path, paths: Sequence[Path]) -> Labels:
    """Label files by their folder below `root`, if there are two or more folders. Numeric folder names are the labels;
    other names are numbered in alphabetical order. Raises DataError if some files are in folders and others are not."""
    names = [path.relative_to(root).parts[0] if path.parent != root else "" for path in paths]
    folders = set(names) - {""}
    if len(folders) < 2:
        return no_labels(len(paths))
    if "" in names:
        loose = paths[names.index("")]
        raise DataError(
            f"{root} has files in folders, but {loose.name} is in none",
            "put every file into the folder of its class, or none",
        )
    return _to_numbers(names)


def labels_of_table(table: Path, root: Path, paths: Sequence[Path], others: Sequence[Path] = ()) -> Labels:
    """Labels from a CSV file with rows of a file's path below `root`, or its name, and its label. A first row that
    names no file is a heading. The table may also name files in `others`.

    Raises DataError for a file without a label or with two, and for a row that names no file.
    """
    below = {_below(root, path) for path in (*paths, *others)}
    bare = Counter(path.name for path in (*paths, *others))
    values: dict[str, str] = {}
    for line, name, label in _rows(table):
        if name not in below and name not in bare:
            if line == 1:
                continue
            near = did_you_mean(name, sorted({*below, *bare})[:_NAMED])
            raise DataError(f"{table}, line {line}: there is no file '{name}' in {root}", near)
        if name not in below and bare[name] > 1:
            raise DataError(
                f"{table}, line {line}: {bare[name]} files have the name '{name}'",
                "write its path relative to the samples' folder",
            )
        if values.setdefault(name, label) != label:
            raise DataError(f"{table}, line {line}: '{name}' is labelled twice: {values[name]}, {label}", "keep one")
    labels = [values.get(_below(root, path), values.get(path.name)) for path in paths]
    without = [path for path, label in zip(paths, labels, strict=True) if label is None]
    if without:
        more = f" (nor have {len(without) - 1} others)" if len(without) > 1 else ""
        raise DataError(f"{without[0]} has no label in {table}{more}", "add a row with its path and its label")
    return _to_numbers([label or "" for label in labels], sorted(set(values.values())))


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _rows(table: Path) -> list[tuple[int, str, str]]:
    """The line number, file and label of each row."""
    try:
        lines = io.StringIO(read_regular(table, _MOST_BYTES).decode("utf-8-sig"), newline="")
        rows = [(line, row) for line, row in enumerate(csv.reader(lines), start=1) if row]
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error.strerror}", _FORM) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {first_line(error)}", _FORM) from error
    for line, row in rows:
        if len(row) != 2:
            raise DataError(
                f"{table}, line {line}: the row has {len(row)} columns, not 2",
                "write a file's path and its label in each row",
            )
    return [(line, row[0].strip().removeprefix("./"), row[1].strip()) for line, row in rows]


def _to_numbers(labels: Sequence[str], known: Sequence[str] = ()) -> Labels:
    """Labels as numbers; names by their position in `known`, or in their own sorted order."""
    names = tuple(known or sorted(set(labels)))
    if all(name.isdecimal() for name in names):
        longest = max(names, key=len, default="")
        if len(longest) > _MOST_DIGITS:
            raise DataError(f"the label {first_line(longest)} is too large", f"give at most {_MOST_DIGITS} digits")
        return Labels(tuple(np.int64(label) for label in labels))
    places = {name: np.int64(place) for place, name in enumerate(names)}
    return Labels(tuple(places[label] for label in labels), names)
