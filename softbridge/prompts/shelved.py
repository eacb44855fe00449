"""A source that was learned before: a folder of saved prompts in the place of a domain's rows, and the gallery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import softbridge
from softbridge import whole
from softbridge.errors import PromptError, nearest
from softbridge.prompts.card import Card
from softbridge.prompts.shelves import CARD, TENSOR, card_of

NAMED = re.compile(r"seed(\d+)-(best|last)")
GALLERY = "gallery/"


@dataclass(frozen=True)
class Shelved:
    """Name the saved prompts that a study takes for a source; the field is the recipe's key.

    Arguments:
        prompts: a prompt's own folder; a folder with `seed0-best`, `seed0-last`, ..., as a stage of a study leaves it;
            or a name of the gallery, such as `gallery/minilm-l6/movies`.
    """

    prompts: str

    @cached_property
    def folders(self) -> Mapping[tuple[int, str], Path]:
        """Return the folder of each saved prompt, by its seed and whether it is the best one or the last.

        Raises:
            PromptError: when there is none.
        """
        folder = located(self.prompts)
        if folder is None or not folder.is_dir():
            raise PromptError(
                f"there are no saved prompts '{self.prompts}'{nearest(self.prompts, gallery())}",
                "a folder of saved prompts, or a name of the gallery",
                "give the folder of a prompt or of a stage; `softbridge ls gallery` lists the gallery's names",
            )
        if whole_prompt(folder):
            return {(card_of(folder / CARD).seed, "best"): folder}
        inner = folder / "prompts" if (folder / "prompts").is_dir() else folder
        named = ((NAMED.fullmatch(child.name), child) for child in sorted(inner.iterdir()) if whole_prompt(child))
        found = {(int(name[1]), name[2]): child for name, child in named if name}
        if not any(which == "best" for _, which in found):
            raise PromptError(
                f"{inner} holds no saved prompt",
                f"a folder with {TENSOR} and {CARD}, or one that holds such folders as seed0-best",
                "give the folder of a prompt, or of a stage that a run finished",
            )
        return found

    @cached_property
    def card(self) -> Card:
        """Return the card of the first prompt, which tells what all of them are for."""
        return card_of(self.place(self.seeds[0], "best") / CARD)

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the label words by class name that the prompts were learned with."""
        return self.card.verbalizer

    @property
    def seeds(self) -> list[int]:
        """Return the seeds that have a prompt."""
        return sorted({seed for seed, which in self.folders if which == "best"})

    def near(self, seed: int) -> int:
        """Return the seed whose prompt stands for a seed: its own, or else the first that there is."""
        return seed if seed in self.seeds else self.seeds[0]

    def place(self, seed: int, which: str) -> Path:
        """Return a prompt's folder; the best prompt stands for a last one that was not kept."""
        near = self.near(seed)
        return self.folders.get((near, which), self.folders[near, "best"])

    def seals(self) -> dict[str, str]:
        """Return the sha256 of every prompt's tensors, by seed and which."""
        return {f"seed{seed}-{which}": whole.sha256(f / TENSOR) for (seed, which), f in sorted(self.folders.items())}


def whole_prompt(folder: Path) -> bool:
    """Say whether a folder is a saved prompt's."""
    return (folder / CARD).is_file() and (folder / TENSOR).is_file()


def gallery_folder() -> Path:
    """Return the folder of the gallery: in the wheel, or else beside the package in a clone."""
    package = Path(softbridge.__file__).parent
    return next((f for f in (package / "_gallery", package.parent / "gallery") if f.is_dir()), package / "_gallery")


def gallery() -> dict[str, Shelved]:
    """Return the source prompts that come with softbridge, by the names that a recipe gives them."""
    folders = sorted(folder for folder in gallery_folder().glob("*/*") if folder.is_dir())
    names = [f"{GALLERY}{folder.parent.name}/{folder.name}" for folder in folders]
    return {name: Shelved(name) for name in names}


def shelves(backbone: str, shelf: Path | None = None) -> dict[str, Shelved]:
    """Return the source prompts of a backbone by the name of what they were learned on.

    Arguments:
        backbone: its catalogue name.
        shelf: a folder that `softbridge gallery` made, instead of softbridge's own gallery.

    Example:
        >>> shelves("no-such-model")
        {}
    """
    if shelf is None:
        own = f"{GALLERY}{backbone}/"
        return {name.removeprefix(own): one for name, one in gallery().items() if name.startswith(own)}
    folders = sorted(folder for folder in shelf.iterdir() if folder.is_dir()) if shelf.is_dir() else []
    return {folder.name: Shelved(str(folder)) for folder in folders if any(map(whole_prompt, folder.iterdir()))}


def located(name: str) -> Path | None:
    """Return the folder that a name stands for: one that is there, or one of the gallery; None where there is none."""
    if Path(name).is_dir():
        return Path(name)
    inner = gallery_folder() / name.removeprefix(GALLERY)
    return inner if name.startswith(GALLERY) and ".." not in Path(name).parts and inner.is_dir() else None
