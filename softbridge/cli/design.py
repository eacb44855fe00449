"""`softbridge design`: words to start a prompt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from softbridge.cli.console import say, table
from softbridge.cli.new import looked_at
from softbridge.cli.options import BackboneName, KindName, LabelColumn, TextColumn
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    from softbridge.study.designing import Scored

EXAMPLE = """softbridge design vader/products --background vader/news
softbridge design books.csv tablets.csv --text review --label stars --backbone e5-small --length 16"""

NOTE = (
    "coverage: share of texts with one of the terms. loss: on validation rows, the prompt untrained. rank: the mean\n"
    "of ranks. To start from one: prompt: {init: text, text: '...'}; with prompt: {init: design} a study finds its own."
)


def command(
    domain: Annotated[list[str], typer.Argument(metavar="DOMAIN...", help="Files, or data of the catalogue.")],
    backbone: BackboneName = "minilm-l6",
    text: TextColumn = "text",
    label: LabelColumn = "label",
    background: Annotated[
        str | None, typer.Option(metavar="DATA", help="What the domains are held against; else each other.")
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="The prompt's length, which a candidate has room in.")] = 20,
    template: Annotated[
        list[str] | None, typer.Option(help="A text around {terms}; may be given several times.")
    ] = None,
    by: Annotated[str, typer.Option(metavar="ranks|loss", help="What the best is chosen by.")] = "ranks",
    top: Annotated[int, typer.Option(min=1, help="How many to show.")] = 12,
    kind: KindName = None,
) -> None:
    """Rank texts that a prompt could start from: terms of the domains in templates. Test rows are not read."""
    from softbridge.domains.candidates import Design

    if by not in ("ranks", "loss"):
        raise SoftbridgeError(f"--by is {by}", "ranks or loss", "write --by ranks")
    settings = Design(background, templates=tuple(template or ()), choose_by=by)  # type: ignore[arg-type]
    found = scored(domain, text, label, backbone, kind, length, settings)
    rows = [
        (
            str(i),
            one.candidate.text,
            f"{one.candidate.domain}, {one.candidate.miner}",
            f"{one.coverage:.3f}",
            str(one.tokens),
            shown(one.perplexity, ".0f"),
            shown(one.distance, ".3f"),
            shown(one.loss, ".4f"),
            f"{one.rank:.1f}",
        )
        for i, one in enumerate(found[:top], start=1)
    ]
    head = ("", "text", "terms of", "coverage", "tokens", "perplexity", "distance", "loss", "rank")
    table(f"{len(found)} candidates", head, rows)
    if len(domain) == 1 and not background:
        say("One domain and no --background: these are its commonest words, not what sets it apart.")
    say(NOTE)


def scored(
    data: list[str], text: str, label: str, backbone: str, kind: str | None, length: int, settings: object
) -> list[Scored]:
    """Return the ranked candidates of data sets."""
    from softbridge.backbones.base import BackboneSpec
    from softbridge.prompts.soft import Soft
    from softbridge.recipe import drafting
    from softbridge.recipe.places import RENAMED
    from softbridge.study.designing import alone
    from softbridge.study.materials import load_backbone
    from softbridge.study.opening import resolve

    found, _ = drafting.kind_for(backbone, kind)
    sketches = [looked_at(name, text, label) for name in data]
    names = drafting.names(sketches, [])["sources"]
    domains = [
        drafting.described(sketch, drafting.worded(sketch, found, backbone)).open(name, resolve)
        for name, sketch in zip(names, sketches, strict=True)
    ]
    spec = BackboneSpec(RENAMED.get(backbone, backbone), kind=kind)  # type: ignore[arg-type]
    return alone(domains, settings, load_backbone(spec), Soft(length, init="design"))  # type: ignore[arg-type]


def shown(value: float | None, form: str) -> str:
    """Return a number as text, and nothing where there is none."""
    return "" if value is None else format(value, form)
