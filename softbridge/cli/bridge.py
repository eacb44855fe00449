"""`softbridge bridge`: the best prompt for your own data that source prompts and a few bridges lead to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softbridge import whole
from softbridge.cli.console import console, is_main, say, table
from softbridge.cli.new import looked_at
from softbridge.cli.options import GalleryFolder, LabelColumn, Seeds, Shots, TextColumn, Words
from softbridge.errors import SoftbridgeError

if TYPE_CHECKING:
    from softbridge.study.bridging import Bridged, Request

EXAMPLE = """softbridge bridge my_target.csv --text review --label stars
softbridge bridge news.csv --shots 16 --seeds 0 --words "negative=bad news" --words "positive=good news" """


def command(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A file with texts and labels, or data of the catalogue.")
    ],
    text: TextColumn = "text",
    label: LabelColumn = "label",
    backbone: Annotated[
        str | None, typer.Option("--backbone", help="A backbone of the gallery; by default what suits the language.")
    ] = None,
    gallery: GalleryFolder = None,
    shots: Shots = None,
    seeds: Seeds = "0,1,2",
    budget: Annotated[
        int, typer.Option(metavar="STEPS", min=1, help="Optimiser steps a seed, over all ways that are tried.")
    ] = 1200,
    words: Words = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="runs/bridge-<the data's name> by default.")] = None,
) -> None:
    """Rank the gallery for your data, try the best few bridges from it, and keep the best one's prompt.

    Scratch, a prompt learned on your data alone, is always tried too, and kept where no bridge is better by more than
    the noise. Judge is the loss of your rows, each with prompts that did not see it; the prompt that is kept learns
    from all of them. The test rows are read once, for the winner and for scratch.
    """
    from softbridge import reports
    from softbridge.study.bridging import bridge

    asked = request(data, text, label, backbone, gallery, shots, seeds, budget, words)
    place = out or Path("runs") / asked.recipe().name
    made = bridge(asked, place, console() if is_main() else None)
    if not is_main():
        return
    whole.write(place / "contest.json", json.dumps(contest(made), indent=1, ensure_ascii=False) + "\n")
    tell(made)
    say(f"prompt, also a PEFT adapter: {made.prompt}")
    say(f"every way to its end: softbridge resume {place}")
    say(f"report: {reports.write([place], place / 'report').html}")


def request(
    data: str,
    text: str,
    label: str,
    backbone: str | None,
    gallery: Path | None,
    shots: int | None,
    seeds: str,
    budget: int,
    words: list[str] | None,
) -> Request:
    """Return what is asked for."""
    from softbridge.prompts.shelved import shelves
    from softbridge.study.bridging import Request

    found = looked_at(data, text, label)
    for warning in found.warnings:
        say(f"look at this: {warning}")
    model = backbone or {"en": "minilm-l6", "zh": "e5-small"}[found.language]
    return Request(found, shelves(model, gallery), model, shots, numbers(seeds), said(words or []), budget)


def numbers(seeds: str) -> list[int]:
    """Return the seeds that a text names.

    Example:
        >>> numbers("0,1,2")
        [0, 1, 2]
    """
    try:
        return [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise SoftbridgeError(f"--seeds is '{seeds}'", "whole numbers with commas", "write --seeds 0,1,2") from None


def said(words: list[str]) -> dict[str, str]:
    """Return label words by class.

    Example:
        >>> said(["good=a good film"])
        {'good': 'a good film'}
    """
    for each in words:
        if "=" not in each:
            raise SoftbridgeError(f"--words is '{each}'", "CLASS=WORDS", 'write --words "positive=good news"')
    return {name: told for name, _, told in (each.partition("=") for each in words)}


def contest(made: Bridged) -> dict[str, object]:
    """Return the ranking and the contest as plain JSON."""
    return {
        "ranking": {name: vars(trial) for name, trial in made.ranking.items()},
        "rungs": [{"steps": r.steps, "unseen_loss": dict(r.losses), "kept": list(r.kept)} for r in made.rungs],
        "last": {name: standing(made, name) for name in made.losses},
        "winner": made.winner,
        "steps": made.spent,
    }


def standing(made: Bridged, name: str) -> dict[str, float]:
    """Return what a way of the last rung came to: its loss, how far that is below scratch's, and the standard error."""
    from softbridge.recipe.bridging import SCRATCH
    from softbridge.study.halving import below

    less, error = below(made.losses[name], made.losses[SCRATCH])
    return {"unseen_loss": float(made.losses[name].mean()), "below_scratch": less, "standard_error": error}


def tell(made: Bridged) -> None:
    """Print the ranking, the contest, and what the winner gained over scratch."""
    shown = list(made.ranking.items())[:8]
    table(
        f"source prompts as they are, on {shown[0][1].rows} labelled rows a seed",
        ("source", "loss", "accuracy"),
        [(name, f"{trial.loss:.4f}", f"{trial.accuracy:.3f}") for name, trial in shown],
    )
    head = ("way", *(f"{rung.steps} steps" for rung in made.rungs))
    names = sorted(made.rungs[0].losses, key=lambda name: [rung.losses.get(name, 9e9) for rung in made.rungs[::-1]])
    cells = [[f"{r.losses[name]:.4f}" if name in r.losses else "" for r in made.rungs] for name in names]
    rows = len(next(iter(made.losses.values())))
    table(f"loss of {rows} rows, each unseen", head, [(name, *row) for name, row in zip(names, cells, strict=True)])
    for name in list(made.losses)[1:]:
        found = standing(made, name)
        say(f"{name}: {found['below_scratch']:+.4f} below scratch, standard error {found['standard_error']:.4f}")
    say(f"{made.spent} optimiser steps a seed")
    say(gained(made))


def gained(made: Bridged) -> str:
    """Return what the winner gained over scratch on the test rows, in one sentence."""
    from softbridge.reports.statistics import paired

    scratch, best = made.records[0], made.records[-1]
    rows = scratch.data["target"]["sizes"]["test"]
    ours, theirs = ({m["seed"]: m["best"]["test"]["accuracy"] for m in r.members} for r in (best, scratch))
    means = [sum(each.values()) / len(each) for each in (ours, theirs)]
    if made.winner == scratch.arm:
        return f"scratch won: it is kept where rows do not say more. Test accuracy {means[1]:.3f} on {rows} test rows"
    pair = paired(ours, theirs)
    assert pair is not None
    spread = f" ± {pair.spread.std:.3f} over {pair.spread.n} seeds" if pair.spread.n > 1 else ", one seed"
    return (
        f"{made.winner}: test accuracy {means[0]:.3f}, scratch {means[1]:.3f}, gain {pair.spread.mean:+.3f}{spread}, "
        f"on {rows} test rows"
    )
