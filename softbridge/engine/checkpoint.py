"""Where a bank's training stands, on disk: written whole or not at all, and read back bit for bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from softbridge import whole
from softbridge.errors import StudyError


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a state atomically: a reader finds the former one or this one, never a part."""
    content = io.BytesIO()
    torch.save(state, content)  # to memory first: of a full disk torch only says that its writer failed
    whole.write(path, content.getvalue())


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
