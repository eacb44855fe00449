"""The learning rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from softbridge.rounds.base import Known, Proposal, State, factors


@dataclass(frozen=True)
class Rate:
    """Train with another learning rate, from the same start: `lr <- factor * lr`.

    *Reference*: Lester, Al-Rfou, Constant. The Power of Scale for Parameter-Efficient Prompt Tuning. EMNLP 2021. Prompt
    tuning's learning rates are found by search.

    Arguments:
        factors: what it is multiplied with, one proposal each.

    Example:
        >>> [one.words for one in Rate().propose(State(), State(), Known())]
        ['learning rate x 2.5', 'learning rate x 0.4']
    """

    factors: tuple[float, ...] = (2.5, 0.4)

    name: ClassVar[str] = "rate"
    changes: ClassVar[str] = "plan"
    reference: ClassVar[str] = (
        "Lester, Al-Rfou, Constant. The Power of Scale for Parameter-Efficient Prompt Tuning. EMNLP 2021."
    )
    bibtex: ClassVar[str] = """@inproceedings{lester2021power,
  title = {The Power of Scale for Parameter-Efficient Prompt Tuning},
  author = {Lester, Brian and Al-Rfou, Rami and Constant, Noah},
  booktitle = {Proceedings of EMNLP},
  year = {2021}
}"""

    def __post_init__(self) -> None:
        factors("factors", self.factors)

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return a proposal a factor; a way up and down again is the same state."""
        return [
            Proposal(replace(state, rate=round(state.rate * factor, 6)), f"learning rate x {factor:g}")
            for factor in self.factors
        ]
