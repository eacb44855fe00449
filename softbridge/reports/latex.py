r"""The tables for a paper: LaTeX with booktabs (`\usepackage{booktabs}`), one table each, ready to be input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from softbridge.records import Record
from softbridge.reports.across import ranking
from softbridge.reports.grid import MINUS, NOTHING, Cell, Grid
from softbridge.reports.heatmap import plain
from softbridge.reports.shots import rows
from softbridge.reports.studies import gather
from softbridge.reports.tables import gains, results

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    MINUS: "$-$",
    NOTHING: "--",
    "\n": " ",
}


def latex(records: Iterable[Record]) -> str:
    """Return the tables of each study as LaTeX: results, gains, standings, and the transfer matrices."""
    parts = ["% \\usepackage{booktabs}"]
    studies = gather(records)
    for study in studies:
        of = f" ({told})" if (told := rows(study, studies)) else ""
        made = filter(None, [results(study), gains(study), ranking(study), *plain(study)])
        parts += [
            table(replace(one, title=one.title + of), f"tab:{study.digest[:8]}-{i}") for i, one in enumerate(made)
        ]
    return "\n\n".join(parts) + "\n"


def table(made: Grid, label: str) -> str:
    """Return one grid as a table."""
    lines = [" & ".join(map(escaped, made.head)), *(" & ".join(map(written, row)) for row in made.rows)]
    head, *rows = [f"{line} \\\\" for line in lines]
    columns = "l" * made.words + "r" * (len(made.head) - made.words)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(made.title)}. {escaped(made.note)}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def written(cell: Cell) -> str:
    """Return a cell; the best of a column is bold, a detail stands behind it in brackets."""
    text = rf"\textbf{{{escaped(cell.text)}}}" if cell.best else escaped(cell.text)
    return f"{text} ({escaped(cell.detail)})" if cell.detail else text


def escaped(text: str) -> str:
    r"""Return a text that LaTeX prints as it is.

    Example:
        >>> print(escaped("50 % of a_b"), escaped("\N{MINUS SIGN}0.5"))
        50 \% of a\_b $-$0.5
    """
    return "".join(SPECIAL.get(sign, sign) for sign in text)
