"""Errors in three parts: what was seen, what was expected, what to do.

A `SoftbridgeError` is the user's to mend; the command line prints it without a traceback and exits with status 2.
Anything else that is raised is a defect of softbridge and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class SoftbridgeError(Exception):
    """Say what was seen, what was expected, and what to do.

    Arguments:
        seen: what was found, with the offending value and where it stands.
        expected: what would have been right.
        fix: the next thing to do, as a command or an edit.

    Example:
        >>> print(SoftbridgeError("length is -3", "a whole number from 1", "write length: 20"))
        length is -3
          expected: a whole number from 1
          to do: write length: 20
    """

    def __init__(self, seen: str, expected: str, fix: str) -> None:
        super().__init__(seen, expected, fix)
        self.seen, self.expected, self.fix = seen, expected, fix

    def __str__(self) -> str:
        return f"{self.seen}\n  expected: {self.expected}\n  to do: {self.fix}"


class AssetError(SoftbridgeError):
    """A model or data set that can be had by name could not be had."""


class DataError(SoftbridgeError):
    """A domain's rows are not what its description says."""


class PromptError(SoftbridgeError):
    """A prompt, or a prompt's folder, does not fit where it is to be used."""


class BackboneError(SoftbridgeError):
    """A backbone could not be loaded, or cannot do what is asked of it."""


class BridgeError(SoftbridgeError):
    """Tell that a bridge cannot be crossed as it is described."""


class RoundsError(SoftbridgeError):
    """Tell that rounds cannot be played as they are described."""


class StudyError(SoftbridgeError):
    """A study's folder is not in a state to go on from."""


class RecipeError(SoftbridgeError):
    """Every problem of one recipe, at once.

    Arguments:
        problems: one line each, `file:line  path  problem; fix`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        super().__init__(
            f"the recipe has {count}:\n" + "\n".join(f"  {line}" for line in problems),
            "a recipe that `softbridge check` accepts",
            "mend the lines above; `softbridge show quickstart` prints a recipe that works",
        )


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest of the names, or nothing where none is close.

    Example:
        >>> nearest("spto", ["spot", "reuse"])
        " (did you mean 'spot'?)"
        >>> nearest("zzz", ["spot", "reuse"])
        ''
    """
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""
