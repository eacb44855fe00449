"""The mixture of sources that the prompt starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from softbridge.errors import RoundsError
from softbridge.rounds.base import Known, Proposal, State


@dataclass(frozen=True)
class Mixture:
    """Start from another mixture of the source prompts: `P_0 = sum_s w_s P_s`, a step towards each source.

    `w <- (1 - step) w + step e_s` for each source s; before any of these all sources alike, `w_s = 1/S`. Where the
    bridge decides by itself which source it starts from, a step from there is a step from all alike.

    *Reference*: Wortsman, Ilharco, et al. Model Soups. ICML 2022. SPoT (Vu et al. ACL 2022) averages prompts.

    Arguments:
        step: how far towards a source, above 0, up to 1; 1 is that source alone.

    Example:
        >>> known = Known(sources=("films", "books"), mixture=(("films", 1.0),))
        >>> [one.words for one in Mixture().propose(State(), State(), known)]
        ['sources books 0.5, films 0.5']
        >>> [one.words for one in Mixture(step=1.0).propose(State(), State(), known)]
        ['sources books 0.5, films 0.5', 'sources books 1']
    """

    step: float = 0.5

    name: ClassVar[str] = "mixture"
    changes: ClassVar[str] = "start"
    reference: ClassVar[str] = (
        "Wortsman, Ilharco, et al. Model Soups: Averaging Weights of Multiple Fine-tuned Models Improves Accuracy "
        "without Increasing Inference Time. ICML 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{wortsman2022soups,
  title = {Model Soups: Averaging Weights of Multiple Fine-tuned Models Improves Accuracy without Increasing Inference
    Time},
  author = {Wortsman, Mitchell and Ilharco, Gabriel and others},
  booktitle = {Proceedings of ICML},
  year = {2022}
}"""

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise RoundsError(f"step is {self.step:g}", "a share above 0, up to 1", "write step: 0.5")

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return all sources alike, and a step towards each; nothing where a trained prompt is gone on from."""
        if len(known.sources) < 2 or state.renewed:
            return []
        even = dict.fromkeys(known.sources, 1 / len(known.sources))
        now = dict(state.mixture or known.mixture) or even
        towards = [
            {s: (1 - self.step) * now.get(s, 0.0) + self.step * (s == name) for s in known.sources}
            for name in known.sources
        ]
        here, found = tidy(now), dict.fromkeys(map(tidy, (even, *towards)))
        wanted = [mixture for mixture in found if mixture != here or not (state.mixture or known.mixture)]
        return [Proposal(replace(state, mixture=mixture), f"sources {told(mixture)}") for mixture in wanted]


def tidy(shares: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Return shares to six digits, without those that are 0, in the order of the names."""
    kept = {name: round(share, 6) for name, share in shares.items() if round(share, 6)}
    return tuple(sorted(kept.items()))


def told(mixture: tuple[tuple[str, float], ...]) -> str:
    """Return a mixture in words, the largest share first."""
    ordered = sorted(mixture, key=lambda part: -part[1])
    return ", ".join(f"{name} {share:.2g}" for name, share in ordered)
