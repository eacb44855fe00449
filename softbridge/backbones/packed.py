"""One pass of a causal model over rows of unequal length, without padding, and with a prompt computed once.

All that a block does place by place (its matrix products, norms, activations) is done over one row of S places, in
which the texts stand one after the other; only attention looks at texts, in groups of similar length. What stands
behind a token never reaches it, so a prompt's states are the same before every text: each of N prompts stands in the
row once, and in each block the texts' queries meet its keys before their own:

    B (P + longest T) places  ->  sum of T + N P places
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from softbridge.backbones.entrances import Entrance, blocks, entered, open_attention
from softbridge.batch import cut
from softbridge.errors import BackboneError
from softbridge.injection import Injection

# Places of the texts that attention looks at together on a CPU; a GPU takes all at once, padded.
GROUP_PLACES = {"cpu": 448}
SAME = 0.03  # of the states' norm: rounding in bfloat16 comes to a tenth of it, another computation to far more


@dataclass(frozen=True)
class Group:
    """Hold R texts that attention looks at together.

    Arguments:
        rows: `[R]` which of the B rows.
        places: T, the longest.
        mask: `[R, 1, T, P + T]`, added to the scores.
    """

    rows: torch.Tensor
    places: int
    mask: torch.Tensor


@dataclass
class Packed(Entrance):
    """Let attention see the texts in one row of S places.

    Arguments:
        groups: the texts, in the order in which they stand.
        prompts: N prompts of P places, which stand last and are met by the texts; 0 where there are none.
        length: P of these.
        owner: `[B]` the prompt that a text is behind, 0 .. N-1.
        own: `[1, 1, P, P]` what a prompt's places see of each other.
    """

    groups: Sequence[Group] = ()
    prompts: int = 0
    length: int = 0
    owner: torch.Tensor | None = None
    own: torch.Tensor | None = None

    def attend(self, attend: Any, module: Any, states: Sequence[torch.Tensor], mask: Any, **keys: Any) -> Any:
        """Return what each place attends to, `[1, S, heads, D]`, group by group."""
        self.met[module.layer_idx] = None
        sizes = [len(group.rows) * group.places for group in self.groups] + [self.prompts * self.length]
        query, key, value = (
            [shaped(p, g) for p, g in zip(s.split(sizes, 2), self.shapes, strict=True)] for s in states
        )
        made = []
        for i, group in enumerate(self.groups):
            meets = self.before(module.layer_idx, group, key[-1], value[-1])
            k, v = (
                torch.cat([m, p[i]], 2) if m is not None else p[i] for m, p in zip(meets, (key, value), strict=True)
            )
            made.append(attend(module, query[i], k, v, group.mask, **keys)[0].flatten(0, 1))
        if self.prompts:
            made.append(attend(module, query[-1], key[-1], value[-1], self.own, **keys)[0].flatten(0, 1))
        return torch.cat(made).unsqueeze(0), None

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Return rows and places of each group, and of the prompts."""
        return [(len(group.rows), group.places) for group in self.groups] + [(self.prompts, self.length)]

    def before(
        self, layer: int, group: Group, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return the keys and values `[R, G, P, D]` that a group's texts meet before their own."""
        if self.keys is not None and self.values is not None:
            return self.keys[group.rows, layer].to(key.dtype), self.values[group.rows, layer].to(value.dtype)
        if not self.prompts:
            return None, None
        if self.prompts == 1:
            return key.expand(len(group.rows), -1, -1, -1), value.expand(len(group.rows), -1, -1, -1)
        assert self.owner is not None
        mine = self.owner[group.rows]
        return key.index_select(0, mine), value.index_select(0, mine)


def shaped(part: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Return `[1, heads, R T, D]` as `[R, heads, T, D]`."""
    return part[0].unflatten(1, shape).transpose(0, 1)


def saves(prompt: Injection | None, rows: int) -> bool:
    """Say whether a causal prompt before B rows is shared by some of them."""
    if prompt is None or prompt.tokens is None or prompt.member is None or prompt.mix_keys is not None:
        return False
    return prompt.slots > 0 and len(prompt.member.unique()) < rows


def packed_states(
    body: Any, inputs: dict[str, Any], prompt: Injection | None, group_places: int | None = None
) -> torch.Tensor:
    """Return the last block's states `[B, T, H]` of B rows; those of padding mean nothing.

    Arguments:
        body: the model without its head.
        inputs: `inputs_embeds` `[B, T, H]`, `attention_mask` and `position_ids` `[B, T]`, and what else it takes; rows
            are padded on the left.
        prompt: the injection of B rows. Virtual tokens that rows share are not among the inputs, but stand before them
            here, and `position_ids` leaves room for them.
        group_places: places that attention looks at together.

    Raises:
        BackboneError: when a block's attention does not take what it is handed.
    """
    states, mask = inputs["inputs_embeds"], inputs["attention_mask"]
    rows, places, width = states.shape
    entrance, index = arranged(mask, prompt, group_places, states.dtype)
    row = states.reshape(-1, width).index_select(0, index)
    positions = inputs["position_ids"].expand(rows, -1).reshape(-1)[index]
    if entrance.prompts:
        assert prompt is not None
        row = torch.cat([row, virtual(prompt, entrance).to(row.dtype).flatten(0, 1)])
        first = torch.arange(entrance.length, device=index.device).repeat(entrance.prompts)
        positions = torch.cat([positions, first])
    open_attention(body)
    told = {**inputs, "inputs_embeds": row.unsqueeze(0), "position_ids": positions.unsqueeze(0)}
    told |= {"attention_mask": row.new_zeros(1, 1, 1, 1), "softbridge_entrance": entrance}  # nobody reads this mask
    block = prompt.block if prompt else 0
    if block:
        with entered(body, block, told["inputs_embeds"]):
            last = body(**told).last_hidden_state
    else:
        last = body(**told).last_hidden_state
    if len(entrance.met) != len(blocks(body)) - block:
        raise BackboneError(
            f"what attention is handed reached {len(entrance.met)} of {len(blocks(body)) - block} layers",
            "a model whose attention layers take what they are handed",
            "run its rows padded",
        )
    made = last.new_zeros(rows * places, width).index_copy(0, index, last[0, : len(index)])
    return made.view(rows, places, width)


def arranged(
    mask: torch.Tensor, prompt: Injection | None, group_places: int | None, dtype: torch.dtype
) -> tuple[Packed, torch.Tensor]:
    """Return how rows stand in one, and `[S]` where in `[B T]` each of its places comes from."""
    device, (rows, places) = mask.device, mask.shape
    entrance = Packed(prompt.keys, prompt.values) if prompt else Packed()
    if saves(prompt, rows):
        assert prompt is not None
        assert prompt.member is not None
        told, entrance.owner = prompt.member.unique(return_inverse=True)
        entrance.prompts, entrance.length = len(told), prompt.slots
        own = torch.ones(1, entrance.length, entrance.length, dtype=torch.bool, device=device).tril()
        entrance.own = additive(own, dtype)
    ahead = entrance.length or (prompt.length if prompt and prompt.keys is not None else 0)
    lengths, groups, sources = mask.sum(1).tolist(), [], []
    for group in cut(lengths, group_places) if group_places else [list(range(rows))]:
        mine, longest = torch.tensor(group, device=device), max(lengths[i] for i in group)
        source = mine.unsqueeze(1) * places + torch.arange(places - longest, places, device=device)
        groups.append(Group(mine, longest, seen(mask.reshape(-1)[source].bool(), ahead, dtype)))
        sources.append(source.flatten())
    entrance.groups = groups
    return entrance, torch.cat(sources)


def virtual(prompt: Injection, entrance: Packed) -> torch.Tensor:
    """Return the N prompts `[N, P, H]` that rows share."""
    assert prompt.tokens is not None
    assert entrance.owner is not None
    every = torch.arange(len(entrance.owner), device=entrance.owner.device)
    first = torch.full((entrance.prompts,), len(every), device=every.device)
    return prompt.tokens[first.scatter_reduce(0, entrance.owner, every, "amin")]


def seen(mask: torch.Tensor, ahead: int, dtype: torch.dtype) -> torch.Tensor:
    """Return what texts' places see: earlier ones, and P places that all may see.

    Arguments:
        mask: `[R, T]` True where a token is.
        ahead: P.
        dtype: of the scores.
    """
    rows, places = mask.shape
    earlier = mask.unsqueeze(1) & torch.ones(places, places, dtype=torch.bool, device=mask.device).tril()
    return additive(torch.cat([mask.new_ones(rows, places, ahead), earlier], 2), dtype)


def additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return `[R, T, S]` of what may be seen as what is added to scores, `[R, 1, T, S]`."""
    hidden = ~allowed.unsqueeze(1)
    return torch.zeros(hidden.shape, device=allowed.device, dtype=dtype).masked_fill(hidden, torch.finfo(dtype).min)


def local(config: Any, places: int) -> bool:
    """Say whether some of a model's attention would not reach over so many places: it goes by slots of its own."""
    names = ("sliding_window", "attention_chunk_size", "local_attention")
    sizes = (getattr(config, name, None) for name in names)
    return any(size is not None and places > size // 2 for size in sizes)


def agree(body: Any, table: torch.Tensor, padded: Callable[..., torch.Tensor]) -> bool:
    """Say whether a model comes to the same states both ways, by trying: three rows of unlike length, two prompts.

    Arguments:
        body: the model without its head.
        table: `[V, H]` its word embeddings.
        padded: (states, mask, prompt) to the last states of rows that are run padded, `[B, P + T, H]`.
    """
    draw = torch.Generator().manual_seed(0)
    picked = torch.randint(len(table), (3 * 6 + 2 * 3,), generator=draw).to(table.device)
    states, tokens = table[picked[:18]].view(3, 6, -1), table[picked[18:]].view(2, 3, -1).float()
    mask = torch.ones(3, 6, dtype=torch.long, device=table.device)
    mask[1, :4] = 0
    member = torch.tensor([1, 1, 0], device=table.device)
    prompt = Injection(tokens[member], member=member)
    order = (mask.cumsum(1) - 1).clamp_min(0) + 3
    inputs = {"inputs_embeds": states, "attention_mask": mask, "position_ids": order, "use_cache": False}
    try:
        with torch.inference_mode():
            once = packed_states(body, inputs, prompt, 12)[mask.bool()].float()
            each = padded(states, mask, prompt)[:, 3:][mask.bool()].float()
    except (BackboneError, RuntimeError, TypeError, ValueError, AttributeError):
        return False  # its attention is its own: rows are run padded
    return bool((once - each).norm() < SAME * each.norm())
