"""`softbridge inspect`: look at a saved prompt."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softbridge.cli.console import say, table
from softbridge.cli.options import PromptFolder
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    import torch

    from softbridge.backbones.base import Backbone

EXAMPLE = "softbridge inspect runs/quickstart/stages/extract-movies-*/prompts/seed0-best"

WARNING = (
    "The nearest words are no explanation: a soft prompt stands where no word does, and prompts that do the same "
    "can be near to quite different words."
)


def command(
    folder: PromptFolder,
    top: Annotated[int, typer.Option(min=0, help="Nearest words to show at each position; 0 loads no backbone.")] = 3,
) -> None:
    """Show a saved prompt: card, shape, norms, nearest words."""
    from softbridge.injection import PARTS
    from softbridge.prompts.files import load

    saved = load(folder)
    table(str(folder), ("card", ""), [(name, shown(value)) for name, value in asdict(saved.card).items()])
    for name, part in saved.injection.parts.items():
        say(f"{name} [{PARTS[name].replace(' ', ', ')}] = {list(part.shape[1:])}")
    tokens, vectors = saved.injection.tokens, saved.injection.vectors()[0]
    backbone = reachable(saved.card) if top and tokens is not None else None
    near = nearest(vectors, backbone, top) if backbone else [""] * len(vectors)
    norms = vectors.norm(dim=1).tolist()
    rows = [(str(i), f"{norm:.3f}", words) for i, (norm, words) in enumerate(zip(norms, near, strict=True))]
    table("positions", ("position", "norm", "nearest words by cosine"), rows)
    if backbone:
        say(f"embeddings have the mean norm {backbone.table.float().norm(dim=1).mean():.3f}\n{WARNING}")


def reachable(card: Any) -> Backbone | None:
    """Return the backbone that a card names, or None after saying why it cannot be had."""
    from softbridge.study.materials import load_backbone
    from softbridge.study.predicting import spec_of

    try:
        return load_backbone(spec_of(card))
    except SoftbridgeError as error:
        say(f"no nearest words, because the backbone cannot be had: {error.seen}\n")
        return None


def nearest(prompt: torch.Tensor, backbone: Backbone, top: int) -> list[str]:
    """Return the nearest vocabulary tokens of each position, as text with their cosines.

    Arguments:
        prompt: `[P, H]`.
        backbone: whose word embeddings `[V, H]` are compared.
        top: how many to show.
    """
    from torch.nn.functional import normalize

    table = normalize(backbone.table.detach().float().cpu(), dim=1)
    found = (normalize(prompt, dim=1) @ table.T).topk(top, dim=1)
    words = [[backbone.tokenizer.decode([token]).strip() for token in row] for row in found.indices.tolist()]
    pairs = (zip(row, cosines, strict=True) for row, cosines in zip(words, found.values.tolist(), strict=True))
    return [", ".join(f"{word} {cosine:.2f}" for word, cosine in row) for row in pairs]


def shown(value: Any) -> str:
    """Return a card's field as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
