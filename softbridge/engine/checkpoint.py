"""Where a bank's training stands, on disk: written whole or not at all, and read back bit for bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from softbridge.errors import StudyError


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a state atomically: a reader finds the former one or this one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """Return the state, or None where there is none.

    Raises:
        StudyError: when the file is there and cannot be read.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise StudyError(
            f"the checkpoint {path} cannot be read: {type(error).__name__}",
            "a checkpoint that an earlier run wrote",
            f"delete {path} to train this stage again from its start",
        ) from error
