"""Write a report: the page, the tables as Markdown and LaTeX, every number as CSV, and each figure as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from softbridge import whole
from softbridge.records import likeness, read
from softbridge.reports import heatmap, html, latex, tables


@dataclass(frozen=True)
class Report:
    """Hold where a report lies.

    Arguments:
        html: the page.
        csv: every score, one line each.
        markdown: the tables.
        latex: the tables for a paper.
        figures: the folder of the figures, where they were asked for.
    """

    html: Path
    csv: Path
    markdown: Path
    latex: Path
    figures: Path | None = None


def write(folders: Sequence[Path], out: Path, figures: bool = False) -> Report:
    """Write the report of all records under the folders.

    Arguments:
        folders: folders of studies, or of records.
        out: the folder to write to; what lies there under the same names is replaced.
        figures: whether to write each figure of the page as SVG and as PDF too.

    Returns:
        The files `index.html`, `table.csv`, `table.md` and `table.tex`, and the folder `figures`.

    Raises:
        StudyError: when a folder holds no record, or a damaged one.
    """
    records = read(folders)
    html_file, csv, markdown, tex = (out / name for name in ("index.html", "table.csv", "table.md", "table.tex"))
    report = Report(html_file, csv, markdown, tex, out / "figures" if figures else None)
    whole.write(report.csv, tables.comma_separated(records))
    whole.write(report.markdown, tables.markdown(records))
    whole.write(report.latex, latex.latex(records))
    parts = html.parts(records, likeness.found(folders))
    whole.write(report.html, html.render(parts))
    for part in parts if report.figures else ():
        for drawing in (*html.drawn(part), *heatmap.drawings(part["study"])):
            drawing.save(out / "figures" / part["study"].digest[:8])
    return report
