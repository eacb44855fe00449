"""Let a model's own `generate` go on from a text with a prompt in it: greedy, sampling, beams, any cache.

Virtual tokens at the input are part of the embeddings that `generate` starts from. A prefix is handed to every pass.
What reaches the text itself (an offset, a later block), or a run without a cache, which would begin each pass from the
token ids alone, is computed anew for each token in the pass that also scores: slower, and exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import CausalLMOutput

from softbridge.backbones.entrances import Entrance, open_attention
from softbridge.errors import BackboneError
from softbridge.injection import Injection


def mute(name: str, kind: str) -> BackboneError:
    """Return the error of a backbone that is to write and cannot."""
    return BackboneError(
        f"the backbone '{name}' is of the kind {kind}, which writes no text",
        "a causal or a seq2seq backbone",
        "choose one of those; or name classes under labels, for softbridge predict",
    )


def ends(model: Any) -> list[int]:
    """Return the tokens that each end what a model writes."""
    found = model.generation_config.eos_token_id
    return found if isinstance(found, list) else [] if found is None else [found]


@contextmanager
def writing(model: Any) -> Iterator[None]:
    """Let a model keep what it computed of earlier tokens: transformers drops that where blocks are checkpointed."""
    blocks = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer) and part.training]
    for block in blocks:  # a block that does not train is not checkpointed
        block.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for block in blocks:
            block.training = True


@contextmanager
def accompanied(body: Any, prompt: Injection | None) -> Iterator[None]:
    """Hand a prefix to every pass through the model's body, and count the text's places from behind it.

    Arguments:
        body: the model without its head.
        prompt: the injection of one row, which all rows share; without keys nothing is changed.
    """
    if prompt is None or prompt.keys is None or prompt.values is None:
        yield
        return
    open_attention(body)
    keys, values, length = prompt.keys, prompt.values, prompt.length

    def before(module: torch.nn.Module, given: tuple[Any, ...], told: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if told.get("position_ids") is None:
            raise BackboneError(
                f"{type(module).__name__} was not told its tokens' places",
                "a model whose generate passes position_ids, so that a prefix can stand before them",
                "generate with a soft prompt",
            )
        rows = len(told["position_ids"])
        entrance = Entrance(keys.expand(rows, *keys.shape[1:]), values.expand(rows, *values.shape[1:]))
        return given, {**told, "position_ids": told["position_ids"] + length, "softbridge_entrance": entrance}

    hook = body.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def replayed(model: Any, hidden: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Let every pass of the model compute its whole row anew.

    Arguments:
        model: a causal model; its `forward` is its own again afterwards.
        hidden: token ids and mask `[B, T]` to the last block's states `[B, P + T, H]`.
    """

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor, **told: Any) -> CausalLMOutput:
        last = hidden(input_ids, attention_mask)[:, -1:].contiguous()
        return CausalLMOutput(logits=model.get_output_embeddings()(last))  # type: ignore[arg-type]

    model.forward = forward
    try:
        yield
    finally:
        del model.forward
