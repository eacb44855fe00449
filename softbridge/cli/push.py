"""`softbridge push`: share a prompt over a hub."""

from __future__ import annotations

from typing import Annotated

import typer

from softbridge.cli.console import say
from softbridge.cli.options import PromptFolder, Repo

EXAMPLE = "softbridge push runs/mine/stages/adapt-news-spot-*/prompts/seed0-best org/news-prompt --private"


def command(
    folder: PromptFolder,
    repo: Repo,
    private: Annotated[bool, typer.Option("--private", help="A new repository is seen by its owners alone.")] = False,
    backbone: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="The backbone's hub id, where the card names a folder.")
    ] = None,
    note: Annotated[str, typer.Option(help="What the commit says.")] = "",
) -> None:
    """Send a saved prompt to a hub, with a model card made from its lineage."""
    from softbridge.prompts.sharing import push

    say(push(folder, repo, private, backbone, note))
