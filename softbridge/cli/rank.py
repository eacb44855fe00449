"""`softbridge rank`: which source prompts are most like a target's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import say, table
from softbridge.cli.similar import By

EXAMPLE = (
    "softbridge rank runs/mine/stages/adapt-news-*/prompts/seed0-last runs/mine/stages/extract-*/prompts/seed0-last"
)


def command(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The folder of a prompt trained on the target.")],
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="The folders of source prompts.")],
    by: By = "per_token_cosine",
) -> None:
    """Rank source prompts by their similarity to a target's prompt, the most similar first."""
    from softbridge.study.comparing import different_starts, labels, likeness, load_all

    prompts = load_all([target, *sources], 2)
    close = likeness(prompts, by)[0, 1:]
    shared = [classes_shared(prompts[0].card.verbalizer, p.card.verbalizer) for p in prompts[1:]]
    found = sorted(zip(labels(prompts)[1:], close, shared, sources, strict=True), key=lambda row: -row[1])
    rows = [(str(i + 1), name, f"{value:.3f}", label, str(path)) for i, (name, value, label, path) in enumerate(found)]
    table(f"{by} to {labels(prompts)[0]}", ("", "source", "similarity", "labels shared", "folder"), rows)
    warning = different_starts([prompt.card for prompt in prompts])
    if warning:
        say(warning)


def classes_shared(target: Mapping[str, str], source: Mapping[str, str]) -> str:
    """Return how many of the target's classes the source has: without any, a prompt carried over knows no label."""
    return f"{len(set(target) & set(source))} of {len(target)}"
