"""`softbridge similar`: how alike prompts are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import say, table
from softbridge.errors import SoftbridgeError

EXAMPLE = """softbridge similar runs/bridges/stages/extract-*/prompts/seed0-best --out map.svg
softbridge similar a b c --by principal_angles"""

By = Annotated[str, typer.Option(metavar="MEASURE", help="The measure, a name of `softbridge ls similarities`.")]


def command(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="The folders of saved prompts.")],
    by: By = "per_token_cosine",
    out: Annotated[Path | None, typer.Option(help="Draw the map: an .svg, .pdf or .png file.")] = None,
) -> None:
    """Print how alike prompts are, the alike ones beside each other."""
    from softbridge.reports.maps import FORMATS, clustered, draw
    from softbridge.study.comparing import different_starts, labels, likeness, load_all

    if out and out.suffix.lower() not in FORMATS:
        raise SoftbridgeError(f"--out is {out}", f"a name that ends in one of: {', '.join(FORMATS)}", "write map.svg")
    prompts = load_all(folders, 2)
    found = likeness(prompts, by)
    order = clustered(found)
    names = [labels(prompts)[i] for i in order]
    found = found[order][:, order]
    rows = [(name, *(f"{value:.3f}" for value in row)) for name, row in zip(names, found, strict=True)]
    table(by, ("", *names), rows)
    warning = different_starts([prompt.card for prompt in prompts])
    if warning:
        say(warning)
    if out:
        draw(names, found, by, out)
        say(f"map: {out}")
