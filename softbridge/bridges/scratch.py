"""No transfer: a fresh prompt is trained on the target alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from softbridge.bridges.base import Crossing, Shore
from softbridge.prompts.soft import Soft


@dataclass(frozen=True)
class Scratch:
    """Train a fresh prompt on the target: what every transfer is compared with.

    *Reference*: Lester, Al-Rfou, Constant. The Power of Scale for Parameter-Efficient Prompt Tuning. EMNLP 2021.

    Example:
        >>> Scratch().trains, Scratch().reads_sources
        (True, False)
    """

    name: ClassVar[str] = "scratch"
    reference: ClassVar[str] = Soft.reference
    bibtex: ClassVar[str] = Soft.bibtex
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1, 2)
    reads_sources: ClassVar[bool] = False
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return a fresh prompt."""
        return Crossing(shore.fresh())
