"""Successive halving: many changes for a few steps, the best of them for more."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from softbridge.errors import RoundsError
from softbridge.rounds.base import Proposal, Round, Rung
from softbridge.seeding import derive

if TYPE_CHECKING:
    from softbridge.rounds.searching import Outcome


@dataclass(frozen=True)
class SuccessiveHalving:
    """Train n changes for a share of their steps, keep the best 1/eta for eta times as many, and so on to all steps.

    Rung i trains `n_i = max(1, n_{i-1} // eta)` changes for `eta^-(R-i)` of their steps, and rung R, the first of at
    most eta changes, for all of them; these are judged against the kept state. The changes are the kept state's single
    ones and, where they are too few, pairs of them drawn by the round's number. A rung is trained as banks.

    *Reference*: Jamieson, Talwalkar. Non-stochastic Best Arm Identification and Hyperparameter Optimization. AISTATS
    2016.

    Arguments:
        candidates: n, how many changes a round tries, from 2; fewer where the budget has no room.
        eta: what a rung divides their number by, from 2.

    Example:
        >>> SuccessiveHalving(candidates=9, eta=3).sizes(9), SuccessiveHalving(candidates=8, eta=2).sizes(8)
        ([(9, 0.3333333333333333), (3, 1.0)], [(8, 0.25), (4, 0.5), (2, 1.0)])
    """

    candidates: int = 9
    eta: int = 3

    name: ClassVar[str] = "successive_halving"
    needs: ClassVar[str] = ""
    reference: ClassVar[str] = (
        "Jamieson, Talwalkar. Non-stochastic Best Arm Identification and Hyperparameter Optimization. AISTATS 2016."
    )
    bibtex: ClassVar[str] = """@inproceedings{jamieson2016nonstochastic,
  title = {Non-stochastic Best Arm Identification and Hyperparameter Optimization},
  author = {Jamieson, Kevin and Talwalkar, Ameet},
  booktitle = {Proceedings of AISTATS},
  year = {2016}
}"""

    def __post_init__(self) -> None:
        for name, value in (("candidates", self.candidates), ("eta", self.eta)):
            if value < 2:
                raise RoundsError(f"{name} is {value}", "a whole number from 2", f"raise {name}")

    @property
    def trainings(self) -> float:
        """Return the most trainings in full that a round may cost."""
        return sum(count * share for count, share in self.sizes(self.candidates))

    def sizes(self, count: int) -> list[tuple[int, float]]:
        """Return how many changes each rung trains, and for what share of their steps."""
        counts = [count]
        while counts[-1] > self.eta:
            counts.append(max(1, counts[-1] // self.eta))
        return [(n, self.eta ** -(len(counts) - 1.0 - i)) for i, n in enumerate(counts)]

    def play(self, round: Round) -> Generator[Rung, Sequence[Outcome], None]:
        """Yield the rungs."""
        chosen = self.affordable(round, self.drawn(round))
        for count, share in self.sizes(len(chosen)) if chosen else ():
            chosen = chosen[:count]
            outcomes = yield Rung(tuple(chosen), share)
            means = [sum(outcome.scores) / len(outcome.scores) for outcome in outcomes]
            order = sorted(range(len(chosen)), key=lambda i: (means[i] != means[i], -means[i]))  # nan last, ties first
            chosen = [chosen[i] for i in order]

    def drawn(self, round: Round) -> list[Proposal]:
        """Return the changes of a round: single ones first, then pairs."""
        found = {one.state: one for one in round.propose(round.kept)}
        single, draw = list(found.values()), random.Random(derive(round.number, "pairs"))
        for first in draw.sample(single, len(single)) if len(single) < self.candidates else ():
            others = [two for two in round.propose(first.state) if two.state not in found]
            for two in draw.sample(others, min(2, len(others))):
                found[two.state] = Proposal(two.state, f"{first.words}, {two.words}")
        return list(found.values())[: self.candidates]

    def affordable(self, round: Round, options: list[Proposal]) -> list[Proposal]:
        """Return as many of the changes as all rungs together can be paid for, whichever of them stay."""
        while options:
            costs = {
                share: sorted((round.cost(one.state, share) for one in options), reverse=True)[:count]
                for count, share in self.sizes(len(options))
            }
            if round.room(sum(map(sum, costs.values()))):
                return options
            options = options[:-1]
        return []
