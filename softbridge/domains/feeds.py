"""Feeds: texts to token ids, and which rows a training step reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from softbridge.errors import DataError
from softbridge.seeding import generator

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenise(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[list[int]]:
    """Return each text's token ids, with the model's special tokens.

    Arguments:
        texts: B texts.
        tokenizer: the backbone's tokenizer; its `truncation_side` says which end of a long text is cut.
        max_length: the most tokens of a row, special tokens included.

    Returns:
        B lists of unequal length.
    """
    if not texts:
        return []
    return tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]


@dataclass(frozen=True)
class Feed:
    """Say which rows a step reads, from the step's number alone: nothing to save, nothing to resume.

    Every epoch reads all rows once, in an order of its own; a batch may reach over into the next epoch.

    Arguments:
        n_rows: the number of rows, from 1.
        batch: rows per step, from 1; more than `n_rows` repeats rows.
        seed: the same seed gives the same order.

    Raises:
        DataError: when there are no rows.

    Example:
        >>> feed = Feed(n_rows=3, batch=2, seed=0)
        >>> sorted(feed.rows_at(0) + feed.rows_at(1) + feed.rows_at(2))
        [0, 0, 1, 1, 2, 2]
        >>> feed.rows_at(7) == Feed(n_rows=3, batch=2, seed=0).rows_at(7)
        True
    """

    n_rows: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.n_rows < 1 or self.batch < 1:
            raise DataError(
                f"{self.n_rows} rows are to be read {self.batch} at a time",
                "at least one row, and batches of at least one",
                "bring rows, or raise `shots` or `batch`",
            )

    def rows_at(self, step: int) -> list[int]:
        """Return the rows of a step: the slice [step * batch, (step + 1) * batch) of all epochs' orders in a row.

        Arguments:
            step: the step's number, from 0.
        """
        rows: list[int] = []
        place = step * self.batch
        while len(rows) < self.batch:
            epoch, start = divmod(place + len(rows), self.n_rows)
            rows += self._order(epoch)[start : start + self.batch - len(rows)].tolist()
        return rows

    def _order(self, epoch: int) -> torch.Tensor:
        return torch.randperm(self.n_rows, generator=generator(self.seed, "order", epoch))
