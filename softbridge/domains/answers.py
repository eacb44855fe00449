"""Answers that are free text: when what a model writes is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from softbridge.errors import DataError

Match = Literal["text", "number"]
NUMBER = re.compile(r"(?:(?<![\w)\]])-)?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True)
class Answer:
    """Say what of a written answer is compared with the right one, and how long it may be.

    Arguments:
        match: `text`, the whole of it, case and white space aside; or `number`, its last number.
        max_new_tokens: tokens that are written at most, from 1.

    Raises:
        DataError: when no token may be written.

    Example:
        >>> Answer("number", 300).right("9 + 9 = 18. The answer is: $18.00", "She makes 9 * 2 = 18. #### 18")
        True
    """

    match: Match = "text"
    max_new_tokens: int = 64

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise DataError(f"max_new_tokens is {self.max_new_tokens}", "a whole number from 1", "raise max_new_tokens")

    def right(self, written: str, wanted: str) -> bool:
        """Say whether what was written is the answer; where the rule finds nothing in it, it is not."""
        found = MATCHES[self.match](written)
        return found is not None and found == MATCHES[self.match](wanted)


def folded(text: str) -> str:
    """Return a text in small letters, its white space single blanks.

    Example:
        >>> folded(" New  York\\n")
        'new york'
    """
    return " ".join(text.casefold().split())


def last_number(text: str) -> str | None:
    """Return the last number of a text without commas, signs of currency and zeros that say nothing; None without any.

    It is where an answer that was reasoned for ends: `#### 72`, or `The answer is: 72`. A minus right
    behind a digit, a letter or a bracket takes away, and is no sign.

    Example:
        >>> last_number("He pays $1,250.50."), last_number("#### -3"), last_number("10-3 = 7.0"), last_number("none")
        ('1250.5', '-3', '7', None)
    """
    found = NUMBER.findall(text.replace("−", "-").replace("-$", "-"))
    return f"{Decimal(found[-1].replace(',', '')).normalize() + 0:f}" if found else None


MATCHES: Mapping[Match, Callable[[str], str | None]] = {"text": folded, "number": last_number}
