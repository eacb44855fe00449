"""Mix several prompts by attention from the text itself (ATTEMPT, SPE), or mix what the model says with each (SESoM).

    q = LN(W_up silu(W_down x^)),  x^ = max over the text's tokens of E(x);  a = softmax_m(k_m . q)

Padding is never a maximum, so a row's weights do not depend on the batch that it stands in.
"""

from __future__ import annotations

import torch

from softbridge.errors import BackboneError
from softbridge.injection import Injection


def attend(embedded: torch.Tensor, mask: torch.Tensor, prompt: Injection) -> torch.Tensor:
    """Return the weights of the M prompts that are mixed for each row.

    Arguments:
        embedded: `[B, T, H]` the text's embeddings.
        mask: `[B, T]` 1 where a token is.
        prompt: the injection of B rows, with its keys `[B, M, H]` and its query's network.

    Returns:
        `[B, M]`, each row's sum is 1.

    Example:
        >>> parts = {"mix_keys": torch.eye(2)[None], "query_down": torch.eye(2)[None], "query_up": torch.eye(2)[None]}
        >>> prompt = Injection(**parts, query_norm=torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]))
        >>> attend(torch.tensor([[[3.0, 1.0], [9.0, 9.0]]]), torch.tensor([[1, 0]]), prompt).argmax().item()
        0
    """
    keys, down, up, norm = prompt.mix_keys, prompt.query_down, prompt.query_up, prompt.query_norm
    assert keys is not None
    assert down is not None
    assert up is not None
    assert norm is not None
    seen = embedded.float().masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1)  # [B, H]
    inner = torch.nn.functional.silu(torch.einsum("brh,bh->br", down, seen))
    made = torch.einsum("bhr,br->bh", up, inner)
    query = torch.nn.functional.layer_norm(made, made.shape[-1:]) * norm[:, 0] + norm[:, 1]
    return torch.einsum("bmh,bh->bm", keys, query).softmax(-1)


def mixed(prompt: Injection, weights: torch.Tensor) -> Injection:
    """Return the prompt with `tokens + sum_m a_m values_m`, and nothing left to mix.

    Arguments:
        prompt: the injection of B rows, with tokens `[B, P, H]` and values `[B, M, P, H]`.
        weights: `[B, M]`.
    """
    assert prompt.tokens is not None
    assert prompt.mix_values is not None
    tokens = prompt.tokens + torch.einsum("bm,bmph->bph", weights, prompt.mix_values)
    left = ("mix_keys", "mix_values", "query_down", "query_up", "query_norm")
    parts = {name: part for name, part in prompt.parts.items() if name not in left}
    return Injection(**{**parts, "tokens": tokens}, block=prompt.block)  # no member: each text has its own prompt now


def spread(prompt: Injection, many: int) -> Injection:
    """Return each row's M prompts as rows of their own, `[B M, P, H]`, with the head that they share."""
    assert prompt.mix_values is not None
    head, bias = (None if part is None else part.repeat_interleave(many, 0) for part in (prompt.head, prompt.head_bias))
    return Injection(tokens=prompt.mix_values.flatten(0, 1), head=head, head_bias=bias)


def refuse_mixing(prompt: Injection | None) -> None:
    """Raise where a prompt is one only together with a text, and text is to be written."""
    if prompt is not None and prompt.mix_values is not None:
        raise BackboneError(
            "the prompt is mixed anew for each text, and text is to be written with it",
            "one prompt for all texts",
            "generate with a prompt of another bridge (spot, arithmetic, scratch)",
        )
