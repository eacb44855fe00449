"""Choose one source: the one that was named, or the only one there is."""

from __future__ import annotations

from collections.abc import Iterable

from softbridge.errors import SoftbridgeError, nearest


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
