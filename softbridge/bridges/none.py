"""No prompt: the frozen backbone as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from softbridge.bridges.base import Crossing, Shore


@dataclass(frozen=True)
class NoPrompt:
    """Score the target without a prompt: the zero-shot control.

    Example:
        >>> NoPrompt().trains
        False
    """

    name: ClassVar[str] = "none"
    reference: ClassVar[str] = "the frozen backbone, without a prompt"
    bibtex: ClassVar[str] = ""
    trains: ClassVar[bool] = False
    models: ClassVar[tuple[int, ...]] = (1, 2)
    reads_sources: ClassVar[bool] = False
    tokens_only: ClassVar[bool] = False

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return no prompt."""
        return Crossing(None)
