"""What a prompt puts into a backbone, and what it may know of the backbone: the seam between two rooms.

A prompt *makes* an injection, a backbone *joins* it. Backbones know no prompt class; prompts know no backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import torch

# The parts an injection may have, each with the shape of one row.
PARTS: Mapping[str, str] = MappingProxyType(
    {
        "tokens": "P H",
        "keys": "K G P D",
        "values": "K G P D",
        "offset": "T H",
        "down": "R H",
        "down_bias": "R",
        "up": "H R",
        "up_bias": "H",
        "mix_keys": "M H",
        "mix_values": "M P H",
        "query_down": "R H",
        "query_up": "H R",
        "query_norm": "2 H",
        "head": "C H",
        "head_bias": "C",
    }
)


@dataclass(frozen=True)
class Injection:
    """Hold what enters a backbone for B rows; a part that a prompt does not have is None.

    All parts are float32; the join casts them to the backbone's precision.

    Arguments:
        tokens: `[B, P, H]` virtual tokens, which enter before a block.
        keys: `[B, K, G, P, D]` keys of virtual tokens in every layer's attention, of G key-value heads.
        values: `[B, K, G, P, D]` their values.
        offset: `[B, T, H]` what is added to the embedding of the text's token at place 0 .. T-1.
        down, down_bias, up, up_bias: `[B, R, H]`, `[B, R]`, `[B, H, R]`, `[B, H]` of what is added to the embedding e
            of every token of the text: `up relu(down e + down_bias) + up_bias`.
        mix_keys: `[B, M, H]` of M prompts that are mixed by attention from the text, temperature included.
        mix_values: `[B, M, P, H]` these prompts. Beside `tokens` their weighted sum is added to those; without, the
            model is run with each of them, and the weighted sum of the classes' scores is taken.
        query_down, query_up, query_norm: `[B, R, H]`, `[B, H, R]`, `[B, 2, H]` of the network that makes a query.
        head: `[B, C, H]` a linear classifier, for backbones that read their classes from one.
        head_bias: `[B, C]` its bias.
        block: the index k of the block that the tokens enter before; 0 is the input.
        member: `[B]` rows of the same number have the same prompt; None where that is not known.
    """

    tokens: torch.Tensor | None = None
    keys: torch.Tensor | None = None
    values: torch.Tensor | None = None
    offset: torch.Tensor | None = None
    down: torch.Tensor | None = None
    down_bias: torch.Tensor | None = None
    up: torch.Tensor | None = None
    up_bias: torch.Tensor | None = None
    mix_keys: torch.Tensor | None = None
    mix_values: torch.Tensor | None = None
    query_down: torch.Tensor | None = None
    query_up: torch.Tensor | None = None
    query_norm: torch.Tensor | None = None
    head: torch.Tensor | None = None
    head_bias: torch.Tensor | None = None
    block: int = 0
    member: torch.Tensor | None = None

    @property
    def parts(self) -> dict[str, torch.Tensor]:
        """Return the parts there are, by name."""
        return {name: getattr(self, name) for name in PARTS if getattr(self, name) is not None}

    @property
    def length(self) -> int:
        """Return P, the number of virtual tokens."""
        if self.votes:
            assert self.mix_values is not None
            return self.mix_values.shape[2]
        return 0 if self.tokens is None and self.keys is None else self.vectors().shape[1]

    @property
    def votes(self) -> bool:
        """Return whether the model is run once with each of several prompts."""
        return self.mix_values is not None and self.tokens is None

    @property
    def slots(self) -> int:
        """Return how many places of the input the virtual tokens take; keys and values take none."""
        if self.votes:
            assert self.mix_values is not None
            return self.mix_values.shape[2]
        return 0 if self.tokens is None else self.tokens.shape[1]

    def each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Injection:
        """Return this injection with every part changed."""
        parts = {name: change(part) for name, part in self.parts.items()}
        return Injection(**parts, block=self.block, member=self.member)

    def pick(self, rows: torch.Tensor) -> Injection:
        """Return the injection of these rows.

        Arguments:
            rows: `[B']` indices into B.

        Example:
            >>> Injection(torch.eye(2).unsqueeze(1)).pick(torch.tensor([1, 1, 0])).tokens[:, 0].tolist()
            [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
        """
        member = None if self.member is None else self.member[rows]
        return replace(self.each(lambda part: part[rows]), member=member)

    def vectors(self) -> torch.Tensor:
        """Return one vector a virtual token: `[B, P, H]`, or `[B, P, 2 K G D]` of keys and values."""
        if self.tokens is not None:
            return self.tokens
        assert self.keys is not None
        assert self.values is not None
        both = torch.stack([self.keys, self.values], dim=1)  # [B, 2, K, G, P, D]
        return both.permute(0, 4, 1, 2, 3, 5).flatten(2)

    def state(self) -> dict[str, Any]:
        """Return plain values that `Injection(**state)` takes back."""
        return {"block": self.block, **self.parts}


def shared(prompt: Injection | None, rows: torch.Tensor) -> Injection | None:
    """Return one row's prompt for B rows of token ids `[B, T]`, on their device."""
    if prompt is None:
        return None
    return prompt.each(lambda part: part.to(rows.device).expand(len(rows), *part.shape[1:]))


def stack(injections: Sequence[Injection]) -> Injection:
    """Return the rows of several injections, which have the same parts, one after the other."""
    first = injections[0]
    parts = {name: torch.cat([getattr(i, name) for i in injections]) for name in first.parts}
    return Injection(**parts, block=first.block)


def one_row(parts: Mapping[str, torch.Tensor], block: int = 0) -> Injection:
    """Return the injection of one row from parts without a row axis.

    Example:
        >>> one_row({"tokens": torch.zeros(3, 8)}).tokens.shape
        torch.Size([1, 3, 8])
    """
    return Injection(**{name: part.unsqueeze(0) for name, part in parts.items()}, block=block)


@dataclass(frozen=True)
class Space:
    """Tell a prompt what it may know of the backbone it enters.

    Arguments:
        table: `[V, H]` the frozen word embeddings, as the first block reads them.
        tokenise: a text to token ids, without special tokens.
        common: token ids of ordinary words, commonest first.
        labels: the label words or descriptions of the task, in class order.
        layers: K, the number of blocks.
        groups: G, the key-value heads of a block.
        depth: D, the width of a head.
        rows: T, the most tokens of a text.
        cache: token ids to the keys and values `[K, G, P, D]` that the backbone computes for them.
        states: token ids and a block's index to the states `[P, H]` that the tokens have before that block.
        head: the width of what a linear head reads, where the backbone reads its classes from one.
    """

    table: torch.Tensor
    tokenise: Callable[[str], list[int]]
    common: Sequence[int]
    labels: Sequence[str] = ()
    layers: int = 0
    groups: int = 0
    depth: int = 0
    rows: int = 0
    cache: Callable[[Sequence[int]], tuple[torch.Tensor, torch.Tensor]] | None = None
    states: Callable[[Sequence[int], int], torch.Tensor] | None = None
    head: int | None = None

    @property
    def width(self) -> int:
        """Return H, the width of a virtual token."""
        return self.table.shape[1]


assert set(PARTS) == {field.name for field in fields(Injection)} - {"block", "member"}


def altered(states: torch.Tensor, mask: torch.Tensor, prompt: Injection) -> torch.Tensor:
    """Add a prompt's offset by place and its network's output to a text's embeddings.

    Arguments:
        states: `[B, T, H]` embeddings of B rows.
        mask: `[B, T]` 1 where a token is; places are counted from a row's first token.
        prompt: the injection of B rows.

    Returns:
        `[B, T, H]` in the embeddings' own precision.

    Example:
        >>> offset = torch.tensor([[[1.0], [2.0]]])
        >>> altered(torch.zeros(1, 4, 1), torch.tensor([[0, 1, 1, 1]]), Injection(offset=offset)).flatten().tolist()
        [0.0, 1.0, 2.0, 0.0]
    """
    changed = states.float()
    if prompt.offset is not None:
        place = mask.cumsum(1) - 1
        there = ((mask == 1) & (place < prompt.offset.shape[1])).unsqueeze(-1)
        index = place.clamp(0, prompt.offset.shape[1] - 1).unsqueeze(-1).expand_as(changed)
        changed = changed + prompt.offset.gather(1, index) * there
    if prompt.down is not None and prompt.up is not None:
        assert prompt.down_bias is not None
        assert prompt.up_bias is not None
        inner = torch.relu(states.float() @ prompt.down.mT + prompt.down_bias.unsqueeze(1))
        changed = changed + inner @ prompt.up.mT + prompt.up_bias.unsqueeze(1)
    return changed.to(states.dtype)
