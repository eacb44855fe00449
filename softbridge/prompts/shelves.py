"""The prompts that lie under a folder, by their cards; no tensor is read."""

from __future__ import annotations

from pathlib import Path

from softbridge.errors import PromptError
from softbridge.prompts.card import Card

CARD, TENSOR = "card.json", "prompt.safetensors"


def prompts_under(folder: Path | str) -> dict[Path, Card]:
    """Return the card of every saved prompt under a folder, by its own folder, in the order of the names.

    Arguments:
        folder: a study's folder, a stage's, or any folder with saved prompts at any depth.

    Raises:
        PromptError: when there is none, or a card cannot be read.

    Example:
        >>> prompts_under("nowhere")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        softbridge.errors.PromptError: there is no folder nowhere
    """
    folder = Path(folder)
    found = {}
    for file in sorted(folder.rglob(CARD)):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and (file.parent / TENSOR).is_file():
            found[file.parent] = card_of(file)
    if not found:
        raise PromptError(
            f"there is no saved prompt under {folder}" if folder.is_dir() else f"there is no folder {folder}",
            f"a folder with saved prompts, each a folder with {TENSOR} and {CARD}",
            "run a recipe first, or give the folder that a run wrote",
        )
    return found


def card_of(file: Path) -> Card:
    """Return the card in a file; an error names it."""
    try:
        return Card.from_json(file.read_bytes())
    except PromptError as error:
        raise PromptError(f"{file}: {error.seen}", error.expected, error.fix) from None
