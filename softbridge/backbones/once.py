"""A prompt that stands before causal texts is computed once for all rows that share it.

What stands behind a token never reaches it, so a prompt's states are the same before every text. A pass holds the
texts as rows of T places, and each of N prompts as rows of its own, cut to T places; in each block a text's queries
meet its prompt's keys before its own:

    B (P + T) places  ->  (B + N ceil(P / T)) T places

With 16 texts of 28 tokens behind 20 virtual ones that is 0.64 of the matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from softbridge.backbones.entrances import Entrance, entered, open_attention
from softbridge.errors import BackboneError
from softbridge.injection import Injection

SAME = 0.03  # of the states' norm: rounding in bfloat16 comes to a tenth of it, another computation to far more


@dataclass
class Common(Entrance):
    """Let each row's queries meet the keys of its prompt, which are computed in the same pass.

    Arguments:
        owner: `[B + N C]` each row's prompt, 0 .. N-1; the prompts' own C rows come last, in order.
        count: N.
        length: P.
    """

    owner: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    count: int = 1
    length: int = 0

    def extend(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the layer's keys and values `[B + N C, G, P + T, D]`."""
        self.met[layer] = None
        return self.before(key), self.before(value)

    def before(self, part: torch.Tensor) -> torch.Tensor:
        """Put every row's prompt before its own places."""
        rows, groups, places, depth = part.shape
        cut = -(-self.length // places)
        own = part[rows - self.count * cut :].view(self.count, cut, groups, places, depth).transpose(1, 2)
        prompts = own.reshape(self.count, groups, cut * places, depth)[:, :, : self.length]
        each = prompts.expand(rows, -1, -1, -1) if self.count == 1 else prompts.index_select(0, self.owner)
        return torch.cat([each, part], dim=2)

    def mask(self, mask: torch.Tensor | None, module: torch.nn.Module, query: torch.Tensor, length: int) -> Any:
        """Return the pass's own mask, which knows the prompts' places."""
        return mask


def saves(prompt: Injection, rows: int, places: int) -> bool:
    """Say whether fewer places are computed when prompts are computed once.

    Arguments:
        prompt: the injection of B rows.
        rows: B.
        places: T.
    """
    if prompt.tokens is None or prompt.member is None or prompt.mix_keys is not None:
        return False
    length = prompt.tokens.shape[1]
    many = len(prompt.member.unique())
    return 0 < many * -(-length // places) * places < rows * length


def texts_behind(body: Any, states: torch.Tensor, mask: torch.Tensor, prompt: Injection) -> torch.Tensor:
    """Return the last block's states `[B, T, H]` of texts, each behind its prompt.

    Arguments:
        body: a causal model without its head.
        states: `[B, T, H]` the texts where the prompt enters, padded on the left.
        mask: `[B, T]` 1 where a token is.
        prompt: the injection of B rows, with tokens `[B, P, H]` and member `[B]`.

    Raises:
        BackboneError: when a block's attention does not take what it is handed.
    """
    assert prompt.tokens is not None
    assert prompt.member is not None
    (rows, places), length = mask.shape, prompt.tokens.shape[1]
    told, owner = prompt.member.unique(return_inverse=True)
    count, cut = len(told), -(-length // places)
    leading = torch.full((count,), rows, device=mask.device).scatter_reduce(
        0, owner, torch.arange(rows, device=mask.device), "amin"
    )
    virtual = prompt.tokens[leading].to(states.dtype)  # [N, P, H]
    filled = torch.nn.functional.pad(virtual, (0, 0, 0, cut * places - length))
    joined = torch.cat([states, filled.view(count * cut, places, -1)])
    order = torch.arange(cut * places, device=mask.device).view(cut, places)
    behind = (mask.cumsum(1) - 1).clamp_min(0) + length
    positions = torch.cat([behind, order.clamp_max(length - 1).repeat(count, 1)])
    entrance = Common(
        owner=torch.cat([owner, torch.arange(count, device=mask.device).repeat_interleave(cut)]),
        count=count,
        length=length,
    )
    inputs = {
        "inputs_embeds": joined,
        "attention_mask": visible(mask, order, count, length, states.dtype),
        "position_ids": positions,
        "use_cache": False,
        "softbridge_entrance": entrance,
    }
    open_attention(body)
    if prompt.block:
        with entered(body, prompt.block, joined):
            last = body(**inputs).last_hidden_state
    else:
        last = body(**inputs).last_hidden_state
    layers = body.config.get_text_config().num_hidden_layers - prompt.block
    if len(entrance.met) != layers:
        raise BackboneError(
            f"the prompt's keys and values reached {len(entrance.met)} of {layers} layers",
            "a model whose attention layers take what they are handed",
            "join the prompt to each row",
        )
    return last[:rows]


def agree(body: Any, table: torch.Tensor, joined: Any) -> bool:
    """Say whether a model comes to the same states both ways, by trying: two prompts, rows of unlike length.

    Arguments:
        body: a causal model without its head.
        table: `[V, H]` its word embeddings.
        joined: (states, mask, prompt) to the last states `[B, P + T, H]` of prompts joined to each row.
    """
    draw = torch.Generator().manual_seed(0)
    picked = torch.randint(len(table), (3 * 6 + 2 * 3,), generator=draw).to(table.device)
    states, virtual = table[picked[:18]].view(3, 6, -1), table[picked[18:]].view(2, 3, -1).float()
    mask = torch.ones(3, 6, dtype=torch.long, device=table.device)
    mask[1, :4] = 0
    member = torch.tensor([1, 1, 0], device=table.device)
    prompt = Injection(virtual[member], member=member)
    try:
        with torch.inference_mode():
            once = texts_behind(body, states, mask, prompt)[:, -1].float()
            each = joined(states, mask, prompt)[:, -1].float()
    except (BackboneError, RuntimeError, TypeError, ValueError):
        return False  # its attention is its own: prompts are joined to each row
    return bool((once - each).norm() < SAME * each.norm())


def visible(mask: torch.Tensor, order: torch.Tensor, count: int, length: int, dtype: torch.dtype) -> torch.Tensor:
    """Return what each place may look at, `[B + N C, 1, T, P + T]`, 0 where it may.

    A text's place sees its whole prompt and the text up to itself; a prompt's place sees the prompt up to itself,
    in the prompt's part.

    Arguments:
        mask: `[B, T]` 1 where a text's token is.
        order: `[C, T]` the places of a prompt's rows.
        count: N.
        length: P.
        dtype: of the states.
    """
    (rows, places), device = mask.shape, mask.device
    causal = torch.ones(places, places, dtype=torch.bool, device=device).tril()
    texts = torch.cat(
        [torch.ones(rows, places, length, dtype=torch.bool, device=device), causal & mask[:, None].bool()], 2
    )
    earlier = torch.arange(length, device=device) <= order.unsqueeze(-1)  # [C, T, P]
    prompts = torch.cat([earlier, earlier.new_zeros(len(order), places, places)], 2).repeat(count, 1, 1)
    seen = torch.cat([texts, prompts]).unsqueeze(1)
    return torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(~seen, torch.finfo(dtype).min)
