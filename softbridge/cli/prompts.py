"""`softbridge prompts`: the prompts of a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softbridge.cli.console import say, table

if TYPE_CHECKING:
    from softbridge.prompts.card import Card

EXAMPLE = "softbridge prompts runs/quickstart"


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with saved prompts, at any depth.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print whole cards, as one JSON object by folder.")] = False,
) -> None:
    """List every saved prompt under a folder: what it is for, what it was made from, what it scored."""
    from dataclasses import asdict

    from softbridge.prompts.shelves import prompts_under

    found = prompts_under(folder)
    if as_json:
        say(json.dumps({str(path): asdict(card) for path, card in found.items()}, ensure_ascii=False, indent=1))
        return
    head = ("prompt", "backbone", "kind", "learned on", "began", "parents", "seed", "steps", "scores")
    table(f"{len(found)} prompts", head, [(str(path.relative_to(folder)), *row(card)) for path, card in found.items()])


def row(card: Card) -> tuple[str, ...]:
    """Return a card as the table shows it."""
    scores = (f"{name.removeprefix('validation_')} {value:.3f}" for name, value in card.scores.items())
    return (
        card.backbone.rpartition("/")[2],
        f"{card.prompt} {card.length}",
        ", ".join(card.data),
        card.init.partition(",")[0],
        ", ".join(card.parents),
        str(card.seed),
        str(card.steps),
        ", ".join(scores),
    )
