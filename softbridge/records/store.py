"""Keep records: each in a file of its own, written whole or not at all, and never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from softbridge import whole
from softbridge.errors import StudyError
from softbridge.records.record import Record, broken


def append(folder: Path, record: Record) -> Path:
    """Write a record to a new file; the same result a second time adds nothing.

    Arguments:
        folder: the study's folder of records; made where it is not there.
        record: the record.

    Returns:
        The file `<target>-<arm>-<digest>.json`.

    Raises:
        StudyError: when that file is there and holds something else.
    """
    path = folder / f"{slug(record.target)}-{slug(record.arm)}-{record.digest[:12]}.json"
    if not path.exists():
        whole.write(path, record.to_json())
    elif load(path).digest != record.digest:
        raise StudyError(
            f"{path} holds another result than its name says",
            "records that nobody edits",
            "move the file away and run the study again: finished stages are reused",
        )
    return path


def read(folders: Iterable[Path]) -> list[Record]:
    """Return every record under the folders, each file once, in the order of the folders and of the file names.

    Arguments:
        folders: folders of records, of one study, or of several studies.

    Raises:
        StudyError: when a folder holds no record, or a file is damaged; nothing is left out silently.
    """
    files = {path.resolve(): None for folder in folders for path in files_under(Path(folder))}
    return [load(path) for path in files]


def files_under(folder: Path) -> Iterator[Path]:
    """Yield the record files of a folder of one study, of several studies, or of records."""
    for pattern in ("records/*.json", "*/records/*.json", "*.json"):
        if found := sorted(folder.glob(pattern)):
            yield from found
            return
    raise StudyError(
        f"there are no records under {folder}" if folder.is_dir() else f"there is no folder {folder}",
        "the folder of a study that was run, a folder of such folders, or a folder of records",
        "run a recipe first, for instance `softbridge run quickstart`, and give the folder it names",
    )


def load(path: Path) -> Record:
    """Return the record in a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise broken(str(path), "is not UTF-8 text") from None
    return Record.from_json(text, str(path))


def slug(name: str) -> str:
    """Return a name as a part of a file name: letters, digits and `._` stay, 60 characters at most.

    Example:
        >>> slug("scratch at both/budgets"), slug("电影"), slug("<>")
        ('scratch-at-both-budgets', '电影', 'x')
    """
    return re.sub(r"[^\w.]+", "-", name)[:60].strip("-.") or "x"
