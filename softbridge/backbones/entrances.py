"""How a prompt enters above the input: keys and values in every layer's attention, and tokens before a later block.

Both work on the model's own code. Keys and values travel as an argument that transformers hands down to the attention
function, so there is nothing to reset, and a checkpointed layer that runs a second time meets them again. Tokens
before block k are put in front of that block; the blocks below it are passed by, because they see the text alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from softbridge.backbones.attention import matmul_attention
from softbridge.errors import BackboneError
from softbridge.injection import Injection

# A model's attention -> the name of the same attention that keys and values can enter.
OPEN = {"sdpa": "softbridge_open_sdpa"}
OPEN_MATMUL = "softbridge_open_matmul"


@dataclass
class Entrance:
    """Hold what enters the layers of one forward pass, and note which layers were reached.

    Arguments:
        keys: `[B, K, G, P, D]`; None where keys and values are only to be read.
        values: `[B, K, G, P, D]`.
        met: by layer, where keys and values are only to be read, the text's own as the layer computed them.
    """

    keys: torch.Tensor | None = None
    values: torch.Tensor | None = None
    met: dict[int, tuple[torch.Tensor, torch.Tensor] | None] = field(default_factory=dict)

    def extend(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the layer's keys and values `[B, G, P + S, D]`, the prompt's first."""
        if self.keys is None or self.values is None:
            self.met[layer] = (key, value)
            return key, value
        self.met[layer] = None
        mine = (self.keys[:, layer].to(key.dtype), self.values[:, layer].to(value.dtype))
        return torch.cat([mine[0], key], dim=2), torch.cat([mine[1], value], dim=2)

    def attend(self, attend: Any, module: Any, states: Sequence[torch.Tensor], mask: Any, **keys: Any) -> Any:
        """Return what an attention function makes of query, key and value with what enters before the last two."""
        query, key, value = states
        extended = self.extend(module.layer_idx, key, value)
        mask = widened(mask, module, query, extended[0].shape[2] - key.shape[2])
        return attend(module, query, *extended, mask, **keys)


def widened(
    mask: torch.Tensor | None, module: torch.nn.Module, query: torch.Tensor, length: int
) -> torch.Tensor | None:
    """Return the mask `[B, 1, T, P + S]` to which the prompt's P places are open; None hides nothing."""
    if mask is None and getattr(module, "is_causal", False) and query.shape[2] > 1:
        size = query.shape[2]
        hidden = torch.full((size, size), torch.finfo(query.dtype).min, device=query.device, dtype=query.dtype)
        mask = hidden.triu(1).expand(1, 1, -1, -1)
    if mask is None or not length:
        return mask
    return torch.cat([mask.new_full((*mask.shape[:-1], length), mask.dtype == torch.bool), mask], dim=-1)


def opened(attend: Any) -> Any:
    """Return an attention function that keys and values can enter."""

    def attention(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        softbridge_entrance: Entrance | None = None,
        **keys: Any,
    ) -> Any:
        if softbridge_entrance is not None:
            return softbridge_entrance.attend(attend, module, (query, key, value), attention_mask, **keys)
        return attend(module, query, key, value, attention_mask, **keys)

    return attention


for _name, _attend in ((OPEN["sdpa"], sdpa_attention_forward), (OPEN_MATMUL, matmul_attention)):
    AttentionInterface.register(_name, opened(_attend))
    AttentionMaskInterface.register(_name, eager_mask)


def open_attention(model: Any) -> None:
    """Give the model the open form of its attention, for good: without a prompt it computes what it did.

    Attention tells its block by `layer_idx`, which some models (DistilBERT) leave out.
    """
    now = model.config._attn_implementation
    if now not in (*OPEN.values(), OPEN_MATMUL):
        model.set_attn_implementation(OPEN.get(now, OPEN_MATMUL))
        for i, block in enumerate(blocks(model)):
            unnumbered: list[Any] = [part for part in block.modules() if not hasattr(part, "layer_idx")]
            for part in unnumbered:
                part.layer_idx = i


