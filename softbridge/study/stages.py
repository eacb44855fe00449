"""A stage's folder: named by the digest of all that decides its result, finished when `result.json` stands in it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softbridge import whole
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

    def prompt(self, seed: int, which: str) -> Path:
        """Return the folder of a member's prompt: `best` or `last`."""
        return self.folder / "prompts" / f"seed{seed}-{which}"

    def result(self) -> dict[str, Any]:
        """Return what the finished stage came to, after its prompts were found as they were written.

        Raises:
            StudyError: when the result or a prompt is missing, damaged or cannot be read.
        """
        file = self.folder / "result.json"
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
            seals = dict(result.get("files", {}))
            changed = [name for name, seal in seals.items() if whole.sha256(self.folder / name) != seal]
        except OSError as error:
            raise self.damaged(f"{error.filename} cannot be read: {error.strerror}") from None
        except (ValueError, AttributeError, TypeError) as error:
            raise self.damaged(f"{file} is no whole result ({error})") from None
        if changed:
            raise self.damaged(f"{self.folder / changed[0]} is not what the run wrote")
        return result

    def damaged(self, seen: str) -> StudyError:
        """Return the error of a finished stage whose files are not what they were."""
        return StudyError(
            f"stage {self.name}: {seen}",
            "the files of a finished stage as the run wrote them",
            f"put them back, or delete the folder {self.folder} to run this stage again; all others are reused",
        )

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result with the hashes of the prompts, and with it the mark that the stage is finished."""
        facts = json.dumps(self.facts, indent=1, ensure_ascii=False, sort_keys=True)
        whole.write(self.folder / "stage.json", facts)
        for draft in [*self.folder.glob(".*"), *self.folder.glob("prompts/.*")]:  # what killed runs left half written
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
        made = [*self.folder.glob("prompts/**/*"), *self.folder.glob("model/**/*")]
        prompts = (file for file in sorted(made) if file.is_file())
        seals = {file.relative_to(self.folder).as_posix(): whole.sha256(file) for file in prompts}
        whole.write(self.folder / "result.json", json.dumps({**result, "files": seals}, indent=1, ensure_ascii=False))
        (self.folder / "checkpoint.pt").unlink(missing_ok=True)


def slug(text: str) -> str:
    """Return a text that is safe as a folder's name.

    Example:
        >>> slug("adapt news / no prompt")
        'adapt-news-no-prompt'
    """
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in text)
    return "-".join(part for part in kept.split("-") if part)
