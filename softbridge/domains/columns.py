"""Columns as text: every cell a string or None, over all splits of the data in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, DatasetDict

from softbridge.errors import DataError, nearest


def cells(tables: DatasetDict, column: str, use: str) -> list[str | None]:
    """Return a column's cells as text; null, NaN and a class label of -1 are None.

    Arguments:
        tables: the data's splits.
        column: the column's name.
        use: what the column is wanted for, for the message ("the slot {text}").

    Raises:
        DataError: when a split lacks the column, or its cells are not plain values.

    Example:
        >>> cells(DatasetDict(train=Dataset.from_dict({"stars": [1.0, None, 4.5]})), "stars", "the label")
        ['1', None, '4.5']
    """
    return [cell for table in tables.values() for cell in _cells(table, column, use)]


def matching(tables: DatasetDict, where: Mapping[str, str]) -> list[int]:
    """Return the indices of the rows whose columns hold these values.

    Raises:
        DataError: when no row does, naming the values there are.

    Example:
        >>> matching(DatasetDict(train=Dataset.from_dict({"domain": ["dvd", "books", "dvd"]})), {"domain": "dvd"})
        [0, 2]
    """
    keep = list(range(sum(len(table) for table in tables.values())))
    for column, value in where.items():
        found = cells(tables, column, "`where`")
        there = Counter(found[i] or "" for i in keep)
        keep = [i for i in keep if found[i] == str(value)]
        if not keep:
            raise DataError(
                f"no row has '{value}' in the column '{column}'{nearest(str(value), there)}",
                f"one of: {listing(there)}",
                "mend `where`",
            )
    return keep


def listing(counts: Counter[str], most: int = 12) -> str:
    """Return values with their counts, commonest first.

    Example:
        >>> listing(Counter(["dvd", "dvd", "books"]))
        'dvd (2), books (1)'
    """
    shown = ", ".join(f"{value} ({count})" for value, count in counts.most_common(most))
    return shown + (f" and {len(counts) - most} more" if len(counts) > most else "")


def _cells(table: Dataset, column: str, use: str) -> list[str | None]:
    if column not in table.column_names:
        raise DataError(
            f"there is no column '{column}' for {use}{nearest(column, table.column_names)}",
            f"one of the columns: {', '.join(table.column_names)}",
            "mend the name, or map it with `columns`, e.g. `columns: {text: review}`",
        )
    feature = table.features[column]
    values = table.select_columns([column]).with_format("arrow")[:].column(column)
    if isinstance(feature, ClassLabel):
        return [None if value is None or value < 0 else feature.int2str(value) for value in values.to_pylist()]
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    try:
        return values.cast(pa.string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError):
        raise DataError(
            f"the column '{column}' for {use} holds {values.type} values",
            "plain values: text, numbers, true or false",
            "name another column, or convert this one",
        ) from None
