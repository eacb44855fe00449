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
    figures: Annotated[bool, typer.Option("--figures", help="Write each figure as SVG and PDF too.")] = False,
) -> None:
    """Print and write the results of studies. They are written as CSV, Markdown, LaTeX and one HTML page."""
    from softbridge import records, reports
    from softbridge.reports import tables

    found = records.read(folders)
    tables.terminal(found, console())
    place = out or (folders[0] / "report" if len(folders) == 1 else Path("report"))
    written = reports.write(folders, place, figures)
    say(f"report: {written.html}\ncsv: {written.csv}\nmarkdown: {written.markdown}\nlatex: {written.latex}")
    if written.figures:
        say(f"figures: {written.figures}")
