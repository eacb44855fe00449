"""`softbridge pull`: fetch a prompt from a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import say
from softbridge.cli.options import Repo

EXAMPLE = "softbridge pull org/news-prompt --out news-prompt"


def command(
    repo: Repo,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where it goes; the repository's own name by default.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, a tag or a commit; the newest by default.")] = None,
) -> None:
    """Fetch a prompt from a hub, and verify it against its card."""
    from softbridge.prompts.sharing import pull

    folder = out or Path(repo.rpartition("/")[2])
    card = pull(repo, folder, revision).card
    say(f"{folder}: a {card.prompt} prompt of {card.length} tokens for {card.backbone}")
