"""A first look at data that nobody has described yet: columns, labels, language, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import DatasetDict

from softbridge.domains.columns import cells, listing
from softbridge.domains.encodings import fitting
from softbridge.domains.readers import HUB, Resolve, locate, read
from softbridge.domains.splits import NAMES
from softbridge.domains.terms import HAN, Language, language
from softbridge.errors import DataError

MOST_CLASSES = 50
TEXT_FILES = (".csv", ".tsv", ".json", ".jsonl")

# What raw labels of two classes commonly say. 0 and 1 say it by custom only, which is told.
SAID: Mapping[str, frozenset[str]] = {
    "negative": frozenset({"negative", "neg", "bad", "rotten", "差评", "负面", "消极", "负"}),
    "positive": frozenset({"positive", "pos", "good", "fresh", "好评", "正面", "积极", "正"}),
}
BY_CUSTOM = ({"0": "negative", "1": "positive"}, {"-1": "negative", "1": "positive"})


@dataclass(frozen=True)
class Sketch:
    """Hold what data looks like.

    Arguments:
        data: its name, as given.
        text: the column of texts.
        label: the column of labels.
        encoding: the encoding that reads it.
        split: the column that says train, validation or test, where there is one.
        classes: raw label value to class name, in class order.
        counts: rows of each class name.
        examples: a short text of each class name.
        language: the texts' language.
        tokens: about how many tokens nineteen of twenty texts do not exceed.
        texts: the texts.
        warnings: what a person should know, one sentence each.
    """

    data: str
    text: str
    label: str
    encoding: str
    split: str | None
    classes: Mapping[str, str]
    counts: Mapping[str, int]
    examples: Mapping[str, str]
    language: Language
    tokens: int
    texts: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def fewest(self) -> int:
        """Return the rows of the smallest class."""
        return min(self.counts.values())


def sketch(data: str, text: str = "text", label: str = "label", resolve: Resolve | None = None) -> Sketch:
    """Look at data, without a model.

    Arguments:
        data: a file, an asset's name, a saved folder, or `hub:org/name`.
        text: the column of texts.
        label: the column of labels.
        resolve: an asset's name to its folder, or None for a name it does not know.

    Raises:
        DataError: when it cannot be read, a column is not there, or the labels are none.
    """
    encoding = guessed_encoding(data, resolve)
    tables = read(data, encoding, resolve)
    texts, raw = cells(tables, text, "the texts (--text)"), cells(tables, label, "the labels (--label)")
    rows = [(t.strip(), r.strip()) for t, r in zip(texts, raw, strict=True) if t and t.strip() and r and r.strip()]
    known = classes_of(Counter(r for _, r in rows), data, label)
    counts = Counter(known[r] for _, r in rows)
    whole = [t for t in texts if t and t.strip()]
    return Sketch(
        data=data,
        text=text,
        label=label,
        encoding=encoding,
        split=own_split(tables),
        classes=known,
        counts={name: counts[name] for name in known.values()},
        examples={name: example([t for t, r in rows if known[r] == name]) for name in known.values()},
        language=language(whole[:500]),
        tokens=longest(whole),
        texts=tuple(whole),
        warnings=tuple(troubles(texts, raw, counts, known, encoding)),
    )


def guessed_encoding(data: str, resolve: Resolve | None) -> str:
    """Return the encoding that reads a text file: UTF-8, or else the likeliest of those that can."""
    if data.startswith(HUB):
        return "utf-8"
    path = locate(data, resolve)
    return fitting(path.read_bytes())[0] if path.is_file() and Path(path).suffix.lower() in TEXT_FILES else "utf-8"


def classes_of(raw: Counter[str], data: str, label: str) -> dict[str, str]:
    """Return raw label value to class name, negative before positive, others in their own order.

    Raises:
        DataError: when there are too few values to tell apart, or too many to be classes.

    Example:
        >>> classes_of(Counter({"好评": 3, "差评": 2}), "a.csv", "label")
        {'差评': 'negative', '好评': 'positive'}
    """
    if not 2 <= len(raw) <= MOST_CLASSES:
        raise DataError(
            f"the column '{label}' of {data} holds {len(raw)} different values: {listing(raw, 5)}",
            f"2 to {MOST_CLASSES} classes",
            "name the column that holds the classes with --label",
        )
    said = {value: next((name for name, words in SAID.items() if value.lower() in words), None) for value in raw}
    if len(raw) == 2 and set(said.values()) == set(SAID):
        return {value: name for name in SAID for value in raw if said[value] == name}
    custom = next((mapping for mapping in BY_CUSTOM if set(mapping) == set(raw)), None)
    return dict(custom) if custom else {value: value for value in sorted(raw)}


def own_split(tables: DatasetDict) -> str | None:
    """Return the column `split`, where its values are names of splits."""
    if not all("split" in table.column_names for table in tables.values()):
        return None
    found = {(cell or "").strip().lower() for cell in cells(tables, "split", "`split`")}
    return "split" if "train" in {NAMES.get(name) for name in found} else None


def longest(texts: Sequence[str]) -> int:
    """Return about how many tokens nineteen of twenty texts do not exceed: one a Chinese character, 4/3 a word.

    Example:
        >>> longest(["three short words"] * 20), longest(["很好"] * 20)
        (4, 2)
    """
    sizes = sorted(round(len(HAN.findall(text)) + 4 / 3 * len(HAN.sub(" ", text).split())) for text in texts)
    return sizes[max(0, -(-19 * len(sizes) // 20) - 1)] if sizes else 0


def example(texts: Sequence[str], width: int = 60) -> str:
    """Return the start of a text that is neither very short nor very long."""
    some = sorted(texts, key=len)
    told = " ".join(some[len(some) // 3].split())
    return told if len(told) <= width else f"{told[: width - 1]}…"


def troubles(
    texts: Sequence[str | None],
    raw: Sequence[str | None],
    counts: Mapping[str, int],
    classes: Mapping[str, str],
    encoding: str,
) -> list[str]:
    """Return what a person should know of the rows, one sentence each."""
    found = []
    if encoding != "utf-8":
        found.append(f"the file is not UTF-8; it reads as {encoding}: look at the examples")
    if blank := sum(not (text and text.strip()) for text in texts):
        found.append(f"{blank} of {len(texts)} rows have no text, and are left out")
    if bare := sum(not (value and value.strip()) for value in raw):
        found.append(f"{bare} rows have no label; they count as unlabelled")
    if again := len(whole := [" ".join(text.split()) for text in texts if text and text.strip()]) - len(set(whole)):
        found.append(f"{again} texts repeat an earlier one; what test holds is taken out of train")
    if min(counts.values()) * 10 < max(counts.values()):
        found.append(f"the classes are uneven: {listing(Counter(counts))}; look at macro-F1 beside accuracy")
    if min(counts.values()) < 20:
        found.append(f"the smallest class has {min(counts.values())} rows; scores on so few rows say little")
    if dict(classes) in BY_CUSTOM:
        found.append(
            f"labels {' and '.join(classes)} are taken for negative and positive: mend `classes` if they are not"
        )
    return found
