"""How like a study's sources are to a target, kept beside its records, so that measures can be judged by what came."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softbridge import whole
from softbridge.errors import StudyError
from softbridge.records.store import slug

FOLDER = "likeness"


@dataclass(frozen=True)
class Likeness:
    """Hold the likeness of each source to one target, by measures.

    Arguments:
        study: the recipe's name.
        recipe_digest: sha256 of the resolved recipe; the study's records have the same.
        target: the target domain.
        seeds: the seeds, in the order of the values.
        values: under each measure, each source with its likeness to the target, a number a seed.
        created: when it was measured, ISO 8601 with the time zone.
        provenance: versions, commit, platform, device, threads.
    """

    study: str
    recipe_digest: str
    target: str
    seeds: list[int]
    values: dict[str, dict[str, list[float]]]
    created: str
    provenance: dict[str, Any]


def keep(out: Path, likeness: Likeness) -> Path:
    """Write what was measured to a new file of the study's folder; the same a second time adds nothing."""
    facts = {key: value for key, value in vars(likeness).items() if key not in ("created", "provenance")}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = out / FOLDER / f"{slug(likeness.target)}-{digest[:12]}.json"
    if not path.exists():
        whole.write(path, json.dumps(vars(likeness), indent=1, ensure_ascii=False) + "\n")
    return path


def kept(folders: Iterable[Path]) -> list[Likeness]:
    """Return all that was measured in folders of studies.

    Raises:
        StudyError: when a folder has none, or a file is damaged.
    """
    found = []
    for folder in folders:
        files = sorted((Path(folder) / FOLDER).glob("*.json"))
        if not files:
            raise StudyError(
                f"there is no likeness under {folder}",
                "a study's folder whose sources were compared with a target",
                f"softbridge rank TARGET --recipe RECIPE --out {folder}",
            )
        found += [load(file) for file in files]
    return found


def found(folders: Iterable[Path]) -> list[Likeness]:
    """Return what was measured in folders of one study or of several; nothing where nothing was."""
    patterns = (f"{FOLDER}/*.json", f"*/{FOLDER}/*.json")
    files = {path.resolve(): None for folder in folders for p in patterns for path in sorted(Path(folder).glob(p))}
    return [load(file) for file in files]


def load(file: Path) -> Likeness:
    """Return what one file holds."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        return Likeness(**{field.name: facts[field.name] for field in dataclasses.fields(Likeness)})
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{file} is damaged: {error!r}", "a whole file as softbridge wrote it", "move it away and rank again"
        ) from None
