"""Greedy: one change a round."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from softbridge.rounds.base import Round, Rung

if TYPE_CHECKING:
    from softbridge.rounds.searching import Outcome


@dataclass(frozen=True)
class Greedy:
    """Try one change of the kept state a round, the moves in turn; keep the first that helps, and go on from there.

    `s <- s'` where the gain of `s' in N(s)` is above the noise: first-improvement hill climbing.

    *Reference*: Russell, Norvig. Artificial Intelligence: A Modern Approach. 4th edition, 2021. Section 4.1.
    """

    name: ClassVar[str] = "greedy"
    needs: ClassVar[str] = ""
    reference: ClassVar[str] = (
        "Russell, Norvig. Artificial Intelligence: A Modern Approach. 4th edition, 2021. Section 4.1."
    )
    bibtex: ClassVar[str] = """@book{russell2021artificial,
  title = {Artificial Intelligence: A Modern Approach},
  author = {Russell, Stuart and Norvig, Peter},
  edition = {4},
  publisher = {Pearson},
  year = {2021}
}"""

    @property
    def trainings(self) -> float:
        """Return the most trainings in full that a round may cost."""
        return 1.0

    def play(self, round: Round) -> Generator[Rung, Sequence[Outcome], None]:
        """Yield the first untried change."""
        if options := round.propose(round.kept):
            yield Rung((options[0],))
