"""`softbridge report`: tables and pages from records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import console, say

EXAMPLE = "softbridge report runs/quickstart runs/other --out comparison"


def command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Study folders, or folders of records.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; DIR/report for one folder, else report.")
    ] = None,
) -> None:
    """Print and write the results of studies. They are written as CSV, Markdown and one HTML page."""
    from softbridge import records, reports
    from softbridge.reports import tables

    found = records.read(folders)
    tables.terminal(found, console())
    written = reports.write(folders, out or (folders[0] / "report" if len(folders) == 1 else Path("report")))
    say(f"report: {written.html}\ncsv: {written.csv}\nmarkdown: {written.markdown}")
