"""One pass over rows of unequal length without padding and, in a causal model, with a prompt computed once.

All that a block does place by place (its matrix products, norms, activations) is done over one row of S places, in
which the tokens of all texts stand one after the other; only attention pads texts, in groups of similar length. What
stands behind a token of a causal model never reaches it, so a prompt's states are the same before every text: each of
N prompts stands in the row once, and in each block the texts' queries meet its keys before their own:

    an encoder:      B (P + longest T) places  ->  sum of P + T
    a causal model:  B (P + longest T) places  ->  sum of T, + N P
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

# Slots of the texts that attention looks at together on a CPU; a GPU takes all at once, padded.
GROUP_PLACES = {"cpu": 768}
# A row's places are filled up to a multiple, for a CPU's library prepares a kernel for each new shape of a product.
FULL = {("cpu", torch.bfloat16): 64}
Move = Callable[[torch.Tensor], torch.Tensor]
SAME = 0.03  # of the states' norm: rounding in bfloat16 comes to a tenth of it, another computation to far more


@dataclass(frozen=True)
class Group:
    """Hold R texts of n tokens in all that attention looks at together, padded to T places each.

    Arguments:
        rows: `[R]` which of the B rows.
        mask: `[R, 1, T, P + T]`, added to the scores.
        tokens: `[R T]` the token that stands in each slot; any where none does.
        empty: the slots where none does.
        slots: `[n]` the slot of each token.
    """

    rows: torch.Tensor
    mask: torch.Tensor
    tokens: torch.Tensor
    empty: torch.Tensor
    slots: torch.Tensor

    def padded(self, states: torch.Tensor) -> torch.Tensor:
        """Return tokens' states `[n, ...]` in their slots, `[R T, ...]`; zeros where none stands."""
        return states.index_select(0, self.tokens).index_fill_(0, self.empty, 0)

    def bare(self, states: torch.Tensor) -> torch.Tensor:
        """Return the tokens' states `[n, ...]` of those in slots, `[R T, ...]`."""
        return states.index_select(0, self.slots)


