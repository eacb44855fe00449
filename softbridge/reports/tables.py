"""The result and the gain table, for the terminal and as Markdown, and every number as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from softbridge.records import Record
from softbridge.reports.findings import findings, how_chosen, seeds_of
from softbridge.reports.grid import NOTHING, Cell, Grid, Line, grid, listed, plus_minus
from softbridge.reports.shots import called
from softbridge.reports.statistics import spread
from softbridge.reports.studies import METRICS, Study, gather

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = (
    "study",
    "recipe_digest",
    "target",
    "arm",
    "bridge",
    "seed",
    "checkpoint",
    "step",
    "split",
    "metric",
    "value",
)


def results(study: Study, metric: str = "", checkpoint: str = "best") -> Grid:
    """Return the result table: one row an arm, one column a target, the best of each target marked.

    Arguments:
        study: the study.
        metric: a name in `METRICS`; the study's own when left out.
        checkpoint: `"best"` or `"last"`.
    """
    metric = metric or study.metric
    scores = {
        (arm, target): spread(list(values.values()))
        for arm in study.arms
        for target in study.targets
        if (values := study.scores(target, arm, metric, checkpoint))
    }
    tops = {target: top([s.mean for (_, t), s in scores.items() if t == target], metric) for target in study.targets}
    rows: list[Line] = []
    for arm in study.arms:
        cells = [scores.get((arm, target)) for target in study.targets]
        pairs = zip(cells, study.targets, strict=True)
        rows.append(
            [Cell(arm), *(Cell(plus_minus(s), f"{s.mean:.3f}" == tops[t]) if s else Cell(NOTHING) for s, t in pairs)]
        )
    chosen = f"the checkpoint that {how_chosen(study)} chose" if checkpoint == "best" else "the last checkpoint"
    note = (
        f"Mean ± standard deviation over seeds {listed(seeds_of(study))}, at {chosen}; best mean of a target in bold."
    )
    return grid(f"Test {METRICS[metric].label}", ["arm", *study.targets], rows, note=note)


def top(means: list[float], metric: str) -> str:
    """Return the best mean, to the digits that are shown."""
    real = [mean for mean in means if mean == mean]
    best = (max if METRICS[metric].best > 0 else min)(real, default=float("nan"))
    return f"{best:.3f}"


def gains(study: Study, metric: str = "") -> Grid | None:
    """Return the gain table: each arm's paired difference to the baseline; None where there is no baseline."""
    metric = metric or study.metric
    if study.baseline is None:
        return None
    rows: list[Line] = []
    for arm in study.arms:
        if arm == study.baseline:
            continue
        pairs = [study.gain(target, arm, metric) for target in study.targets]
        cells = [
            Cell(plus_minus(p.spread, sign=True), detail=f"{p.wins}/{len(p.seeds)}") if p else Cell(NOTHING)
            for p in pairs
        ]
        rows.append([Cell(arm), *cells])
    note = (
        f"Mean ± standard deviation of the differences, seed by seed, over seeds {listed(seeds_of(study))}; "
        f"k/n: better than {study.baseline} in k of n seeds."
    )
    return grid(f"Gain over {study.baseline} in test {METRICS[metric].label}", ["arm", *study.targets], rows, note=note)


def terminal(records: Iterable[Record], console: Console) -> None:
    """Print the tables of each study and what was found.

    Arguments:
        records: the records, of one study or of several.
        console: where to print.
    """
    from rich.text import Text

    studies = gather(records)
    for study in studies:
        if len(studies) > 1:
            console.print(Text(called(study, studies), style="bold underline"), "")
        for made in filter(None, (results(study), gains(study))):
            console.print(drawn(made), "")
        for found in findings(study):
            console.print(Text(found.verdict, style="bold"))
            console.print(Text(" ".join(found.remarks)), "")
        for record in study.lost:
            console.print(Text(f"{record.arm} on {record.target} has no result: {record.status}", style="red"))


def drawn(made: Grid) -> Table:
    """Return a grid as a table of `rich`; names are taken literally, not as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(made.title),
        caption=Text(made.note),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for place, name in enumerate(made.head):
        table.add_column(Text(name), justify="left" if place < made.words else "right", overflow="fold")
    for row in made.rows:
        table.add_row(
            *(Text.assemble((c.text, "bold" if c.best else ""), (c.detail and f" {c.detail}", "dim")) for c in row)
        )
    return table


def markdown(records: Iterable[Record]) -> str:
    """Return the tables of each study as Markdown."""
    parts = []
    studies = gather(records)
    for study in studies:
        parts.append(f"## {plain(called(study, studies))}")
        parts += [plain(found.verdict) for found in findings(study)]
        parts += [marked(made) for made in (results(study), gains(study)) if made]
        parts += [plain(f"{record.arm} on {record.target} has no result: {record.status}") for record in study.lost]
    return "\n\n".join(parts) + "\n"


def marked(made: Grid) -> str:
    """Return a grid as a Markdown table."""
    lines = [[plain(name) for name in made.head]]
    lines.append(["---" if place < made.words else "---:" for place in range(len(made.head))])
    for row in made.rows:
        texts = [f"**{plain(cell.text)}**" if cell.best else plain(cell.text) for cell in row]
        lines.append(
            [f"{text} ({cell.detail})" if cell.detail else text for text, cell in zip(texts, row, strict=True)]
        )
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{plain(made.title)}**\n\n{table}\n\n{plain(made.note)}"


def plain(text: str) -> str:
    r"""Return a text that Markdown shows as it is.

    Example:
        >>> print(plain("a|b <c> *d*"))
        a\|b &lt;c&gt; \*d\*
    """
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return "".join(f"\\{c}" if c in "\\|*_`[]#" else c for c in safe)


def comma_separated(records: Iterable[Record]) -> str:
    """Return every score of every record as CSV, one line a study, target, arm, seed, checkpoint, split and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        writer.writerows(lines(record))
    return text.getvalue()


def lines(record: Record) -> Iterator[tuple[object, ...]]:
    """Yield a record's scores, one line each."""
    head = (record.study, record.recipe_digest, record.target, record.arm, record.bridge.get("name"))
    for member in record.members:
        for checkpoint in ("best", "last"):
            kept = member[checkpoint]
            for split in ("test", "validation"):
                for metric, value in (kept.get(split) or {}).items():
                    yield (*head, member["seed"], checkpoint, kept.get("step"), split, metric, value)
