"""Conduct a study whose parts are carried out elsewhere."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from softbridge.errors import SoftbridgeError, StudyError
from softbridge.recipe import Recipe
from softbridge.records.record import Record
from softbridge.study.elsewhere.jobs import Engine, Job
from softbridge.study.parts import waves
from softbridge.study.study import StudyResult
from softbridge.study.watching import Watcher


def run(
    recipe: Recipe, out: Path, engine: Engine, console: Console | None = None, track: str | None = None
) -> StudyResult:
    """Run a recipe's sources, then its cells, elsewhere, going on where an earlier run of it stopped.

    This process opens neither model nor data: what is measured about a device is measured by the workers.

    Arguments:
        recipe: the recipe.
        out: the study's folder, which all workers see by the same path.
        engine: carries the parts out.
        console: where progress is shown; None shows nothing.
        track: a tracker that accelerate knows, which each worker tells of its looks.

    Raises:
        StudyError: when the engine is not installed, or this is one of several processes of a launch.
        SoftbridgeError: what the first part that failed said, after all that can be carried out was.
    """
    refuse(engine)
    watcher, out = Watcher(console), out.absolute()
    recipe.write(out / "recipe.yaml")
    records: list[Record] = []
    for wave in waves(recipe):
        failed: list[SoftbridgeError] = []
        jobs = [Job(recipe.resolved(), str(out), part, track) for part in wave]
        for job, came in engine.carry(jobs, out / "jobs"):
            if isinstance(came, SoftbridgeError):
                failed.append(came)
                watcher.say(f"{job.part}: {came.seen}")
            else:
                records += [Record.from_json(text, str(job.part)) for text in came]
                watcher.say(f"{job.part}: done")
        if failed:
            raise failed[0]
    order = {(part.shots, part.target, part.arm): i for i, part in enumerate(waves(recipe)[-1])}
    shots = [one.shots for one in recipe.by_shots()]
    return StudyResult(out, sorted(records, key=lambda r: order[shots.index(r.recipe["shots"]), r.target, r.arm]))


def refuse(engine: Engine) -> None:
    """Refuse an engine that is not there, and to ask it several times for the same."""
    if find_spec(engine.package) is None:
        raise StudyError(
            f"{engine.package} is not installed",
            f"the package that --on {engine.name} works with",
            f"pip install 'softbridge[{engine.name}]'",
        )
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise StudyError(
            f"several processes were launched, and each would ask {engine.name} for the same",
            "one process, which hands the parts to workers",
            "leave the launcher out: softbridge run RECIPE --on ...",
        )
