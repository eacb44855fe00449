"""Pseudo-labels: rows of the unlabelled pool, labelled by the kept prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from softbridge.errors import RoundsError
from softbridge.rounds.base import Known, Labelled, Proposal, State


@dataclass(frozen=True)
class Pseudo:
    """Train on rows of the unlabelled pool too, labelled by each seed's kept prompt where it is confident enough.

    `y(x) = argmax p_T(y | x)` where `max p_T >= confidence`, with `p_T` brought to a temperature by validation rows;
    the same number of rows of each class, the most confident first, and no more of a class than are labelled.

    *Reference*: Lee. Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks.
    ICML workshop 2013; the temperature is that of Guo, Pleiss, Sun, Weinberger. On Calibration of Modern Neural
    Networks. ICML 2017.

    Arguments:
        confidences: the least calibrated probability of a label, one proposal each, from 0.5, below 1.
        pool: how many rows of the pool each seed looks at, from 1.

    Example:
        >>> Pseudo().propose(State(), State(), Known(pool=0))
        []
        >>> [one.words for one in Pseudo().propose(State(), State(), Known(pool=500))]
        ['pseudo-labels from confidence 0.9']
    """

    confidences: tuple[float, ...] = (0.9,)
    pool: int = 256

    name: ClassVar[str] = "pseudo"
    changes: ClassVar[str] = "rows"
    reference: ClassVar[str] = (
        "Lee. Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks. "
        "ICML workshop on challenges in representation learning 2013."
    )
    bibtex: ClassVar[str] = """@inproceedings{lee2013pseudo,
  title = {Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks},
  author = {Lee, Dong-Hyun},
  booktitle = {ICML Workshop on Challenges in Representation Learning},
  year = {2013}
}

@inproceedings{guo2017calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {Proceedings of ICML},
  year = {2017}
}"""

    def __post_init__(self) -> None:
        for confidence in self.confidences:
            if not 0.5 <= confidence < 1:
                raise RoundsError(
                    f"confidences is with {confidence:g}", "a probability from 0.5, below 1", "write confidences: [0.9]"
                )
        if self.pool < 1:
            raise RoundsError(f"pool is {self.pool}", "a number of rows from 1", "write pool: 256")

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return a proposal a confidence, where there are rows to label."""
        looked = min(self.pool, known.pool)
        return [
            Proposal(replace(state, pseudo=Labelled(least, looked, kept)), f"pseudo-labels from confidence {least:g}")
            for least in self.confidences
            if looked
        ]


def confident(chances: np.ndarray, least: float, most: int) -> list[tuple[int, int]]:
    """Return the rows that are labelled with confidence, as many of each class.

    Arguments:
        chances: `[rows, C]` calibrated probabilities.
        least: the least probability of a label.
        most: the most rows of a class.

    Returns:
        (row, class), in the order of the rows.

    Example:
        >>> confident(np.array([[0.9, 0.1], [0.95, 0.05], [0.2, 0.8], [0.6, 0.4]]), 0.75, 5)
        [(1, 0), (2, 1)]
    """
    told, sure = chances.argmax(1), chances.max(1)
    order = np.argsort(-sure, kind="stable")
    by_class = [[int(i) for i in order if told[i] == c and sure[i] >= least] for c in range(chances.shape[1])]
    count = min(most, *map(len, by_class))
    return sorted((row, c) for c, rows in enumerate(by_class) for row in rows[:count])
