"""Save a prompt in a folder, and load it back.

The folder holds `prompt.safetensors` (the injection's parts by name, each without its row axis), `card.json`, and the
two files of a PEFT adapter where PEFT has one of this kind.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from softbridge import whole
from softbridge.errors import PromptError
from softbridge.injection import PARTS, Injection, one_row
from softbridge.prompts import adapters
from softbridge.prompts.card import Card
from softbridge.shapes import check

TENSOR = "prompt.safetensors"
CARD = "card.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class SavedPrompt:
    """Hold a prompt with its card.

    Arguments:
        injection: the injection of one row, in float32, on the CPU.
        card: its lineage.
    """

    injection: Injection
    card: Card

    def save(self, folder: Path | str) -> None:
        """Save it in a folder, as `save` does."""
        save(folder, self.injection, self.card)


def save(folder: Path | str, prompt: Injection, card: Card) -> None:
    """Save a prompt with its card, also as a PEFT adapter; nobody ever reads half of it.

    A prompt that stood in the folder is replaced.

    Arguments:
        folder: where the prompt goes; its parents are made.
        prompt: the baked prompt of one row, of any floating type, finite.
        card: its lineage, with the same P and H.

    Raises:
        PromptError: when the prompt does not fit its card, is not finite, or other files stand in the folder.

    Example:
        >>> import tempfile
        >>> card = Card("org/model", None, "causal", 2, 4, "ab12", 3, 8, "random", 0)
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     save(Path(parent, "mine"), Injection(torch.ones(1, 3, 8)), card)
        ...     load(Path(parent, "mine")).injection.tokens.shape
        torch.Size([1, 3, 8])
    """
    folder = Path(folder).absolute()
    _fits(prompt, card, "the prompt to save")
    _free(folder)
    parts = {name: part[0].detach().to("cpu", torch.float32).contiguous() for name, part in prompt.parts.items()}
    fresh = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.new")
    fresh.mkdir(parents=True)
    try:
        whole.write(fresh / TENSOR, to_bytes(parts, metadata={"format": "pt"}))
        whole.write(fresh / CARD, card.to_json())
        if adapters.refusal(prompt, card) is None:
            adapters.write(fresh, prompt, card)
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def load(folder: Path | str) -> SavedPrompt:
    """Load a prompt, and verify it against its card.

    Arguments:
        folder: where `save` put it.

    Returns:
        The prompt and its card.

    Raises:
        PromptError: when a file is missing or damaged, when tensor and card disagree, or an element is not finite.
    """
    folder = Path(folder)
    _present(folder)
    card = Card.from_json((folder / CARD).read_bytes())
    prompt = one_row(_parts(folder / TENSOR), card.block).each(lambda part: part.float())
    _fits(prompt, card, str(folder / TENSOR))
    return SavedPrompt(prompt, card)


def _fits(prompt: Injection, card: Card, what: str) -> None:
    """Refuse a prompt that its card does not describe, or that training broke."""
    for name, part in prompt.parts.items():
        # A head reads what the backbone pools, which need not be as wide as its embeddings.
        known = {"B": 1, "P": card.length} if name == "head" else {"B": 1, "P": card.length, "H": card.width}
        check(part, f"B {PARTS[name]}", what if name == "tokens" else f"{what} ({name})", **known)
    if not all(torch.isfinite(part).all() for part in prompt.parts.values()):
        raise PromptError(
            f"{what} holds NaN or infinite elements",
            "finite elements",
            "take the prompt of an earlier step, or train again with a lower learning rate",
        )


def _free(folder: Path) -> None:
    """Refuse to write over anything but an older prompt."""
    taken = folder.exists() and not (folder.is_dir() and ((folder / CARD).exists() or not any(folder.iterdir())))
    if taken:
        raise PromptError(
            f"{folder} holds something that is not a saved prompt",
            "a new or empty folder, or one that holds a saved prompt",
            "choose another folder",
        )


def _swap(fresh: Path, folder: Path) -> None:
    """Move a finished folder to its place, and what stood there away."""
    old = fresh.with_suffix(".old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def _present(folder: Path) -> None:
    """Refuse a place without the two files that make a prompt, and say why pickles do not count."""
    pickles = [p.name for p in (folder.iterdir() if folder.is_dir() else [folder]) if p.suffix in PICKLES]
    missing = [name for name in (TENSOR, CARD) if not (folder / name).is_file()]
    if TENSOR in missing and pickles:
        raise PromptError(
            f"{folder} has the prompt only as a pickle ({', '.join(pickles)})",
            f"{TENSOR}; a pickle can run any code when it is read, so softbridge reads none",
            "load it where you trust it with torch.load(..., weights_only=True), and save it with softbridge",
        )
    if missing:
        raise PromptError(
            f"{folder} has no {' and no '.join(missing)}" if folder.is_dir() else f"there is no folder {folder}",
            f"a prompt's folder, with {TENSOR} and {CARD}",
            "give the folder that a run wrote under prompts/, or save the prompt again",
        )


def _parts(file: Path) -> dict[str, torch.Tensor]:
    """Return the parts that a safetensors file holds."""
    try:
        held = load_file(file)
    except SafetensorError as error:
        raise PromptError(
            f"{file} cannot be read: {error}", "a whole safetensors file", "copy or save the prompt again"
        ) from None
    if not held or set(held) - set(PARTS):
        raise PromptError(
            f"{file} holds the tensors {', '.join(held) or 'none'}",
            f"tensors named {', '.join(PARTS)}",
            "rename the virtual tokens `[P, H]` to 'tokens', or save the prompt with softbridge",
        )
    return held
