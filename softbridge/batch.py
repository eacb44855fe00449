"""Rows as the engine moves them: token ids of unequal length with a label, and a padded batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

# Where a text leaves a word open: a template writes it as a slot, a masked language model puts its mask there.
MASK = "{mask}"

STEP = 8  # places that rows are padded to a multiple of


@dataclass(frozen=True)
class Rows:
    """Hold tokenised rows.

    Arguments:
        ids: one list of token ids a row, of unequal length.
        labels: one class index a row; -1 where the row is not labelled.
        told: one list of token ids a row, what the row is asked for where that is no class: its answer, or a part of
            the text; none where it is a class.

    Example:
        >>> rows = Rows([[5, 6], [7]], [1, 0])
        >>> len(rows), rows.take([1]).ids
        (2, [[7]])
    """

    ids: Sequence[Sequence[int]]
    labels: Sequence[int]
    told: Sequence[Sequence[int]] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def length(self, row: int) -> int:
        """Return how many tokens of a row go through the model."""
        return len(self.ids[row]) + (len(self.told[row]) if self.told else 0)

    def take(self, indices: Sequence[int]) -> Rows:
        """Return the rows at these indices, in this order."""
        told = [self.told[i] for i in indices] if self.told else ()
        return Rows([self.ids[i] for i in indices], [self.labels[i] for i in indices], told)


def together(parts: Iterable[Rows]) -> Rows:
    """Return the rows of several parts, one after the other.

    Example:
        >>> together([Rows([[5, 6]], [1]), Rows([[7]], [0])]).ids
        [[5, 6], [7]]
    """
    held = list(parts)
    return Rows(*([cell for part in held for cell in getattr(part, key)] for key in ("ids", "labels", "told")))


@dataclass(frozen=True)
class Batch:
    """Hold padded rows.

    Arguments:
        input_ids: `[B, T]` token ids.
        mask: `[B, T]` 1 where a token is, 0 where padding is.
        labels: `[B]` class indices.
    """

    input_ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device."""
        return Batch(self.input_ids.to(device), self.mask.to(device), self.labels.to(device))

    def take(self, rows: torch.Tensor) -> Batch:
        """Return the rows at these indices `[B']`, as they are padded here."""
        return Batch(self.input_ids[rows], self.mask[rows], self.labels[rows])


def pad(rows: Rows, pad_id: int, side: str, most: int = 0) -> Batch:
    """Pad rows to their longest, and up to the next multiple of 8.

    A matrix library prepares a kernel for each shape that it meets, which on a CPU takes longer than the product; so
    few shapes are better than the shortest ones.

    Arguments:
        rows: B rows.
        pad_id: the token id that fills up.
        side: `"left"` or `"right"`.
        most: beyond it, nothing is added to the longest row.

    Returns:
        A batch with T the longest row's length, or a little more.

    Example:
        >>> pad(Rows([[5, 6], [7]], [1, 0]), 0, "left", most=3).input_ids.tolist()
        [[0, 5, 6], [0, 0, 7]]
    """
    longest = max(len(ids) for ids in rows.ids)
    longest = max(longest, min(-(-longest // STEP) * STEP, most))
    input_ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, ids in enumerate(rows.ids):
        place = slice(longest - len(ids), None) if side == "left" else slice(len(ids))
        input_ids[i, place] = torch.as_tensor(ids, dtype=torch.long)
        mask[i, place] = 1
    return Batch(input_ids, mask, torch.as_tensor(rows.labels, dtype=torch.long))


def cut(
    lengths: Sequence[int], positions: int, together: Sequence[int] = (), padded: bool = True
) -> Iterator[list[int]]:
    """Yield the rows of each pass: similar lengths together, so that little is padded.

    Arguments:
        lengths: places that each row takes.
        positions: rows times longest row that a pass may hold; or the rows' own tokens, where none is padded.
        together: a number a row; rows of the same number come one after the other.
        padded: whether the rows of a pass are padded to the longest.

    Example:
        >>> list(cut([3, 9, 4, 8], 10))
        [[0, 2], [3], [1]]
        >>> list(cut([3, 9, 4, 8], 16, padded=False))
        [[0, 2, 3], [1]]
    """
    group: list[int] = []
    longest = held = 0
    for row in sorted(range(len(lengths)), key=lambda i: (together[i] if together else 0, lengths[i], i)):
        longest, held = max(longest, lengths[row]), held + lengths[row]
        if group and ((len(group) + 1) * longest if padded else held) > positions:
            yield group
            group, longest, held = [], lengths[row], lengths[row]
        group.append(row)
    if group:
        yield group


def turns(
    part: Callable[[int], Sequence[list[int]]], index: int, count: int, even: bool
) -> Iterator[tuple[list[int], bool]]:
    """Yield the rows of each pass of one process, and whether they count.

    Processes that run a model together make equally many passes: one that has no more of its own makes that of another
    once again, and what comes of it does not count.

    Arguments:
        part: a process's index to the passes that fall to it.
        index: this process.
        count: how many processes there are.
        even: whether they run the model together.

    Example:
        >>> passes = [[0, 2], [3], [1]]
        >>> list(turns(lambda i: passes[i::2], 1, 2, even=True))
        [([3], True), ([1], False)]
    """
    parts = [part(i) for i in range(count)] if even else [part(index)]
    own = parts[index if even else 0]
    for turn in range(max(map(len, parts))):
        counts = turn < len(own)
        yield (own if counts else next(other for other in parts if turn < len(other)))[turn], counts
