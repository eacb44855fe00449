"""Write a report: the page, the table as Markdown, and every number as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from softbridge import whole
from softbridge.records import read
from softbridge.reports import html, tables


@dataclass(frozen=True)
class Report:
    """Hold where a report lies.

    Arguments:
        html: the page.
        csv: every score, one line each.
        markdown: the tables.
    """

    html: Path
    csv: Path
    markdown: Path


def write(folders: Sequence[Path], out: Path) -> Report:
    """Write the report of all records under the folders.

    Arguments:
        folders: folders of studies, or of records.
        out: the folder to write to; what lies there under the same names is replaced.

    Returns:
        The files `index.html`, `table.csv` and `table.md`.

    Raises:
        StudyError: when a folder holds no record, or a damaged one.
    """
    records = read(folders)
    report = Report(out / "index.html", out / "table.csv", out / "table.md")
    whole.write(report.csv, tables.comma_separated(records))
    whole.write(report.markdown, tables.markdown(records))
    whole.write(report.html, html.page(records))
    return report
