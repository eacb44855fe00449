"""A stage's folder: named by the digest of all that decides its result, finished when `result.json` stands in it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from filelock import FileLock, Timeout

from softbridge.errors import StudyError


def digest(facts: Any) -> str:
    """Return the sha256 of the facts as canonical JSON.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Stage:
    """Name a stage.

    Arguments:
        root: the study's folder of stages.
        name: what it does, for people: `extract-movies`.
        facts: all that decides its result: its recipe section, and its inputs' digests.
    """

    root: Path
    name: str
    facts: dict[str, Any]

    @property
    def digest(self) -> str:
        """Return the digest of the facts."""
        return digest(self.facts)

    @property
    def folder(self) -> Path:
        """Return the stage's folder."""
        return self.root / f"{slug(self.name)}-{self.digest[:12]}"

    @property
    def finished(self) -> bool:
        """Say whether the stage was carried to its end."""
        return (self.folder / "result.json").exists()

    def result(self) -> dict[str, Any]:
        """Return what the finished stage came to."""
        return json.loads((self.folder / "result.json").read_text(encoding="utf-8"))

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result atomically, and with it the mark that the stage is finished."""
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = json.dumps(self.facts, indent=1, ensure_ascii=False, sort_keys=True)
        (self.folder / "stage.json").write_text(facts, encoding="utf-8")
        draft = self.folder / f"result.{os.getpid()}"
        draft.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
        draft.replace(self.folder / "result.json")
        (self.folder / "checkpoint.pt").unlink(missing_ok=True)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Work in a study's folder, made where it is not there, while no other run does.

    Raises:
        StudyError: when another run works in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        if Accelerator().is_main_process:
            lock.acquire(timeout=0)
        yield
    except Timeout as error:
        raise StudyError(f"another run works in {out}", "one run at a time", "wait for it, or choose --out") from error
    finally:
        lock.release()


def slug(text: str) -> str:
    """Return a text that is safe as a folder's name.

    Example:
        >>> slug("adapt news / no prompt")
        'adapt-news-no-prompt'
    """
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in text)
    return "-".join(part for part in kept.split("-") if part)
