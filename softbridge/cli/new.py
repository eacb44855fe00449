"""`softbridge new`: a recipe for your own data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softbridge.cli.console import say
from softbridge.cli.options import BackboneName, KindName, LabelColumn, TextColumn
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    from softbridge.domains.sketches import Sketch

EXAMPLE = """softbridge new --source source_data.csv --target target_data.csv
softbridge new --source books.csv --target tablets.csv --text review --label stars --backbone e5-small --out my.yaml"""


def command(
    source: Annotated[list[str], typer.Option(help="A file, or data of the catalogue; may be given several times.")],
    target: Annotated[list[str], typer.Option(help="A file, or data of the catalogue; may be given several times.")],
    text: TextColumn = "text",
    label: LabelColumn = "label",
    backbone: BackboneName = "minilm-l6",
    kind: KindName = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The recipe; by default named by the data.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Look at two data sets, and write a commented recipe from one to the other."""
    from softbridge.recipe import drafting, read
    from softbridge.recipe.places import RENAMED

    found, guessed = drafting.kind_for(backbone, kind)
    sources, targets = ([looked_at(data, text, label) for data in some] for some in (source, target))
    stems = drafting.names(sources, targets)
    file = out or Path(f"{stems['sources'][0]}_to_{stems['targets'][0]}.yaml")
    if file.exists() and not force:
        raise SoftbridgeError(
            f"{file} is there already", "a new file", "choose another name with --out, or add --force"
        )
    here, there = ([beside(sketch, file.parent) for sketch in some] for some in (sources, targets))
    model = RENAMED.get(backbone, backbone)
    model = os.path.relpath(model, file.parent) if Path(model).is_dir() else model
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(drafting.draft(file.stem, model, found, here, there, kind is not None), encoding="utf-8")
    read(file)
    for sketch in (*sources, *targets):
        told = ", ".join(f"{name} {count}" for name, count in sketch.counts.items())
        say(f"{sketch.data}: {len(sketch.texts)} texts, language {sketch.language}, {told}")
        for warning in sketch.warnings:
            say(f"  look at this: {warning}")
    for warning in between(sources, targets):
        say(f"look at this: {warning}")
    if guessed:
        say(f"look at this: {backbone} is taken for a {found} model by its name alone; --kind says another")
    say(f"{file}  (edit it, then: softbridge check {file})")


def looked_at(data: str, text: str, label: str) -> Sketch:
    """Return what data looks like."""
    from softbridge.domains.sketches import sketch
    from softbridge.study.opening import resolve

    return sketch(data, text, label, resolve)


def beside(sketch: Sketch, folder: Path) -> Sketch:
    """Return the sketch with its file named as from the recipe's folder."""
    from dataclasses import replace

    here = Path(sketch.data).expanduser()
    return replace(sketch, data=os.path.relpath(here, folder)) if here.exists() and not here.is_absolute() else sketch


def between(sources: list[Sketch], targets: list[Sketch]) -> list[str]:
    """Return what a person should know of sources and targets together."""
    found = []
    for source in sources:
        known = set(source.texts)
        for target in targets:
            shared = len(known & set(target.texts))
            if shared:
                found.append(
                    f"{shared} texts stand in both {source.data} and {target.data}: the target's test is not new"
                )
            if source.language != target.language:
                both = f"{source.data} is {source.language} and {target.data} is {target.language}"
                found.append(f"{both}: the backbone must know both")
    return found
