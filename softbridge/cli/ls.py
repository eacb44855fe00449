"""`softbridge ls`: what there is by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Annotated, Any

import typer

from softbridge.cli.console import table
from softbridge.errors import SoftbridgeError, nearest

EXAMPLE = "softbridge ls bridges"

Rows = Iterable[tuple[str, ...]]


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="recipes, bridges, prompts, backbones, objectives, similarities, assets, metrics, gallery; or all.",
        ),
    ] = None,
) -> None:
    """List what can be had by name."""
    if what is not None and what not in LISTS:
        raise SoftbridgeError(
            f"there is no list of {what}{nearest(what, LISTS)}",
            f"one of: {', '.join(LISTS)}",
            "name one, or none for all",
        )
    for name in [what] if what else LISTS:
        head, rows = LISTS[name]
        table(name, head, rows())


def recipes() -> Rows:
    """Yield the packaged recipes."""
    from softbridge.recipe import heading, shelf

    return ((name, heading(file)) for name, file in shelf().items())


def bridges() -> Rows:
    """Yield the bridges."""
    from softbridge.bridges.table import BRIDGES

    return methods(BRIDGES)


def prompts() -> Rows:
    """Yield the kinds of prompt."""
    from softbridge.prompts.table import PROMPTS

    return methods(PROMPTS)


def backbones() -> Rows:
    """Yield the kinds of backbone."""
    from softbridge.backbones.table import BACKBONES

    return ((name, summary(cls)) for name, cls in BACKBONES.items())


def objectives() -> Rows:
    """Yield what a text without labels can be asked for."""
    from softbridge.engine.objectives import OBJECTIVES

    return methods(OBJECTIVES)


def similarities() -> Rows:
    """Yield the measures of how alike two prompts, or their domains, are."""
    from softbridge.similarity.table import MEASURES

    return ((name, measure.reads, summary(measure.compare)) for name, measure in MEASURES.items())


def assets() -> Rows:
    """Yield the models and data that can be had by name."""
    from softbridge.assets import ASSETS, describe

    for name in ASSETS:
        entry = describe(name)
        yield name, entry["kind"], entry["state"], f"{entry['megabytes']} MB", entry["licence"], entry["note"]


def metrics() -> Rows:
    """Yield the metrics."""
    from softbridge.evaluation.metrics import METRICS

    return ((name, summary(cls)) for name, cls in METRICS.items())


def gallery() -> Rows:
    """Yield the source prompts that come with softbridge."""
    from softbridge.prompts.shelved import gallery

    for name, shelf in gallery().items():
        card = shelf.card
        score = card.scores.get("validation_accuracy")
        yield name, f"{card.prompt} {card.length}", ", ".join(shelf.labels), f"{score:.3f}" if score else ""


def methods(methods: dict[str, Any]) -> Rows:
    """Yield a table's methods with their recipe keys and their reference."""
    for name, cls in methods.items():
        yield name, summary(cls), ", ".join(field.name for field in fields(cls)), cls.reference


def summary(cls: Any) -> str:
    """Return the first sentence of a docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


METHOD = ("name", "what it does", "keys", "reference")
LISTS: dict[str, tuple[tuple[str, ...], Callable[[], Rows]]] = {
    "recipes": (("name", "what it shows"), recipes),
    "bridges": (METHOD, bridges),
    "prompts": (METHOD, prompts),
    "backbones": (("kind", "how it scores"), backbones),
    "objectives": (METHOD, objectives),
    "assets": (("name", "kind", "state", "download", "licence", "what it is"), assets),
    "similarities": (("name", "compares", "what it measures"), similarities),
    "metrics": (("name", "what it measures"), metrics),
    "gallery": (("name", "prompt", "classes", "accuracy at home"), gallery),
}
