"""Write a file whole or not at all: a reader, and a run after a crash, finds the former one or the new one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Write a file atomically; its folder is made where it is not there.

    Arguments:
        path: the file.
        content: text, which is written as UTF-8, or bytes.

    Raises:
        OSError: when it cannot be written; the former file then stands unchanged, and the error names it.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder) / "deep" / "a.txt", "whole")
        ...     (Path(folder) / "deep" / "a.txt").read_text()
        'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException as error:
        Path(draft).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:  # a full disk's error does not say which file it was
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
