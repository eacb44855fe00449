"""`softbridge rank`: which sources are most like a target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softbridge.cli.console import console, is_main, say, table
from softbridge.cli.options import GalleryFolder, LabelColumn, Out, Settings, Shots, TextColumn, Words
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    from softbridge.recipe import Recipe
    from softbridge.study.bridging import Request

EXAMPLE = """softbridge rank runs/a/stages/adapt-news-*/prompts/seed0-last runs/a/stages/extract-*/prompts/seed0-last
softbridge rank news --recipe mine.yaml --by gradient_cosine
softbridge rank news --recipe mine.yaml --by every
softbridge rank my_data.csv --text review --label stars"""

EVERY = "every"
Row = tuple[str, list[str], str, str]  # a source, its likeness by each measure, the labels it shares, where it is


def command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="The folder of a prompt trained on the target; with --recipe, a target's name; or your data.",
        ),
    ],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SOURCE]...", help="The folders of source prompts; with --recipe, none."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE",
            help="A name of `softbridge ls similarities`, or every; may be given several times. "
            "per_token_cosine when left out.",
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="Rank the sources of a recipe; trains what the measure needs.")
    ] = None,
    out: Out = None,
    settings: Settings = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    backbone: Annotated[str | None, typer.Option("--backbone", help="Of your data: a backbone of the gallery.")] = None,
    gallery: GalleryFolder = None,
    shots: Shots = None,
    words: Words = None,
) -> None:
    """Rank sources by how like they are to a target, the most similar first.

    Your own data are compared with the prompts of the gallery; no source is trained for it.
    """
    names = by or ["per_token_cosine"]
    if recipe is None and not sources and not Path(target).is_dir():
        from softbridge.cli.bridge import request

        of_data(request(target, text, label, backbone, gallery, shots, "0", 1, words), names, out)
        return
    if recipe is None:
        of_prompts([Path(target), *(sources or ())], names)
    elif sources:
        raise SoftbridgeError(
            "a recipe is given, and folders of source prompts",
            "one of the two: the recipe names its sources",
            "leave out --recipe, or the folders",
        )
    else:
        of_recipe(target, names, recipe, out, settings or ())


def of_prompts(folders: Sequence[Path], by: Sequence[str]) -> None:
    """Rank saved prompts, the first of which is the target's."""
    from softbridge.similarity.table import MEASURES
    from softbridge.study.comparing import different_starts, labels, likeness, load_all

    prompts = load_all(folders, 2)
    names = chosen(by, [name for name, measure in MEASURES.items() if measure.reads != "gradients"])
    close = [likeness(prompts, name)[0, 1:] for name in names]
    shared = [classes_shared(prompts[0].card.verbalizer, prompt.card.verbalizer) for prompt in prompts[1:]]
    order = sorted(range(len(prompts) - 1), key=lambda i: -close[0][i])
    called = labels(prompts)
    rows = [(called[i + 1], [f"{each[i]:.3f}" for each in close], shared[i], str(folders[i + 1])) for i in order]
    show(called[0], names, rows)
    warning = different_starts([prompt.card for prompt in prompts])
    if warning:
        say(warning)


def of_data(asked: Request, by: Sequence[str], out: Path | None) -> None:
    """Rank the gallery for data; beside the likeness stands what each prompt scores on them as it is."""
    from softbridge.similarity.table import MEASURES
    from softbridge.study.study import Study
    from softbridge.study.trials import trials

    tree = asked.recipe()
    (target,) = tree.targets
    place = out or Path("runs") / f"rank-{target}"
    names = chosen(by, [name for name, measure in MEASURES.items() if measure.reads != "gradients"])
    as_is = trials(Study(tree, place), target)
    told = {name: f"as it is: loss {one.loss:.3f}, accuracy {one.accuracy:.3f}" for name, one in as_is.items()}
    measured(tree, target, names, place, told)


def of_recipe(target: str, by: Sequence[str], recipe: str, out: Path | None, settings: Sequence[str]) -> None:
    """Rank the sources of a recipe over its seeds."""
    from softbridge.cli.run import folder
    from softbridge.prompts.shelved import Shelved
    from softbridge.recipe import read
    from softbridge.similarity.table import MEASURES

    tree = read(recipe, settings)
    told = {name: str(s.prompts if isinstance(s, Shelved) else s.data) for name, s in tree.sources.items()}
    measured(tree, target, chosen(by, list(MEASURES)), folder(tree, out), told)


def measured(tree: Recipe, target: str, names: Sequence[str], place: Path, told: Mapping[str, str]) -> None:
    """Print how like a recipe's sources are to a target, with what is told of each, and keep it."""
    from softbridge.reports.statistics import spread
    from softbridge.study.likening import liken

    (found,) = liken(tree, place, [target], names, console() if is_main() else None)
    close = {name: {source: spread(seeds) for source, seeds in found.values[name].items()} for name in names}
    order = sorted(close[names[0]], key=lambda source: -close[names[0]][source].mean)
    rows = []
    for source in order:
        cells = [
            f"{one.mean:.3f}" + (f" ± {one.std:.3f}" if one.n > 1 else "") for one in (close[n][source] for n in names)
        ]
        shared = classes_shared(tree.targets[target].labels, tree.sources[source].labels)
        rows.append((source, cells, shared, told[source]))
    show(target, names, rows)
    say(f"kept in {place / 'likeness'}; mean ± standard deviation over {len(found.seeds)} seeds")


def chosen(by: Sequence[str], every: list[str]) -> list[str]:
    """Return the measures that are asked for."""
    return every if EVERY in by else list(by)


def show(target: str, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Print the ranking by one measure, or the order that each of several says."""
    if len(names) == 1:
        lines = [(str(i), name, cells[0], shared, place) for i, (name, cells, shared, place) in enumerate(rows, 1)]
        table(f"{names[0]} to {target}", ("", "source", "similarity", "labels shared", "from"), lines)
        return
    orders = []
    for i, measure in enumerate(names):
        order = sorted(rows, key=lambda row: -float(row[1][i].split()[0]))
        orders.append((measure, ", ".join(f"{name} {cells[i]}" for name, cells, *_ in order)))
    table(f"similarity to {target}", ("measure", "sources, the most similar first"), orders)


def classes_shared(target: Collection[str], source: Collection[str]) -> str:
    """Return how many of the target's classes the source has: without any, a prompt carried over knows no label."""
    return f"{len(set(target) & set(source))} of {len(target)}"
