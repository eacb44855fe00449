"""Compare two domains by their classes: a prompt carried over knows no label that its source did not have."""

from __future__ import annotations

from collections.abc import Collection


def label_overlap(a: Collection[str], b: Collection[str]) -> float:
    """Return the share of classes that both have: `|A and B| / |A or B|` (Jaccard), case and outer blanks aside.

    Arguments:
        a: one domain's class names, or label words.
        b: the other's.

    Returns:
        A number in 0..1; 0 where neither has a class.

    Example:
        >>> label_overlap(["positive", "negative"], ["Negative", "neutral", "positive"])
        0.6666666666666666
    """
    ours, theirs = ({name.strip().casefold() for name in names} for names in (a, b))
    return len(ours & theirs) / max(1, len(ours | theirs))