def last_states(body: Any, inputs: dict[str, Any], prompt: Injection | None) -> torch.Tensor:
    """Return the last block's states for inputs that a backbone joined, with what enters above the input.

    Arguments:
        body: the model without its head.
        inputs: its inputs; where tokens enter before block k > 0, `inputs_embeds` are the states that block reads.
        prompt: the injection of B rows, or None.

    Returns:
        `[B, S, H]`.

    Raises:
        BackboneError: when keys and values do not reach every layer of this model.
    """
    if prompt is None or (prompt.keys is None and not prompt.block):
        return body(**inputs).last_hidden_state
    if prompt.keys is None:
        with entered(body, prompt.block, inputs["inputs_embeds"]):
            return body(**inputs).last_hidden_state
    open_attention(body)
    entrance = Entrance(prompt.keys, prompt.values)
    states = body(**inputs, softbridge_entrance=entrance).last_hidden_state
    if len(entrance.met) != prompt.keys.shape[1]:
        raise unreached(len(entrance.met), prompt.keys.shape[1])
    return states


def unreached(count: int, layers: int) -> BackboneError:
    """Return the error for a model in which keys and values reach so many of its layers."""
    return BackboneError(
        f"the prompt's keys and values reached {count} of {layers} layers",
        "a model whose attention layers take what they are handed",
        "choose another prompt (soft, late), or another backbone",
    )


def keys_and_values(body: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the keys and values `[K, G, P, D]` that the model computes for one row of P tokens."""
    open_attention(body)
    entrance = Entrance()
    with torch.no_grad():
        body(**inputs, softbridge_entrance=entrance)
    parts = [part for _, part in sorted(entrance.met.items()) if part is not None]
    if not parts:
        raise unreached(0, len(blocks(body)))
    keys, values = (torch.cat([part[i] for part in parts]).float().cpu() for i in (0, 1))
    return keys, values


class Passed(torch.nn.Module):
    """Stand in a block's place and hand the states on; what else is asked of it, the block answers."""

    def __init__(self, block: torch.nn.Module) -> None:
        super().__init__()
        self.block = block

    def __getattr__(self, name: str) -> Any:
        """Return the block's own attribute."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("block"), name)

    def forward(self, hidden_states: torch.Tensor, *args: Any, **keys: Any) -> torch.Tensor:
        """Return the states as they came."""
        return hidden_states


class Entered(Passed):
    """Stand in block k's place, and run it on other states than those that come."""

    def __init__(self, block: torch.nn.Module, states: torch.Tensor) -> None:
        super().__init__(block)
        self.states = states

    def forward(self, hidden_states: torch.Tensor, *args: Any, **keys: Any) -> torch.Tensor:
        """Return what the block makes of the given states."""
        return self.block(self.states, *args, **keys)


class ReachedError(Exception):
    """Carry the states that block k would read out of the model."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


class Stopped(Passed):
    """Stand in block k's place, and end the pass there."""

    def forward(self, hidden_states: torch.Tensor, *args: Any, **keys: Any) -> torch.Tensor:
        """Raise with the states."""
        raise ReachedError(hidden_states)


def blocks(body: Any) -> torch.nn.ModuleList:
    """Return the list of the model's blocks."""
    count = body.config.get_text_config().num_hidden_layers
    lists = [part for part in body.modules() if isinstance(part, torch.nn.ModuleList) and len(part) == count]
    if not lists:
        raise BackboneError(
            f"no list of {count} blocks was found in {type(body).__name__}",
            "a model of blocks one after the other",
            "choose a prompt that enters at the input",
        )
    return lists[0]


def blocks_above(body: Any, block: int) -> torch.nn.ModuleList:
    """Return the list of the model's blocks, where block k is one that tokens can enter before."""
    every = blocks(body)
    if not 0 < block < len(every):
        raise BackboneError(
            f"a prompt is to enter before block {block}",
            f"a block from 1 to {len(every) - 1}",
            "write block: with one of these, or use the kind soft, which enters at the input",
        )
    return every


@contextmanager
def entered(body: Any, block: int, states: torch.Tensor) -> Iterator[None]:
    """Let the model's block k read these states, and pass the blocks below by."""
    every = blocks_above(body, block)
    own = list(every)
    try:
        for i in range(block):
            every[i] = Passed(own[i])
        every[block] = Entered(own[block], states)
        yield
    finally:
        for i in range(block + 1):
            every[i] = own[i]


def states_below(body: Any, block: int, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the states `[B, T, H]` that block k would read; the blocks from k on are not run."""
    every = blocks_above(body, block)
    own = every[block]
    try:
        every[block] = Stopped(own)
        with torch.no_grad():
            body(**inputs)
    except ReachedError as reached:
        return reached.states
    finally:
        every[block] = own
    raise BackboneError("the pass did not come to its block", f"block {block}", "choose another backbone")
