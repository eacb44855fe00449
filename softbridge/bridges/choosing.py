"""Choose sources: the one that was named, the only one there is, or the most similar ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from softbridge.bridges.base import Shore
from softbridge.bridges.vocabularies import Pair
from softbridge.errors import BridgeError, SoftbridgeError, nearest
from softbridge.similarity.geometry import SIMILARITIES


def only_source(named: str | None, sources: Iterable[str]) -> str:
    """Return the named source, or the only one.

    Raises:
        SoftbridgeError: when the name is none of the sources, or none is named and there are several.

    Example:
        >>> only_source(None, ["movies"]), only_source("news", ["movies", "news"])
        ('movies', 'news')
    """
    there = list(sources)
    if named is None and len(there) == 1:
        return there[0]
    if named in there:
        return str(named)
    seen = "no source is named" if named is None else f"there is no source '{named}'{nearest(named, there)}"
    raise SoftbridgeError(seen, f"one of: {', '.join(there)}", f"write source: {there[0] if there else 'NAME'}")


def ranked(shore: Shore, similarity: str) -> dict[str, float]:
    """Return the sources' similarity to the target, the largest first, by their task embeddings."""
    target, measure = shore.embed_target().vectors()[0], SIMILARITIES[similarity]
    close = {name: float(measure(prompt.vectors()[0], target)) for name, prompt in shore.embeddings.items()}
    return dict(sorted(close.items(), key=lambda item: -item[1]))


def told(values: Mapping[str, float]) -> str:
    """Return names with their values, for people.

    Example:
        >>> told({"movies": 0.5})
        'movies 0.500'
    """
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def near_source(shore: Shore, named: str | None, similarity: str) -> tuple[str, str]:
    """Return the named source, the only one, or the most similar one, with a note on why."""
    if named is not None or len(shore.sources) == 1:
        source = only_source(named, shore.sources)
        return source, f"from {source}"
    close = ranked(shore, similarity)
    source = next(iter(close))
    return source, f"from {source}, by {similarity}: {told(close)}"


def paired_source(shore: Shore, named: str | None) -> str:
    """Return the named source, the target's own data on the other model, or the only source."""
    return only_source(named or shore.own, shore.sources)


def pairing(shore: Shore) -> Pair:
    """Return the two models' shared words.

    Raises:
        BridgeError: when there is one model only.
    """
    if shore.pair is None:
        raise BridgeError(
            "there is one backbone", "a source_backbone beside it", "write source_backbone: {name: ...} in the recipe"
        )
    return shore.pair()
