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
        return self.rows_from(step * self.batch, self.batch)

    def rows_from(self, place: int, count: int) -> list[int]:
        """Return the slice [place, place + count) of all epochs' orders in a row."""
        rows: list[int] = []
        while len(rows) < count:
            epoch, start = divmod(place + len(rows), self.n_rows)
            rows += self._order(epoch)[start : start + count - len(rows)].tolist()
        return rows

    def _order(self, epoch: int) -> torch.Tensor:
        return torch.randperm(self.n_rows, generator=generator(self.seed, "order", epoch))


class TaskFeed:
    """Say which tasks a step reads, and which of their rows, from the step's number alone.

    A step draws how many tasks it reads, uniformly from two to all, then which ones, without putting back, each with a
    chance proportional to its rows. It divides its rows evenly among them. Every task's rows go round as its feed's do.

    Arguments:
        feeds: each task's rows, from one task.
        batch: rows a step, from 1.
        seed: the same seed draws the same tasks.
        sampling: False reads all tasks at every step.
        cap: the most rows that a task counts for, from 1.

    Example:
        >>> feed = TaskFeed([Feed(9, 4, 0), Feed(90, 4, 1), Feed(900, 4, 2)], batch=4, seed=0)
        >>> sorted({len(feed.tasks_at(step)) for step in range(20)})
        [2, 3]
        >>> feed.rows_at(5) == TaskFeed(feed.feeds, batch=4, seed=0).rows_at(5)
        True
    """

    def __init__(self, feeds: Sequence[Feed], batch: int, seed: int, sampling: bool = True, cap: int = 2**18) -> None:
        self.feeds, self.batch, self.seed, self.sampling = list(feeds), batch, seed, sampling
        self.weights = torch.tensor([float(min(cap, feed.n_rows)) for feed in feeds])
        self._step, self._places = 0, [0] * len(self.feeds)  # where each task stood before the step last asked for

    def tasks_at(self, step: int) -> list[int]:
        """Return the tasks of a step, in the order in which they were drawn."""
        draw, every = generator(self.seed, "tasks", step), len(self.feeds)
        if not self.sampling:
            return torch.randperm(every, generator=draw).tolist()[: self.batch]
        many = int(torch.randint(min(2, every), every + 1, (), generator=draw))
        return torch.multinomial(self.weights, many, generator=draw).tolist()[: self.batch]

    def counts_at(self, step: int) -> list[int]:
        """Return how many rows of each task a step reads; together they are the batch."""
        counts, drawn = [0] * len(self.feeds), self.tasks_at(step)
        for place in range(self.batch):
            counts[drawn[place % len(drawn)]] += 1
        return counts

    def rows_at(self, step: int) -> list[tuple[int, int]]:
        """Return a step's rows as (task, row)."""
        if step < self._step:
            self._step, self._places = 0, [0] * len(self.feeds)
        while self._step < step:
            self._places, self._step = self._after(self._step), self._step + 1
        spans = zip(self._places, self._after(step), strict=True)
        return [(task, row) for task, (at, end) in enumerate(spans) for row in self.feeds[task].rows_from(at, end - at)]

    def _after(self, step: int) -> list[int]:
        """Return where each task stands after the step that it stands before."""
        return [at + count for at, count in zip(self._places, self.counts_at(step), strict=True)]
