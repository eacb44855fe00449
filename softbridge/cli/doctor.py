"""`softbridge doctor`: what softbridge runs with on this machine, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from softbridge.cli.console import say, table

EXAMPLE = "softbridge doctor\nsoftbridge doctor minilm-l6"


def command(
    backbones: Annotated[
        list[str] | None,
        typer.Argument(metavar="BACKBONE...", help="Catalogue names, folders or hub ids to load and measure."),
    ] = None,
) -> None:
    """Show device, threads, precision and attention, each with its reason; a named backbone is measured."""
    from softbridge.backbones.base import BackboneSpec
    from softbridge.study.examining import machine, remembered
    from softbridge.study.materials import load_backbone

    table("this machine", ("what", "chosen", "why"), machine())
    for name in backbones or ():
        backbone = load_backbone(BackboneSpec(name))
        seen = backbone.describe()
        say(f"{name}: {seen['kind']}, {seen['precision']}, {seen['attention']}; {backbone.chosen}")
    found = remembered()
    if found:
        table("measured here", ("shape", "threads", "precision", "attention", "why"), found)
    else:
        say("No backbone was measured here yet; it is done when one is first loaded, or by `softbridge doctor NAME`.")
