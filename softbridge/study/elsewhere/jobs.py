"""What is sent elsewhere: one part of a study with all that it needs, carried out by the code that a study runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from softbridge.errors import SoftbridgeError, StudyError
from softbridge.recipe import resume
from softbridge.study.parts import Part
from softbridge.study.study import run

Came = list[str] | SoftbridgeError  # the part's records as JSON, or what the user is to mend


@dataclass(frozen=True)
class Job:
    """Hold a part of a study, and where it is.

    Arguments:
        recipe: the whole resolved recipe: a stage's digest rests on it.
        out: the study's folder, by the same path on all machines.
        part: the source or cell.
        track: a tracker that is told of every look, or None.
    """

    recipe: dict[str, Any]
    out: str
    part: Part
    track: str | None = None


class Engine(Protocol):
    """Describe what carries jobs out: a frozen dataclass whose fields are its settings.

    `package` is what is to be installed for it.
    """

    name: ClassVar[str]
    package: ClassVar[str]

    def carry(self, jobs: Sequence[Job], logs: Path) -> Iterator[tuple[Job, Came]]:
        """Yield each job as it ends, with what it came to; a job whose worker is lost runs again."""
        ...


def attempt(job: Job) -> Came:
    """Carry a job out in this process; a user's mistake is returned, for it travels better than it is raised."""
    try:
        result = run(resume(job.recipe, "the recipe"), Path(job.out), track=job.track, part=job.part)
    except SoftbridgeError as error:
        return error
    return [record.to_json() for record in result.records]


def lost(job: Job, times: int, why: str) -> StudyError:
    """Return the error of a job whose worker was lost too often."""
    return StudyError(
        f"{job.part}: its worker was lost {times} times ({why})",
        "a worker that lives as long as its job",
        "look at the worker's log: is it the memory, or a limit of time? Then run the same command again: what is "
        "finished is kept, and what was begun goes on",
    )
