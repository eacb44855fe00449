"""Longer training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from softbridge.errors import RoundsError
from softbridge.rounds.base import Known, Proposal, State, factors


@dataclass(frozen=True)
class Longer:
    """Train for more steps, from the same start, with the schedule stretched and as many looks at validation as before.

    *Reference*: Mosbach, Andriushchenko, Klakow. On the Stability of Fine-tuning BERT. ICLR 2021: train longer than
    seems needed.

    Arguments:
        factor: what the steps are multiplied with, above 1.
        most: the most times the arm's own steps, from `factor`.

    Example:
        >>> [one.state.steps for one in Longer().propose(State(), State(), Known())]
        [2.0]
        >>> Longer().propose(State(steps=4.0), State(), Known())
        []
    """

    factor: float = 2.0
    most: float = 4.0

    name: ClassVar[str] = "longer"
    changes: ClassVar[str] = "plan"
    reference: ClassVar[str] = (
        "Mosbach, Andriushchenko, Klakow. On the Stability of Fine-tuning BERT: Misconceptions, Explanations, and "
        "Strong Baselines. ICLR 2021."
    )
    bibtex: ClassVar[str] = """@inproceedings{mosbach2021stability,
  title = {On the Stability of Fine-tuning {BERT}: Misconceptions, Explanations, and Strong Baselines},
  author = {Mosbach, Marius and Andriushchenko, Maksym and Klakow, Dietrich},
  booktitle = {Proceedings of ICLR},
  year = {2021}
}"""

    def __post_init__(self) -> None:
        factors("factor", [self.factor])
        if self.factor < 1:
            raise RoundsError(f"factor is {self.factor:g}", "a factor above 1", "write factor: 2")
        if self.most < self.factor:
            raise RoundsError(f"most is {self.most:g}", f"a number from {self.factor:g}", "raise most")

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return the state with more steps, where there may be more."""
        steps = state.steps * self.factor
        return [] if steps > self.most else [Proposal(replace(state, steps=steps), f"steps x {self.factor:g}")]
