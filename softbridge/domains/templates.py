"""Templates: a text with named slots, filled from a row's columns."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from softbridge.errors import DataError


@dataclass(frozen=True)
class Template:
    """Hold a template, taken apart.

    Arguments:
        pieces: in order, a literal text and the slot that follows it (None at the end).

    Example:
        >>> Template.parse("关于'{text}'的描述：").fill({"text": ["服务"]})
        ["关于'服务'的描述："]
    """

    pieces: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Take a template apart; `{{` and `}}` stand for braces.

        Raises:
            DataError: when a brace stands alone, there is no slot, or a slot is more than a name.

        Example:
            >>> Template.parse("{{{title}}} {text}").slots
            ('title', 'text')
        """
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise _refused(text, str(error)) from None
        for _, slot, form, conversion in parts:
            # `{text.__class__}` and `{text[0]}` would reach into Python objects; a recipe is data, not code.
            if slot is not None and (not slot.strip() or form or conversion or set(slot) & set(".[]{}")):
                raise _refused(text, f"the slot '{slot}' is not the plain name of a column")
        template = cls(tuple((literal, slot) for literal, slot, _, _ in parts))
        if not template.slots:
            raise _refused(text, "there is no slot, so that all rows would read the same")
        return template

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the slots' names, each once, in order."""
        return tuple(dict.fromkeys(slot for _, slot in self.pieces if slot is not None))

    def fill(self, cells: Mapping[str, Sequence[str | None]]) -> list[str]:
        """Return one text a row; empty where all of the row's cells are blank.

        Arguments:
            cells: for each slot one cell a row; None reads as nothing.

        Example:
            >>> Template.parse("{title}: {text}").fill({"title": ["A", None, " "], "text": ["b", "{c}", None]})
            ['A: b', ': {c}', '']
        """
        slots = self.slots
        rows = zip(*(cells[slot] for slot in slots), strict=True)
        return [self._fill_row(dict(zip(slots, row, strict=True))) for row in rows]

    def _fill_row(self, row: Mapping[str, str | None]) -> str:
        if not any(cell and cell.strip() for cell in row.values()):
            return ""
        return "".join(literal + ((row[slot] or "") if slot is not None else "") for literal, slot in self.pieces)


def _refused(text: str, problem: str) -> DataError:
    return DataError(
        f"the template {text!r} cannot be used: {problem}",
        "slots that are column names in braces, e.g. 'Review: {text}'",
        "mend the template; write {{ and }} for braces, and map an odd column name with `columns`",
    )
