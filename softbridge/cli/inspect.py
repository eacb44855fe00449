"""`softbridge inspect`: look at a saved prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softbridge.cli.console import say, table
from softbridge.cli.options import LabelColumn, PromptFolder, TextColumn
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    import torch

    from softbridge.backbones.base import Backbone

EXAMPLE = """softbridge inspect runs/quickstart/stages/extract-movies-*/prompts/seed0-best
softbridge inspect runs/quickstart/stages/extract-movies-*/prompts/seed0-best --data vader/movies"""

WARNING = (
    "The nearest words are no explanation: a soft prompt stands where no word does, and prompts that do the same "
    "can be near to quite different words."
)


def command(
    folder: PromptFolder,
    top: Annotated[int, typer.Option(min=0, help="Nearest words to show at each position; 0 loads no backbone.")] = 3,
    start: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where it started; by default what its run kept.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Data whose validation rows say what each position is worth.")
    ] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    rows: Annotated[int, typer.Option(min=1, help="Rows a class to say it with.")] = 32,
) -> None:
    """Show a saved prompt: card, shape, norms, nearest words, what moved, and what each position is worth."""
    from softbridge.injection import PARTS
    from softbridge.prompts.files import load
    from softbridge.study import looking

    saved = load(folder)
    table(str(folder), ("card", ""), [(name, shown(value)) for name, value in asdict(saved.card).items()])
    for name, part in saved.injection.parts.items():
        say(f"{name} [{PARTS[name].replace(' ', ', ')}] = {list(part.shape[1:])}")
    vectors = saved.injection.vectors()[0]
    columns = {"position": [str(i) for i in range(len(vectors))], "norm": told(vectors.norm(dim=1).tolist())}
    begun = load(start).injection if start else looking.start_of(folder)
    if begun is not None:
        far, close = zip(*looking.moved(saved.injection, begun), strict=True)
        columns |= {"from start": told(far), "cosine to start": told(close)}
    words = top and saved.injection.tokens is not None
    backbone = reachable(saved.card) if words or data else None
    if backbone and data:
        some = looking.rows_for(saved.card, backbone, data, text, label, rows)
        loss, worth = looking.importance(saved.injection, backbone, some)
        columns["loss without it"] = [f"{change:+.4f}" for change in worth]
        say(f"loss on {len(some)} validation rows of {data}: {loss:.4f}")
    if backbone and words:
        columns["nearest words by cosine"] = nearest(vectors, backbone, top)
    table("positions", tuple(columns), zip(*columns.values(), strict=True))
    if backbone and words:
        say(f"embeddings have the mean norm {backbone.table.float().norm(dim=1).mean():.3f}\n{WARNING}")


def told(values: Sequence[float]) -> list[str]:
    """Return numbers as text."""
    return [f"{value:.3f}" for value in values]


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
