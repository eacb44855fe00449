"""Draft a recipe for data that nobody has described yet: label words and template by kind of backbone and language."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from softbridge.backbones.base import BackboneSpec, Kind
from softbridge.backbones.table import BACKBONES
from softbridge.catalogue import look_up
from softbridge.domains.domain import Domain
from softbridge.domains.sketches import Sketch
from softbridge.domains.terms import Language
from softbridge.errors import DataError
from softbridge.recipe.pairs import told

SENTIMENT = ("negative", "positive")

# By kind and language: the template, and the words for negative and positive. A whole sentence tells a sentence encoder
# more than a name does: multilingual-e5-small reads "negative review" and "positive review" the wrong way round.
WORDS: Mapping[tuple[str, Language], tuple[str, tuple[str, str]]] = {
    ("sentence", "en"): ("{text}", ("This is bad, I am disappointed.", "This is great, I love it.")),
    ("sentence", "zh"): ("{text}", ("很差，非常失望。", "很好，非常满意。")),
    ("causal", "en"): ("{text}\nSentiment:", (" negative", " positive")),
    ("causal", "zh"): ("{text}\n情感：", ("负面", "正面")),
    ("masked", "en"): ("{text} It was {mask}.", ("terrible", "great")),
    ("masked", "zh"): ("{text} 总之很{mask}。", ("差", "好")),
    ("seq2seq", "en"): ("{text} Sentiment:", ("negative", "positive")),
    ("seq2seq", "zh"): ("{text} 情感：", ("负面", "正面")),
}
# The template for classes of another kind, whose words are their names.
OTHERS: Mapping[tuple[str, Language], str] = {
    ("causal", "en"): "{text}\nLabel:",
    ("causal", "zh"): "{text}\n类别：",
    ("masked", "en"): "{text} It is about {mask}.",
    ("masked", "zh"): "{text} 这是关于{mask}的。",
    ("seq2seq", "en"): "{text} Label:",
    ("seq2seq", "zh"): "{text} 类别：",
}
# Where neither the catalogue nor a folder tells: what the names of well-known families say.
FAMILIES: tuple[tuple[str, Kind], ...] = (
    (r"sentence|minilm|e5|bge|gte|mpnet|simcse", "sentence"),
    (r"t5|bart|pegasus", "seq2seq"),
    (r"bert|electra|ernie", "masked"),
)
MEANT: Mapping[str, str] = {
    "sentence": "a description of each class, which is compared with the text",
    "causal": "the words after the text, as written",
    "masked": "the word at {mask}",
    "seq2seq": "the words that the decoder says",
}


@dataclass(frozen=True)
class Wording:
    """Hold how a domain's texts and classes are put to a backbone.

    Arguments:
        template: the template.
        labels: class name to words.
    """

    template: str
    labels: Mapping[str, str]


def kind_for(backbone: str, given: str | None = None) -> tuple[str, bool]:
    """Return a backbone's kind, and whether that is only what its name says.

    Arguments:
        backbone: a catalogue name, a folder, or a hub id.
        given: the kind that the user says it is run as.

    Example:
        >>> kind_for("minilm-l6"), kind_for("google-bert/bert-base-chinese"), kind_for("Qwen/Qwen2.5-0.5B")
        (('sentence', False), ('masked', True), ('causal', True))
    """
    if given is not None:
        look_up(BACKBONES, given, "backbone")
        return given, False
    known = told(BackboneSpec(backbone))
    if known:
        return known, False
    return next((kind for form, kind in FAMILIES if re.search(form, backbone.lower())), "causal"), True


def worded(found: Sketch, kind: str, backbone: str) -> Wording:
    """Return a template and label words that suit a kind of backbone, the texts' language and the classes."""
    names, place = tuple(found.counts), (kind, found.language)
    if names == SENTIMENT and place in WORDS:
        template, words = WORDS[place]
    else:
        template, words = OTHERS.get(place, "{text}"), names  # type: ignore[assignment]
        words = tuple(f" {name}" for name in names) if place == ("causal", "en") else words  # type: ignore[assignment]
    if kind == "sentence" and e5(backbone):
        template, words = f"query: {template}", tuple(f"query: {word}" for word in words)  # type: ignore[assignment]
    return Wording(template, dict(zip(names, words, strict=True)))


def described(found: Sketch, wording: Wording) -> Domain:
    """Return the domain that a sketch and its wording make."""
    return Domain(**keys(found, wording))


def keys(found: Sketch, wording: Wording) -> dict[str, Any]:
    """Return a domain's recipe keys, those that are not the default."""
    own = {raw: name for raw, name in found.classes.items() if raw != name}
    given = {
        "data": found.data,
        "columns": {"text": found.text} if found.text != "text" else None,
        "label": found.label if found.label != "label" else None,
        "classes": own or None,
        "encoding": found.encoding if found.encoding != "utf-8" else None,
        "split": found.split,
        "template": wording.template if wording.template != "{text}" else None,
        "labels": dict(wording.labels),
    }
    return {key: value for key, value in given.items() if value is not None}


def draft(
    name: str, backbone: str, kind: str, sources: Sequence[Sketch], targets: Sequence[Sketch], spelled: bool = False
) -> str:
    """Return a recipe as commented YAML, which `softbridge check` accepts.

    Arguments:
        name: the study's name.
        backbone: its name as a recipe writes it.
        kind: the backbone's kind.
        sources: what the source domains look like.
        targets: what the target domains look like.
        spelled: whether the recipe names the kind, which is not the one that the model's files speak for.

    Raises:
        DataError: when the domains' classes are not the same.
    """
    every = (*sources, *targets)
    for found in every:
        if tuple(found.counts) != tuple(every[0].counts):
            raise DataError(
                f"{every[0].data} has the classes {', '.join(every[0].counts)}, and {found.data} has "
                f"{', '.join(found.counts)}",
                "the same classes in sources and targets, for a prompt carries their meaning over",
                "choose other columns with --label, or give the values the same names in the files",
            )
    named = {"name": backbone} | ({"kind": kind} if spelled else {}) | ({"temperature": 0.02} if e5(backbone) else {})
    lines = (*_head(name, named, kind, every), *_body(sources, targets, kind, backbone))
    return "".join(f"{line}\n" for line in lines)


