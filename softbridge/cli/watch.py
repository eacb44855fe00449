"""`softbridge watch`: look at a study while it runs, from another terminal; it reads files and changes none."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softbridge.cli.console import console
from softbridge.errors import StudyError

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLE = """softbridge watch runs/quickstart
softbridge watch runs/quickstart --once"""

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24
QUIET = 600.0  # seconds without a sign after which a stage is called quiet


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print the table once, and end.")] = False,
) -> None:
    """Show a running study: its stages, their validation losses, its records. Ctrl-C ends it."""
    from rich.live import Live

    if not folder.is_dir():
        raise StudyError(
            f"there is no folder {folder}", "a study's folder", "give the folder that `softbridge run` named"
        )
    screen = console()
    if once or not screen.is_terminal:
        screen.print(shown(folder))
        return
    with Live(shown(folder), console=screen, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            live.update(shown(folder), refresh=True)


def shown(folder: Path) -> Table:
    """Return the study's stages as a table, the newest last."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    head = ("stage", "state", "step", "validation loss", "first", "best", "now")
    table = Table(*head, title=title(folder), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows(folder):
        table.add_row(*(Text(cell) for cell in row))
    return table


def title(folder: Path) -> str:
    """Return how many stages and records there are."""
    stages = [place for place in folder.glob("stages/*-*") if place.is_dir()]
    finished = sum((place / "result.json").exists() for place in stages)
    records = len(list(folder.glob("records/*.json")))
    return f"{folder}: {finished} of {len(stages)} stages begun are finished, {records} records"


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield one line a stage that trains, the mean over its members; a stage that vanishes meanwhile is left out."""
    begun = [(file.stat().st_mtime, file) for file in folder.glob("stages/*/history.jsonl")]
    for touched, file in sorted(begun):
        looks = read(file)
        if looks:
            losses = [
                mean([look["validation"]["loss"] for look in looks if look["step"] == step]) for step in steps(looks)
            ]
            known = [loss for loss in losses if math.isfinite(loss)]
            numbers = (losses[0], min(known, default=math.nan), losses[-1])
            name = file.parent.name.rpartition("-")[0]
            yield (
                name,
                state(file.parent, touched),
                str(steps(looks)[-1]),
                curve(losses),
                *(f"{n:.3f}" for n in numbers),
            )


def read(file: Path) -> list[dict[str, Any]]:
    """Return a history's whole lines that have what is shown."""
    looks = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            look = json.loads(line)
            look["validation"]["loss"] = float(look["validation"]["loss"])
            looks.append(look | {"step": int(look["step"])})
        except (ValueError, TypeError, KeyError):
            continue
    return looks


def steps(looks: Sequence[dict[str, Any]]) -> list[int]:
    """Return the steps at which a stage was looked at."""
    return sorted({look["step"] for look in looks})


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def state(stage: Path, touched: float) -> str:
    """Return whether a stage is finished, and else when it last gave a sign."""
    if (stage / "result.json").exists():
        return "finished"
    age = max(0.0, time.time() - touched)
    return f"{'quiet' if age > QUIET else 'running'}, {age:.0f} s ago"


def curve(losses: Sequence[float], width: int = WIDTH) -> str:
    """Return losses as a line of bars, each the last of its share of the looks; high is a large loss, · is not finite.

    Example:
        >>> curve([1.0, 0.5, float("nan"), 0.0])
        '█▅·▁'
    """
    if len(losses) > width:
        losses = [losses[(i + 1) * len(losses) // width - 1] for i in range(width)]
    known = [loss for loss in losses if math.isfinite(loss)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((loss - low) * scale)] if math.isfinite(loss) else "·" for loss in losses)
