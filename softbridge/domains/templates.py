"""Templates: a text with named slots, filled from a row's columns.

The slot `{mask}` is no column: it stays in the text, where a masked language model guesses the label word.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from softbridge.batch import MASK
from softbridge.errors import DataError

WORD = MASK.strip("{}")


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
            DataError: when a brace stands alone, there is no slot but `{mask}` or that twice, or a slot is more than
                a name.

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
        if [slot for _, slot in template.pieces].count(WORD) > 1:
            raise _refused(text, f"{MASK} stands there more than once")
        return template

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the names of the slots that columns fill, each once, in order."""
        return tuple(dict.fromkeys(slot for _, slot in self.pieces if slot is not None and slot != WORD))

    def fill(self, cells: Mapping[str, Sequence[str | None]]) -> list[str]:
        """Return one text a row; empty where all of the row's cells are blank.

        Arguments:
            cells: for each slot one cell a row; None reads as nothing.

        Example:
            >>> Template.parse("{title}: {text}").fill({"title": ["A", None, " "], "text": ["b", "{c}", None]})
            ['A: b', ': {c}', '']
            >>> Template.parse("{text} It was {mask}.").fill({"text": ["Fine."]})
            ['Fine. It was {mask}.']
        """
        slots = self.slots
        rows = zip(*(cells[slot] for slot in slots), strict=True)
        return [self._fill_row(dict(zip(slots, row, strict=True))) for row in rows]

    def _fill_row(self, row: Mapping[str, str | None]) -> str:
        if not any(cell and cell.strip() for cell in row.values()):
            return ""
        # A cell that happens to spell the mask's slot is a text like any other.
        told = {slot: (cell or "").replace(MASK, f"{{ {WORD} }}") for slot, cell in row.items()} | {WORD: MASK}
        return "".join(literal + (told[slot] if slot is not None else "") for literal, slot in self.pieces)


def _refused(text: str, problem: str) -> DataError:
    return DataError(
        f"the template {text!r} cannot be used: {problem}",
        "slots that are column names in braces, e.g. 'Review: {text}'",
        "mend the template; write {{ and }} for braces, and map an odd column name with `columns`",
    )
