"""`softbridge import`: take a prompt that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from softbridge.cli.console import say
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    from softbridge.backbones.base import Kind

EXAMPLE = """softbridge import my-adapter --backbone smollm2-135m --out my-prompt \
  --label "negative= negative" --label "positive= positive" --template "{text} Sentiment:"
softbridge import t5-table.safetensors --backbone google-t5/t5-small --length 20 --out my-prompt"""


def command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A PEFT adapter's folder, or a file of one tensor.")],
    backbone: Annotated[str, typer.Option(help="What it was trained on: a catalogue name, a folder or a hub id.")],
    out: Annotated[Path, typer.Option(help="The folder to save the prompt to.")],
    kind: Annotated[
        str | None, typer.Option(help="The backbone's kind, a name of `softbridge ls backbones`; by default its own.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="CLASS=WORDS", help="A class and its label words; once a class.")
    ] = None,
    template: Annotated[str, typer.Option(help="The template around the text.")] = "{text}",
    task: Annotated[int, typer.Option(min=0, help="Which task's prompt, of a multitask adapter.")] = 0,
    length: Annotated[
        int | None, typer.Option(min=1, help="Rows to take of a file's table; P of an encoder-decoder's 2 P.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a prompt that is there.")] = False,
) -> None:
    """Take a prompt that PEFT or another library trained, and save it as one of softbridge's."""
    from softbridge.backbones.base import BackboneSpec
    from softbridge.study.taking import bring_in

    if out.exists() and not force:
        raise SoftbridgeError(f"{out} is there already", "a new folder", "choose another name, or add --force")
    spec = BackboneSpec(name=backbone, kind=cast("Kind | None", kind))
    found = bring_in(source, spec, words_of(label or []), template, task, length)
    found.save(out)
    shapes = ", ".join(f"{name} {list(part.shape[1:])}" for name, part in found.injection.parts.items())
    say(f"saved {shapes} for {found.card.backbone} in {out}")


def words_of(labels: list[str]) -> dict[str, str]:
    """Return label words by class name.

    Example:
        >>> words_of(["bad= terrible", "good= great"])
        {'bad': ' terrible', 'good': ' great'}
    """
    wrong = [label for label in labels if "=" not in label]
    if wrong:
        raise SoftbridgeError(f"the label {wrong[0]!r} has no '='", "CLASS=WORDS", 'write it as "good= great"')
    return {name: words for name, _, words in (label.partition("=") for label in labels)}
