"""A prompt's model card, as hubs show it: made from its lineage, nothing written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from softbridge.prompts.card import Card

TAGS = ("soft-prompt", "prompt-tuning", "prompt-transfer", "softbridge")


def model_card(card: Card, repo: str, adapter: bool = True) -> str:
    """Return the model card of a prompt: what hubs read in front, and its lineage for people.

    Arguments:
        card: the prompt's card.
        repo: the repository, `org/name`.
        adapter: whether the repository also holds a PEFT adapter.

    Example:
        >>> card = Card("org/model", None, "causal", 2, 4, "ab12", 20, 384, "vocabulary", 0, parents=("movies",))
        >>> text = model_card(card, "me/mine")
        >>> text.splitlines()[:3], "movies" in text
        (['---', 'base_model: org/model', 'library_name: peft'], True)
    """
    from huggingface_hub import ModelCardData

    front = ModelCardData(
        base_model=card.backbone,
        library_name="peft" if adapter else "softbridge",
        tags=list(TAGS),
        pipeline_tag="text-classification" if card.verbalizer else None,
    )
    parts = [
        f"---\n{front.to_yaml()}\n---\n",
        f"# {repo.partition('/')[2]}\n",
        f"A {card.prompt} prompt of {card.length} virtual tokens for `{card.backbone}`, frozen. It is no model "
        "of its own: it enters that model's input.\n",
        "## Use\n",
        f'```\nsoftbridge pull {repo}\nsoftbridge predict {repo.partition("/")[2]} --text "..."\n```\n',
        *(
            ["It is also a PEFT adapter: `PeftModel.from_pretrained(model, " + f'"{repo}")`.\n']
            if adapter
            else ["PEFT has no adapter of this kind of prompt.\n"]
        ),
        "## Lineage\n",
        listing(lineage(card)),
        "## Classes\n" if card.verbalizer else "",
        listing((name, f"`{words}`") for name, words in card.verbalizer.items()),
        "## Scores\n" if card.scores else "",
        listing((name, f"{value:.4f}") for name, value in card.scores.items()),
        "On validation rows, which chose the checkpoint: not a test score.\n" if card.scores else "",
        "## Training\n" if card.optimiser else "",
        listing(card.optimiser),
        "## Versions\n",
        listing(card.versions),
    ]
    return "\n".join(part for part in parts if part)


def lineage(card: Card) -> Iterable[tuple[str, Any]]:
    """Yield where a prompt comes from."""
    yield "backbone", f"`{card.backbone}`" + (f" at `{card.revision}`" if card.revision else "")
    yield "kind of backbone", card.kind
    yield "tokenizer (sha256)", f"`{card.tokenizer}`"
    yield "began", card.init
    yield "seed", card.seed
    yield "made from the prompts", ", ".join(card.parents) or "none: it was learned from scratch"
    for name, fingerprint in card.data.items():
        yield f"learned on {name} (sha256 of its rows)", f"`{fingerprint}`"
    yield "template", f"`{card.template!r}`"
    yield "loss", card.loss
    yield "steps", card.steps


def listing(items: Iterable[tuple[str, Any]] | Mapping[str, Any]) -> str:
    """Return items as a Markdown list.

    Example:
        >>> listing([("seed", 0), ("loss", "")])
        '- seed: 0\\n'
    """
    pairs = items.items() if isinstance(items, Mapping) else items
    lines = [f"- {name}: {value}" for name, value in pairs if value not in ("", None)]
    return "\n".join(lines) + "\n" if lines else ""
