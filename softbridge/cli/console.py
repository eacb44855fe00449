"""Where the verbs print: only in the main process of a launch over several."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from softbridge.errors import SoftbridgeError


WIDEST = 1000  # characters of a table's row in a file


def is_main() -> bool:
    """Say whether this is the process that speaks: the only one, or the first of a launch."""
    return os.environ.get("RANK", "0") == "0"


def console(stderr: bool = False, anywhere: bool = False) -> Console:
    """Return where to print; the other processes of a launch print nowhere, unless `anywhere`."""
    from rich.console import Console

    out = Console(stderr=stderr, quiet=not (anywhere or is_main()), highlight=False, emoji=False)
    if not out.file.isatty():  # another program reads a table's row in one line
        out.width = WIDEST
    return out


def say(text: str) -> None:
    """Print text as it is: for other programs to read, rich would fold lines and expand tabs."""
    if is_main():
        print(text)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; no name is cut, a terminal's cells are folded."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table
    from rich.text import Text

    columns = [Column(name, overflow="fold") for name in head]
    shown = Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console().print(shown)


def complain(error: SoftbridgeError, anywhere: bool = False) -> None:
    """Print a user's mistake on stderr, in its three parts."""
    from rich.text import Text

    text = Text.assemble(("error: ", "bold red"), str(error))
    console(True, anywhere).print(text, soft_wrap=True)
