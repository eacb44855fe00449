"""Labels: the data's raw values to class indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from softbridge.domains.columns import listing
from softbridge.errors import DataError, nearest

UNLABELLED = -1


def check_labels(words: Mapping[str, str], classes: Mapping[str, str]) -> None:
    """Check that every class can be told from the others.

    Arguments:
        words: class name to label words or description.
        classes: raw value to class name.

    Raises:
        DataError: when there are fewer than two classes, two share their words, or a raw value names no class.
    """
    if len(words) < 2:
        raise DataError(f"the domain has {len(words)} classes", "at least two", "name the classes in `labels`")
    counts = Counter(text.strip() for text in words.values())
    shared = [text for text, count in counts.items() if count > 1 or not text]
    if shared:
        raise DataError(
            f"classes share the label words '{shared[0]}'" if shared[0] else "a class has no label words",
            "label words of its own for every class",
            "mend `labels`",
        )
    for raw, name in classes.items():
        if name not in words:
            raise DataError(
                f"`classes` maps '{raw}' to '{name}', which is not a class{nearest(name, words)}",
                f"one of: {', '.join(words)}",
                "mend `classes`, or add the class to `labels`",
            )


def class_indices(
    raw: Sequence[str | None], rows: Sequence[int], names: Sequence[str], classes: Mapping[str, str]
) -> list[int]:
    """Return each row's class index; -1 where the raw value is null or blank.

    Arguments:
        raw: one raw value a row.
        rows: each row's index in the data, for the message.
        names: class names in class order.
        classes: raw value to class name, where they differ.

    Raises:
        DataError: when a raw value is of no class, naming it and its rows.

    Example:
        >>> class_indices(["4", None, "bad"], range(3), ["bad", "good"], {"4": "good"})
        [1, -1, 0]
    """
    index = {name: i for i, name in enumerate(names)} | {str(key): names.index(name) for key, name in classes.items()}
    values = [(value or "").strip() for value in raw]
    unknown = Counter(value for value in values if value and value not in index)
    if unknown:
        worst = next(iter(unknown))
        places = [str(row + 1) for row, value in zip(rows, values, strict=True) if value == worst]
        shown = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
        raise DataError(
            f"the label '{worst}' in row {shown} (counted from 1) is of no class; unknown are: {listing(unknown)}",
            f"one of: {', '.join(index)}; or nothing, where a row is unlabelled",
            f"write `classes: {{'{worst}': {names[0]}}}` (or another class), or add a class to `labels`",
        )
    return [index[value] if value else UNLABELLED for value in values]
