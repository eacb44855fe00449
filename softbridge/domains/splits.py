"""Splits: which rows train, validate, test. Rows are indices here; every function is pure and ordered by a seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from softbridge.domains.columns import listing
from softbridge.domains.labels import UNLABELLED
from softbridge.errors import DataError
from softbridge.seeding import derive

Splits = dict[str, list[int]]

# The latest use first: a text that stands in several splits stays in the first of these.
LATEST_FIRST = ("test", "validation", "train", "unlabelled")

NAMES = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
    "unlabelled": "unlabelled", "unlabeled": "unlabelled", "unsupervised": "unlabelled",
}  # fmt: skip


def divide(
    labels: Sequence[int], parts: Sequence[str], validation: float | int, test: float | int, seed: int
) -> tuple[Splits, list[str]]:
    """Divide rows: by the data's own splits where it has them, the missing ones carved from train by the seed.

    Arguments:
        labels: one class index a row; -1 rows become `unlabelled`.
        parts: the name of each row's own split; "train" for data without any.
        validation: the share (0 to 1) or count of train rows to carve, where the data has no such split; 0 wants none,
            and the data's own are train rows like the others.
        test: the share or count to carve, where the data has no such split.
        seed: the same seed gives the same splits.

    Returns:
        The rows of train, validation, test and unlabelled, each in the data's order; and notes for the reader.

    Raises:
        DataError: when no row is left for train.

    Example:
        >>> splits, notes = divide([0, 1] * 10, ["train"] * 20, validation=0.1, test=4, seed=0)
        >>> {name: len(rows) for name, rows in splits.items()}
        {'test': 4, 'validation': 2, 'train': 14, 'unlabelled': 0}
    """
    splits: Splits = {name: [] for name in LATEST_FIRST}
    names = [NAMES.get(part.strip().lower()) for part in parts]
    strange = Counter(part for part, name in zip(parts, names, strict=True) if name is None)
    for row, (label, name) in enumerate(zip(labels, names, strict=True)):
        if name is not None:
            splits["unlabelled" if label == UNLABELLED else name].append(row)
    bare = [name for name in ("test", "validation") if not splits[name] and name in names]
    notes = []
    if not validation and splits["validation"]:
        notes.append(f"no validation is asked for: its {_count(len(splits['validation']), 'row')} are train rows")
        splits["train"], splits["validation"] = sorted([*splits["train"], *splits["validation"]]), []
    _carve(splits, labels, {"test": test, "validation": validation}, seed)
    if not splits["train"] and any(label != UNLABELLED for label in labels):
        raise DataError(
            f"no labelled row is left for train; the data's own splits are: {listing(Counter(parts))}",
            "labelled rows in a split named train",
            "leave `split` out to have the rows divided by seed, or make `validation` and `test` smaller",
        )
    notes += [f"the data's own {name} has no labelled row; another was carved from train" for name in bare]
    if strange:
        notes.append(f"own splits left out, being none of train, validation, test: {listing(strange)}")
    return splits, notes


def separate(texts: Sequence[str], splits: Splits) -> tuple[Splits, list[str]]:
    """Take out of each split the texts that also stand in a later used one: test keeps its own.

    Arguments:
        texts: one text a row; texts that differ in white space alone are the same.
        splits: rows by split.

    Returns:
        Splits that share no text, and a note for each pair that did.

    Example:
        >>> separate(["a", "b", "a "], {"test": [0], "validation": [], "train": [1, 2], "unlabelled": []})[1]
        ['1 text stood in both train and test; 1 row removed from train']
    """
    holder: dict[str, str] = {}
    apart: Splits = {}
    notes = []
    for name in LATEST_FIRST:
        keys = {row: " ".join(texts[row].split()) for row in splits[name]}
        shared: dict[str, list[str]] = defaultdict(list)
        for key in keys.values():
            if key in holder:
                shared[holder[key]].append(key)
        apart[name] = [row for row, key in keys.items() if key not in holder]
        holder |= dict.fromkeys((keys[row] for row in apart[name]), name)
        for other, removed in shared.items():
            count = f"{_count(len(set(removed)), 'text')} stood in both {name} and {other}"
            notes.append(f"{count}; {_count(len(removed), 'row')} removed from {name}")
    return apart, notes


def choose(labels: Sequence[int], classes: Sequence[str], shots: int, seed: int, split: str) -> list[int]:
    """Choose k rows per class; fewer shots by the same seed are among more shots.

    Arguments:
        labels: one class index a row.
        classes: class names in class order.
        shots: k, from 0.
        seed: the same seed chooses the same rows.
        split: the split's name, for the message and the seed.

    Raises:
        DataError: when a class has fewer than k rows, with the count of each class.

    Example:
        >>> chosen = choose([0, 1, 0, 1, 0, 1], ["bad", "good"], shots=1, seed=0, split="train")
        >>> sorted(row % 2 for row in chosen)
        [0, 1]
    """
    by_class = [[row for row, label in enumerate(labels) if label == index] for index in range(len(classes))]
    fewest = min(len(rows) for rows in by_class)
    if not 0 <= shots <= fewest:
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in zip(classes, by_class, strict=True))
        raise DataError(
            f"{shots} rows per class are asked of {split}, which has: {counts}",
            f"a whole number from 0 to {fewest}",
            f"write {'validation_shots' if split == 'validation' else 'shots'}: {fewest} or less, or bring more rows",
        )
    return sorted(row for index, rows in enumerate(by_class) for row in _shuffled(rows, seed, split, index)[:shots])


def check_classes(
    splits: Splits, labels: Sequence[int], classes: Sequence[str], wanted: Sequence[str], notes: Sequence[str] = ()
) -> None:
    """Check that every class stands in every wanted split.

    Arguments:
        splits: rows by split.
        labels: one class index a row.
        classes: class names in class order.
        wanted: the splits to check.
        notes: what was done to the splits, for the message.

    Raises:
        DataError: naming the split and the count of each of its classes.
    """
    for split in wanted:
        counts = Counter(labels[row] for row in splits[split])
        missing = [name for index, name in enumerate(classes) if not counts[index]]
        if missing:
            shown = ", ".join(f"{name} {counts[index]}" for index, name in enumerate(classes))
            raise DataError(
                f"the split {split} has no row of the class {', '.join(missing)}: {'; '.join((shown, *notes))}",
                "at least one row of every class in train, validation and test",
                f"bring more rows, carve a larger share for {split}, or leave the class out of `labels`",
            )


def _carve(splits: Splits, labels: Sequence[int], sizes: dict[str, float | int], seed: int) -> None:
    """Move rows from train to each split that is empty and wants some."""
    total = len(splits["train"])
    order = stratified(splits["train"], labels, seed)
    for name, size in sizes.items():
        if size < 0 or (isinstance(size, float) and size >= 1):
            raise DataError(f"{name} is {size}", "a share from 0 to below 1, or a count of rows", f"mend `{name}`")
        if not splits[name]:
            count = round(size * total) if isinstance(size, float) else size
            splits[name], order = sorted(order[:count]), order[count:]
    splits["train"] = sorted(order)


def stratified(rows: Sequence[int], labels: Sequence[int], seed: int) -> list[int]:
    """Shuffle rows so that every stretch of the order holds the classes in about their overall shares.

    The i-th of a class's n shuffled rows stands at (i + 1/2) / n; rows are read off by that place.
    """
    by_class = defaultdict(list)
    for row in rows:
        by_class[labels[row]].append(row)
    placed = [
        ((i + 0.5) / len(members), label, row)
        for label, members in by_class.items()
        for i, row in enumerate(_shuffled(members, seed, "split", label))
    ]
    return [row for _, _, row in sorted(placed)]


def _shuffled(rows: Sequence[int], seed: int, *names: str | int) -> list[int]:
    order = list(rows)
    random.Random(derive(seed, *names)).shuffle(order)
    return order


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
