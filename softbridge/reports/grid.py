"""A table before it is drawn: the same cells go to the terminal, to Markdown and to the web page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from softbridge.reports.statistics import Spread

MINUS, NOTHING = "−", "–"
Line: TypeAlias = "Sequence[Cell | str]"


@dataclass(frozen=True)
class Cell:
    """Hold one cell.

    Arguments:
        text: what stands there.
        best: whether it is the best of its column.
        detail: a short addition, set smaller.
        title: the whole text, where `text` is cut short.
    """

    text: str
    best: bool = False
    detail: str = ""
    title: str = ""


@dataclass(frozen=True)
class Grid:
    """Hold a table.

    Arguments:
        title: what the table shows.
        head: the names of the columns.
        rows: one cell a column in each row; the first names the row.
        words: how many columns from the left hold words; the rest hold numbers.
        note: how to read the table.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int = 1
    note: str = ""


def grid(title: str, head: Sequence[str], rows: Iterable[Line], words: int = 1, note: str = "") -> Grid:
    """Make a grid; a plain text stands for a cell."""
    cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
    return Grid(title, tuple(head), cells, words, note)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with a fixed count of digits, a dash where there is none.

    Example:
        >>> number(-0.5), number(None), number(float("nan"))
        ('−0.500', '–', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{digits}f}".replace("-", MINUS)


def chance(p: float) -> str:
    """Write a probability; one that would be written as 0 is said to be below the least that is not.

    Example:
        >>> chance(0.0421), chance(4e-5), chance(float("nan"))
        ('0.042', '< 0.001', '–')
    """
    return "< 0.001" if p < 0.0005 else number(p)


def signed(value: float | None, digits: int = 3) -> str:
    """Write a number with its sign.

    Example:
        >>> signed(0.031), signed(-0.0001), signed(0.0)
        ('+0.031', '−0.000', '0.000')
    """
    text = number(value, digits)
    return f"+{text}" if value and text[0] not in MINUS + NOTHING else text


def plus_minus(of: Spread, sign: bool = False) -> str:
    """Write a mean and its spread; the mean alone where there is one value.

    Example:
        >>> plus_minus(Spread(0.812, 0.01, 3)), plus_minus(Spread(0.75, float("nan"), 1))
        ('0.812 ± 0.010', '0.750')
    """
    mean = signed(of.mean) if sign else number(of.mean)
    return f"{mean} ± {number(of.std)}" if math.isfinite(of.std) else mean


def span(values: Iterable[float | None], digits: int = 0) -> str:
    """Write one number, or the smallest and the largest where they differ.

    Example:
        >>> span([16, 16]), span([1200, 1536]), span([])
        ('16', '1,200 to 1,536', '–')
    """
    texts = {f"{value:,.{digits}f}": value for value in values if value is not None}
    ordered = sorted(texts, key=lambda text: texts[text])
    return NOTHING if not ordered else ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def listed(items: Iterable[object]) -> str:
    """Write a list in words.

    Example:
        >>> listed(["news"]), listed([0, 1, 2])
        ('news', '0, 1 and 2')
    """
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else "none"