def e5(backbone: str) -> bool:
    """Say whether a backbone is of the E5 family: trained with a word before every text, cosines close together.

    Example:
        >>> e5("e5-small"), e5("intfloat/multilingual-e5-small"), e5("minilm-l6")
        (True, True, False)
    """
    return re.search(r"(^|\W)e5\b", backbone.lower()) is not None


def shares(targets: Sequence[Sketch]) -> tuple[float, int, int]:
    """Return the share for validation, and rows per class to train on and to choose by, that every target has.

    Example:
        >>> from types import SimpleNamespace as Some
        >>> shares([Some(fewest=1000)]), shares([Some(fewest=30)])
        ((0.1, 32, 16), (0.2, 17, 5))
    """
    fewest = min(found.fewest for found in targets)
    validation = 0.1 if fewest >= 200 else 0.2
    return (
        validation,
        max(1, min(32, int(fewest * (0.8 - validation)) - 1)),
        max(1, min(16, int(fewest * validation) - 1)),
    )


def _head(name: str, backbone: Mapping[str, Any], kind: str, every: Sequence[Sketch]) -> list[str]:
    length = next((size for size in (32, 64, 128) if max(found.tokens for found in every) + 8 <= size), 128)
    warm = [f"# {found.data}: {warning}" for found in every for warning in found.warnings]
    seen = [
        f"# {found.data} ({len(found.texts)} texts): {label} ({found.counts[label]}), as in: {text}"
        for found in every
        for label, text in found.examples.items()
    ]
    return [
        f"# From {every[0].data} to {every[-1].data}: softbridge run {name}.yaml",
        "#",
        *seen,
        *warm,
        f"name: {quoted(name)}",
        "seeds: [0, 1, 2]  # one member of the bank each; three are the fewest that show a spread",
        f"backbone: {quoted({**backbone, 'max_length': length})}  # of the kind {kind}; longer texts are cut",
        "prompt: {kind: soft, length: 10, init: vocabulary}  # init: design starts it from terms of your domains",
    ]


def _body(sources: Sequence[Sketch], targets: Sequence[Sketch], kind: str, backbone: str) -> list[str]:
    validation, shots, chosen = shares(targets)
    wordings = [worded(found, kind, backbone) for found in (*sources, *targets)]
    alike = all(wording == wordings[0] for wording in wordings)
    shared = {"template": wordings[0].template, "labels": dict(wordings[0].labels)} if alike else {}
    lines = [
        f"# `labels` are {MEANT.get(kind, 'names: a linear head is trained beside the prompt')}: improve them first.",
        "domain:  # what all domains share",
        *(f"  {key}: {quoted(value)}" for key, value in shared.items()),
        f"  validation: {validation}  # chooses the checkpoint",
        "  test: 0.2  # touched once, at the end",
    ]
    for section, some in (("sources", sources), ("targets", targets)):
        lines.append(f"{section}:")
        for domain, found in zip(names(sources, targets)[section], some, strict=True):
            wording = wordings[(*sources, *targets).index(found)]
            own = {k: v for k, v in keys(found, wording).items() if k not in shared}
            lines += [f"  {quoted(domain)}:", *(f"    {key}: {quoted(value)}" for key, value in own.items())]
    return [
        *lines,
        f"shots: {shots}  # labelled target rows a class to train on",
        f"validation_shots: {chosen}  # and to choose by",
        "training:",
        "  source: {steps: 100, batch: 8, learning_rate: 0.01, evaluate_every: 20}",
        "  target: {steps: 24, batch: 8, learning_rate: 0.01, evaluate_every: 4}",
        "arms:  # what is compared; softbridge ls bridges shows more",
        *(["  no prompt: {bridge: none}"] if kind in MEANT else []),
        "  reuse: {bridge: reuse}  # the source prompt unchanged",
        "  scratch: {bridge: scratch}  # the target alone",
        "  scratch at both budgets: {bridge: scratch, budget: combined}  # with the source's steps too",
        "  spot: {bridge: spot}  # from the source prompt on",
    ]


def names(sources: Sequence[Sketch], targets: Sequence[Sketch]) -> dict[str, list[str]]:
    """Return a name for each domain: its file's, told apart where two are the same."""
    found: dict[str, list[str]] = {"sources": [], "targets": []}
    for section, some in (("sources", sources), ("targets", targets)):
        for one in some:
            stem = re.sub(r"[^\w.-]+", "_", re.split(r"[/\\]", one.data.rstrip("/\\"))[-1].rsplit(".", 1)[0]) or section
            taken = [*found["sources"], *found["targets"]]
            found[section].append(stem if stem not in taken else f"{stem}-{len(taken) + 1}")
    return found


def quoted(value: Any) -> str:
    """Return a value as YAML reads it on one line: JSON, and plain words without quotes.

    Example:
        >>> print(quoted({"labels": "a: b"}), quoted("minilm-l6"))
        {labels: "a: b"} minilm-l6
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(key)}: {quoted(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str) and re.fullmatch(r"[^\W\d][\w./-]*", value) and value.lower() not in PLAIN:
        return value
    return json.dumps(value, ensure_ascii=False)


PLAIN = {
    "null",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "nan",
    "inf",
}  # words that YAML may read otherwise
