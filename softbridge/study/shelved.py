"""Sources that were learned before: what takes the place of their rows and of the stage that would learn them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Dataset

from softbridge.backbones.base import Backbone
from softbridge.domains.domain import SCHEMA, OpenDomain
from softbridge.domains.fingerprints import fingerprint
from softbridge.errors import PromptError
from softbridge.prompts.shelved import Shelved
from softbridge.study.stages import Stage


@dataclass(frozen=True)
class ShelvedDomain(OpenDomain):
    """Be a domain that is known by its saved prompts alone: it has classes and a fingerprint, and no rows.

    Arguments:
        shelf: the prompts.
    """

    shelf: Shelved = field(kw_only=True)

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the rows that the prompts were learned on."""
        return next(iter(self.shelf.card.data.values()), "unknown")


@dataclass(frozen=True)
class ShelvedStage(Stage):
    """Be the finished stage of a source that was learned before.

    Arguments:
        shelf: the prompts.
    """

    shelf: Shelved = field(kw_only=True)

    @property
    def finished(self) -> bool:
        """Say that it is."""
        return True

    def prompt(self, seed: int, which: str) -> Path:
        """Return the folder of a member's prompt."""
        return self.shelf.place(seed, which)

    def result(self) -> dict[str, Any]:
        """Return that nothing was spent here."""
        return {"kind": "extract", "members": [], "rows_seen": 0, "seconds": 0.0, "parameters": 0}


def opened(name: str, shelf: Shelved) -> ShelvedDomain:
    """Return the domain that saved prompts stand for."""
    none = Dataset(pa.table({"text": [], "label": []}, schema=SCHEMA))
    card = shelf.card
    return ShelvedDomain(
        name=name,
        classes=tuple(card.verbalizer),
        words=tuple(card.verbalizer.values()),
        train=none,
        validation=none,
        test=none,
        unlabelled=none,
        fingerprints={"train": fingerprint(none)},
        notes=(f"known by its saved prompts alone: {shelf.prompts}",),
        template=card.template,
        shelf=shelf,
    )


def stage_of(root: Path, name: str, shelf: Shelved) -> ShelvedStage:
    """Return the stage whose result the saved prompts are."""
    return ShelvedStage(root, f"shelved-{name}", {"shelved": shelf.seals()}, shelf=shelf)


def starts(sources: Mapping[str, OpenDomain], seeds: tuple[int, ...]) -> dict[int, int]:
    """Return the seed whose start each member shares with the sources that were learned before.

    Prompts can be subtracted from each other and compared only where they began alike, so a member begins where the
    saved prompt that stands for its seed began. Its rows and their order are its own seed's.
    """
    shelves = [source.shelf for source in sources.values() if isinstance(source, ShelvedDomain)]
    return {seed: shelves[0].near(seed) for seed in seeds} if shelves else {}


def verify(sources: Mapping[str, OpenDomain], backbone: Backbone) -> None:
    """Refuse saved prompts of another backbone.

    Raises:
        PromptError: when a card names another model, or another tokenizer.
    """
    here = backbone.hub_id or backbone.spec.name
    config = backbone.config
    known = (
        backbone.kind,
        config.num_hidden_layers,
        config.num_attention_heads,
        backbone.table.shape[1],
        backbone.tokenizer_hash,
    )
    for name, source in sources.items():
        if not isinstance(source, ShelvedDomain):
            continue
        card = source.shelf.card
        named = not any(Path(model).is_absolute() for model in (card.backbone, here))  # a folder may have been moved
        alike = (card.kind, card.layers, card.heads, card.width, card.tokenizer) == known
        if not alike or (named and card.backbone != here):
            raise PromptError(
                f"the source '{name}' holds prompts of {card.backbone}, and the backbone is {here}",
                "prompts of this backbone: of its kind, its size and its tokenizer",
                "name prompts of this backbone, or write it as source_backbone",
            )
