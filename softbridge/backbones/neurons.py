"""Which neurons a prompt switches on: the feed-forward activations at one special token behind the prompt.

The activation function of a block stands between its two linear layers, so what it returns is what is wanted. In a
gated block (SwiGLU, GeGLU) it is the gate's, and says whether the gate is open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from softbridge.backbones.base import Backbone
from softbridge.backbones.entrances import blocks
from softbridge.batch import Rows
from softbridge.errors import BackboneError
from softbridge.injection import Injection, shared

FUNCTIONS = ("transformers.activations", "torch.nn.modules.activation")
OTHERS = (torch.nn.MultiheadAttention, torch.nn.Softmax, torch.nn.Tanh, torch.nn.Sigmoid)  # no half is ever off


def neurons(backbone: Backbone, prompt: Injection | None) -> torch.Tensor:
    """Return the activations of the feed-forward neurons at one special token, with a prompt before it.

    The token is the mask, or where there is none what opens a text (`<s>`, [CLS]) or ends one. It is read where the
    classes are read: in an encoder-decoder at the decoder's first position.

    Arguments:
        backbone: the frozen backbone.
        prompt: the injection of one row, or None.

    Returns:
        `[K, F]` in float32 on the CPU, of the K blocks from the prompt's own on.

    Raises:
        BackboneError: when the blocks are not built of two linear layers around one activation function, or several
            prompts are mixed by the text.
    """
    if prompt is not None and prompt.mix_values is not None:
        raise BackboneError(
            "the prompt is mixed anew for each text, and its neurons are read without a text",
            "one prompt for all texts",
            "compare prompts of another bridge, or by another measure",
        )
    body, slot = backbone.reading()
    caught: dict[int, torch.Tensor] = {}
    between = [activation(block) for block in list(blocks(body))[prompt.block if prompt else 0 :]]
    handles = [part.register_forward_hook(catch(caught, i)) for i, part in enumerate(between)]
    batch = backbone.batch(Rows([[special(backbone)]], [0]))
    try:
        with torch.no_grad():
            backbone.vectors(batch, shared(prompt, batch.input_ids))
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack([caught[i].flatten(0, -2)[slot].float().cpu() for i in range(len(between))])


def catch(caught: dict[int, torch.Tensor], index: int) -> Callable[..., None]:
    """Return a hook that keeps what a block's activation function returns."""

    def hook(module: torch.nn.Module, given: Any, returned: torch.Tensor) -> None:
        caught[index] = returned

    return hook


def activation(block: torch.nn.Module) -> torch.nn.Module:
    """Return the one activation function of a block.

    Raises:
        BackboneError: when there is none, or more than one.
    """
    found = [part for part in block.modules() if type(part).__module__ in FUNCTIONS and not isinstance(part, OTHERS)]
    if len(found) != 1:
        raise BackboneError(
            f"a block of the kind {type(block).__name__} has {len(found)} activation functions",
            "one between two linear layers, whose neurons can be on or off",
            "choose another measure: `softbridge ls similarities`",
        )
    return found[0]


def special(backbone: Backbone) -> int:
    """Return the token that the neurons are read at: mask, or what opens or ends a text, or the vocabulary's first."""
    names = ("mask_token_id", "bos_token_id", "cls_token_id", "eos_token_id")
    ids = (getattr(backbone.tokenizer, name, None) for name in names)
    # A tokenizer may know a token that its model has no embedding of.
    return next((token for token in ids if token is not None and token < len(backbone.table)), 0)
