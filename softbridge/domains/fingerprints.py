"""Fingerprints of what a model is shown: the same texts and labels in the same order, on any machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from datasets import Dataset


def fingerprint(rows: Dataset) -> str:
    """Return the sha256, in hexadecimal, over a split's texts and labels in order, and its answers where it has some.

    Arguments:
        rows: the columns `text` (template filled) and `label`, and `answer` where that is free text.

    Example:
        >>> one, two = Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}), {"text": ["b", "a"], "label": [1, 0]}
        >>> fingerprint(one) == fingerprint(Dataset.from_dict(two))
        False
    """
    digest = hashlib.sha256()
    columns = [rows["text"][:], *([rows["answer"][:]] if "answer" in rows.column_names else [])]
    for label, *texts in zip(rows["label"][:], *columns, strict=True):
        for content in map(str.encode, texts):
            # The length stands before the text, so that no text can pass for the border between two rows.
            digest.update(f"{label} {len(content)} ".encode() + content)
    return digest.hexdigest()


def combined(fingerprints: Mapping[str, str]) -> str:
    """Return one fingerprint of several named ones.

    Example:
        >>> combined({"train": "ab", "test": "cd"}) == combined({"train": "cd", "test": "ab"})
        False
    """
    lines = (f"{name} {value}\n" for name, value in fingerprints.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
