"""The least important tokens, drawn anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from softbridge.errors import RoundsError
from softbridge.rounds.base import Known, Proposal, Renewed, State


@dataclass(frozen=True)
class Renew:
    """Go on from the kept prompts, their least important tokens drawn anew, and train once more.

    `P_j <- fresh` for the `ceil(share * P)` smallest `I_j = 1/M * sum_m |dL_m/dP_j . P_j|` on the labelled rows. With
    the share 0 nothing is drawn anew: training goes on, which says what the rest of the gain is.

    *Reference*: Sokar, Agarwal, Castro, Evci. The Dormant Neuron Phenomenon in Deep Reinforcement Learning. ICML 2023
    (dormant units are drawn anew); the importance is XPrompt's (Ma et al. EMNLP 2022).

    Arguments:
        shares: of the tokens, one proposal each, from 0, below 1.

    Example:
        >>> [one.words for one in Renew(shares=(0, 0.2)).propose(State(), State(), Known())]
        ['go on from the kept prompt', 'least important 20% of the tokens drawn anew']
    """

    shares: tuple[float, ...] = (0.2, 0.4)

    name: ClassVar[str] = "renew"
    changes: ClassVar[str] = "start"
    reference: ClassVar[str] = (
        "Sokar, Agarwal, Castro, Evci. The Dormant Neuron Phenomenon in Deep Reinforcement Learning. ICML 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{sokar2023dormant,
  title = {The Dormant Neuron Phenomenon in Deep Reinforcement Learning},
  author = {Sokar, Ghada and Agarwal, Rishabh and Castro, Pablo Samuel and Evci, Utku},
  booktitle = {Proceedings of ICML},
  year = {2023}
}"""

    def __post_init__(self) -> None:
        for share in self.shares:
            if not 0 <= share < 1:
                raise RoundsError(f"shares is with {share:g}", "shares from 0, below 1", "write shares: [0.2]")

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return a proposal a share; where the kept prompts are gone on from, how they had begun says nothing more."""
        start = replace(state, mixture=kept.mixture)
        return [
            Proposal(
                replace(start, renewed=Renewed(share, kept)),
                f"least important {share:.0%} of the tokens drawn anew" if share else "go on from the kept prompt",
            )
            for share in self.shares
        ]
