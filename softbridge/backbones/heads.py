"""What reads classes off a model's last states: its own head over words, or a linear head beside the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from softbridge.errors import BackboneError
from softbridge.injection import Injection


def answers(words: Sequence[str], tokenise: Callable[[str], list[int]]) -> list[list[int]]:
    """Return the label words' token ids.

    Raises:
        BackboneError: when one has no token, or two are alike.

    Example:
        >>> answers(["bad", "very good"], lambda text: [len(word) for word in text.split()])
        [[3], [4, 4]]
    """
    ids = [tokenise(word) for word in words]
    if any(not told for told in ids) or len({tuple(told) for told in ids}) < len(words):
        raise BackboneError(
            f"the label words {list(words)} become the tokens {ids}",
            "at least one token for each class, and no two classes alike",
            "choose other label words",
        )
    return ids


def before_head(model: Any, **inputs: Any) -> torch.Tensor:
    """Return what a model's head over the vocabulary reads, with all that the model does to it before.

    The states are caught on their way into the head, and the head is handed none: nothing of V is computed. What a
    family does in between (BERT's transform, the scaling of a T5 whose embeddings are tied) is its own code's.

    Arguments:
        model: a model with a head over the vocabulary.
        inputs: its inputs, for B rows.

    Returns:
        `[B, T, H]`.
    """
    caught: list[torch.Tensor] = []

    def catch(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        caught.append(given[0])
        return (given[0][:0],)

    handle = model.get_output_embeddings().register_forward_pre_hook(catch)
    try:
        model(**inputs)
    finally:
        handle.remove()
    return caught[0]


def logits(model: Any, states: torch.Tensor, tokens: Sequence[int] | None = None) -> torch.Tensor:
    """Return the scores of tokens in float32, from the head's rows of these tokens alone.

    Arguments:
        model: a model with a head over the vocabulary.
        states: `[..., H]` what its head reads.
        tokens: L token ids; None for all of the vocabulary.

    Returns:
        `[..., L]`.
    """
    head = model.get_output_embeddings()
    rows = slice(None) if tokens is None else torch.as_tensor(tokens, device=states.device)
    scores = states.float() @ head.weight[rows].float().T
    if getattr(head, "bias", None) is not None:
        scores = scores + head.bias[rows].float()
    if getattr(model, "final_logits_bias", None) is not None:  # BART's
        scores = scores + model.final_logits_bias[0, rows].float()
    return scores


def likelihood(model: Any, states: torch.Tensor, told: Sequence[int]) -> torch.Tensor:
    """Return `sum_l log p(told_l | states_l)`, `[B]`.

    Arguments:
        model: a model with a head over the vocabulary.
        states: `[B, L, H]` what its head reads at the L places of the answer.
        told: L token ids.
    """
    chances = logits(model, states).log_softmax(-1)  # [B, L, V]
    index = torch.as_tensor(told, device=states.device).view(1, -1, 1).expand(len(states), -1, -1)
    return chances.gather(2, index).sum((1, 2))


def classify(vectors: torch.Tensor, prompt: Injection | None, classes: int) -> torch.Tensor:
    """Return `W h + b` with each row's own linear head.

    Arguments:
        vectors: `[B, H]` one vector a row.
        prompt: the injection of B rows, with head `[B, C, H]` and head_bias `[B, C]`.
        classes: C, the number of the task's classes.

    Returns:
        `[B, C]` in float32.

    Raises:
        BackboneError: when the prompt has no head, or one of another number of classes or another width.

    Example:
        >>> made = Injection(head=torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), head_bias=torch.zeros(1, 2))
        >>> classify(torch.tensor([[3.0, 4.0]]), made, 2)
        tensor([[3., 8.]])
    """
    wanted = (classes, vectors.shape[1])
    if prompt is None or prompt.head is None or prompt.head_bias is None:
        raise BackboneError(
            "the prompt has no linear head",
            f"a head of {wanted[0]} classes over {wanted[1]} features, which is trained beside the prompt",
            "train a prompt on this backbone, or choose a backbone that scores label words (causal, masked, seq2seq)",
        )
    if tuple(prompt.head.shape[1:]) != wanted:
        raise BackboneError(
            f"the prompt's linear head has {prompt.head.shape[1]} classes over {prompt.head.shape[2]} features",
            f"{wanted[0]} classes over {wanted[1]} features",
            "use the prompt on the classes and the backbone that it was trained with",
        )
    return torch.einsum("bch,bh->bc", prompt.head.float(), vectors.float()) + prompt.head_bias.float()


def ordinary_tokens(tokenizer: Any) -> list[int]:
    """Return the ids of tokens that are words or begin one, in the order of their ids.

    Subword vocabularies give small ids to common pieces, so the order stands for frequency.
    """
    special = set(tokenizer.all_special_ids)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    words = [i for piece, i in pieces if i not in special and piece.lstrip("Ġ▁").isalpha() and len(piece) > 1]
    return words or [i for _, i in pieces if i not in special]
