"""How many places a model has: those whose positions stand in a table end, those that are computed do not."""

from __future__ import annotations

from typing import Any

import torch

from softbridge.backbones.base import Backbone
from softbridge.errors import BackboneError

TABLES = {"position_embeddings", "embed_positions", "wpe"}  # as BERT's, BART's and GPT-2's kinds call theirs


def places(model: Any) -> int | None:
    """Return how many tokens of one text a model has positions for, virtual ones among them; None where for any number.

    Arguments:
        model: a transformers model.
    """
    reads = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    named = ((name.rpartition(".")[2], part) for name, part in reads.named_modules())
    tables = [part for name, part in named if name in TABLES and isinstance(part, torch.nn.Embedding)]
    fixed = [table for table in tables if not hasattr(table, "make_weight")]  # FSMT's grows
    return min((table.num_embeddings - before(table) for table in fixed), default=None)


def before(table: torch.nn.Embedding) -> int:
    """Return how many rows of a table stand before the first token's: BART skips two, RoBERTa its padding's."""
    padding = -1 if table.padding_idx is None else table.padding_idx
    return int(getattr(table, "offset", padding + 1))


def refuse_beyond(backbone: Backbone, length: int) -> None:
    """Refuse a prompt that leaves texts of `max_length` too few of the model's places; answers are not counted.

    Arguments:
        backbone: the frozen backbone.
        length: P, the number of virtual tokens.

    Raises:
        BackboneError: when P + `max_length` are more than the model has positions for.
    """
    most, longest = places(backbone.model), backbone.spec.max_length
    if most is not None and length + longest > most:
        raise BackboneError(
            f"backbone.max_length is {longest}, and the prompt has {length} virtual tokens: {length + longest} places",
            f"at most {most}, which is what '{backbone.spec.name}' has positions for",
            f"write max_length: {most - length}" if most - length >= 4 else "write a smaller prompt.length",
        )
