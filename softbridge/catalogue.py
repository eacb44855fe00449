"""Look a name up in a literal table, and answer a wrong name with the nearest right one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from softbridge.errors import SoftbridgeError, nearest

Entry = TypeVar("Entry")


def look_up(table: Mapping[str, Entry], name: str, what: str, lists: str = "") -> Entry:
    """Return the table's entry of that name.

    Arguments:
        table: the literal table.
        name: the name to find.
        what: what the table holds, in the singular, for the message ("bridge").
        lists: the command that lists it; `softbridge ls` and the plural by default.

    Raises:
        SoftbridgeError: when the table has no such name.

    Example:
        >>> look_up({"spot": 1, "reuse": 2}, "spot", "bridge")
        1
    """
    if name in table:
        return table[name]
    every = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    raise SoftbridgeError(
        f"there is no {what} named '{name}'{nearest(name, table)}",
        f"one of: {', '.join(table)}",
        f"choose one of these names, or see `{lists or f'softbridge ls {every}'}`",
    )