class Moved(torch.autograd.Function):
    """Move tokens' states into slots, or out of them, in every block; the gradient goes the other way.

    torch's own gradient of `index_select` would add row after row.
    """

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, move: Move, back: Move) -> torch.Tensor:
        """Return `move(states)`, for a move whose transpose is `back`."""
        ctx.back = back
        return move(states)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return `back(gradient)`."""
        return ctx.back(gradient), None, None


@dataclass
class Packed(Entrance):
    """Let attention see the texts in one row of S places.

    Arguments:
        groups: the texts, in the order in which they stand.
        prompts: N prompts of P places, which stand last and are met by the texts; 0 where there are none.
        length: P of these.
        owner: `[B]` the prompt that a text is behind, 0 .. N-1.
        own: `[1, 1, P, P]` what a prompt's places see of each other.
        spare: places at the row's end that nobody reads.
    """

    groups: Sequence[Group] = ()
    prompts: int = 0
    length: int = 0
    spare: int = 0
    owner: torch.Tensor | None = None
    own: torch.Tensor | None = None

    def attend(self, attend: Any, module: Any, states: Sequence[torch.Tensor], mask: Any, **keys: Any) -> Any:
        """Return what each place attends to, `[1, S, heads, D]`, group by group."""
        self.met[module.layer_idx] = None
        sizes = [len(group.slots) for group in self.groups] + [self.prompts * self.length, self.spare]
        *parts, last, _ = zip(*(s[0].transpose(0, 1).split(sizes) for s in states), strict=True)
        shared = [rowed(part, self.prompts) for part in last]
        made = []
        for group, part in zip(self.groups, parts, strict=True):
            query, key, value = (rowed(Moved.apply(p, group.padded, group.bare), len(group.rows)) for p in part)
            meets = self.before(module.layer_idx, group, shared[1], shared[2])
            key, value = (
                torch.cat([m, p], 2) if m is not None else p for m, p in zip(meets, (key, value), strict=True)
            )
            read = attend(module, query, key, value, group.mask, **keys)[0]
            made.append(Moved.apply(read.flatten(0, 1), group.bare, group.padded))
        if self.prompts:
            made.append(attend(module, *shared, self.own, **keys)[0].flatten(0, 1))
        made.append(made[0].new_zeros(self.spare, *made[0].shape[1:]))
        return torch.cat(made).unsqueeze(0), None

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


def rowed(part: torch.Tensor, rows: int) -> torch.Tensor:
    """Return `[R T, heads, D]` as `[R, heads, T, D]`; R may be 0."""
    return part.unflatten(0, (rows, -1 if rows else 0)).transpose(1, 2)


def saves(prompt: Injection | None, rows: int) -> bool:
    """Say whether a causal prompt before B rows is shared by some of them."""
    if prompt is None or prompt.tokens is None or prompt.member is None or prompt.mix_keys is not None:
        return False
    return prompt.slots > 0 and len(prompt.member.unique()) < rows


def packed_states(
    body: Any,
    inputs: dict[str, Any],
    prompt: Injection | None,
    group_places: int | None = None,
    causal: bool = True,
) -> torch.Tensor:
    """Return the last block's states `[B, T, H]` of B rows; those of padding mean nothing.

    Arguments:
        body: the model without its head.
        inputs: `inputs_embeds` `[B, T, H]`, `attention_mask` and `position_ids` `[B, T]`, and what else it takes.
        prompt: the injection of B rows. Virtual tokens that rows share are not among the inputs, but stand before them
            here, and `position_ids` leaves room for them.
        group_places: slots of the texts that attention looks at together; None: all.
        causal: whether a place sees those before it alone.

    Raises:
        BackboneError: when a block's attention does not take what it is handed.
    """
    states, mask = inputs["inputs_embeds"], inputs["attention_mask"]
    rows, places, width = states.shape
    entrance, index = arranged(mask, prompt, group_places, states.dtype, causal)
    row = states.reshape(-1, width).index_select(0, index)
    positions = inputs["position_ids"].expand(rows, -1).reshape(-1)[index]
    if entrance.prompts:
        assert prompt is not None
        row = torch.cat([row, virtual(prompt, entrance).to(row.dtype).flatten(0, 1)])
        first = torch.arange(entrance.length, device=index.device).repeat(entrance.prompts)
        positions = torch.cat([positions, first])
    entrance.spare = -len(row) % FULL.get((row.device.type, row.dtype), 1)
    row, positions = (torch.cat([part, part[:1].expand(entrance.spare, *part.shape[1:])]) for part in (row, positions))
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
    made = last.new_zeros(rows * places, last.shape[-1]).index_copy(0, index, last[0, : len(index)])
    return made.view(rows, places, -1)


def arranged(
    mask: torch.Tensor, prompt: Injection | None, group_places: int | None, dtype: torch.dtype, causal: bool
) -> tuple[Packed, torch.Tensor]:
    """Return how rows stand in one, and `[S]` where in `[B T]` each of its tokens comes from."""
    device, (rows, places) = mask.device, mask.shape
    entrance = Packed(prompt.keys, prompt.values) if prompt else Packed()
    if causal and saves(prompt, rows):
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
        source = mine.unsqueeze(1) * places + torch.arange(places, device=device)
        sources.append(source[mask[mine].bool()])
        there = torch.arange(longest, device=device) < mask[mine].sum(1, keepdim=True)
        groups.append(slotted(mine, there, seen(there, ahead, dtype, causal)))
    entrance.groups = groups
    return entrance, torch.cat(sources)


def slotted(rows: torch.Tensor, there: torch.Tensor, mask: torch.Tensor) -> Group:
    """Return a group of rows `[R]`, from where tokens stand in its slots `[R, T]`, and what they see."""
    flat = there.flatten()
    tokens = (flat.cumsum(0) - 1).clamp_min(0)
    return Group(rows, mask, tokens, (~flat).nonzero()[:, 0], flat.nonzero()[:, 0])


def virtual(prompt: Injection, entrance: Packed) -> torch.Tensor:
    """Return the N prompts `[N, P, H]` that rows share."""
    assert prompt.tokens is not None
    assert entrance.owner is not None
    every = torch.arange(len(entrance.owner), device=entrance.owner.device)
    first = torch.full((entrance.prompts,), len(every), device=every.device)
    return prompt.tokens[first.scatter_reduce(0, entrance.owner, every, "amin")]


def seen(there: torch.Tensor, ahead: int, dtype: torch.dtype, causal: bool) -> torch.Tensor:
    """Return what slots see: all tokens of their text or the earlier ones, and P places that all may see.

    Arguments:
        there: `[R, T]` True where a token is.
        ahead: P.
        dtype: of the scores.
        causal: whether a slot sees those before it alone.
    """
    rows, places = there.shape
    own = there.unsqueeze(1).expand(-1, places, -1)
    own = own.tril() if causal else own
    return additive(torch.cat([there.new_ones(rows, places, ahead), own], 2), dtype)


def additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return `[R, T, S]` of what may be seen as what is added to scores, `[R, 1, T, S]`."""
    hidden = ~allowed.unsqueeze(1)
    return torch.zeros(hidden.shape, device=allowed.device, dtype=dtype).masked_fill(hidden, torch.finfo(dtype).min)


def local(config: Any, places: int) -> bool:
    """Say whether some of a model's attention would not reach over so many places: it goes by slots of its own."""
    names = ("sliding_window", "attention_chunk_size", "local_attention")
    sizes = (getattr(config, name, None) for name in names)
    return any(size is not None and places > size // 2 for size in sizes)


def trial(table: torch.Tensor, side: str) -> tuple[torch.Tensor, torch.Tensor, Injection]:
    """Return what both ways are tried on: states `[B, T, H]` of three rows of unlike length, their mask, two prompts.

    Arguments:
        table: `[V, H]` the model's word embeddings.
        side: where rows are padded.
    """
    draw = torch.Generator().manual_seed(0)
    picked = torch.randint(len(table), (3 * 6 + 2 * 3,), generator=draw).to(table.device)
    states, tokens = table[picked[:18]].view(3, 6, -1), table[picked[18:]].view(2, 3, -1).float()
    mask = torch.ones(3, 6, dtype=torch.long, device=table.device)
    mask[1, slice(4) if side == "left" else slice(2, None)] = 0
    member = torch.tensor([1, 1, 0], device=table.device)
    return states, mask, Injection(tokens[member], member=member)


def agree(body: Any, packed: Callable[[], torch.Tensor], padded: Callable[[], torch.Tensor]) -> bool:
    """Say whether a model comes to the same states both ways, by trying; if not, its attention is what it was."""
    attention = body.config._attn_implementation
    same = alike(packed, padded)
    if not same:
        body.set_attn_implementation(attention)
    return same


def alike(packed: Callable[[], torch.Tensor], padded: Callable[[], torch.Tensor]) -> bool:
    """Say whether two computations come to the same states, and the first can be done at all."""
    try:
        with torch.inference_mode():
            once, each = packed().float(), padded().float()
    except (BackboneError, RuntimeError, TypeError, ValueError, AttributeError, IndexError):
        return False  # its attention is its own: rows are run padded
    return bool((once - each).norm() < SAME * each.norm())
