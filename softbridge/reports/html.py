"""One page that holds a report whole: no network, on a phone, in the dark; without scripts there are no filters."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import jinja2
from markupsafe import Markup

import softbridge
from softbridge.losses.formulas import FORMULAS, OBJECTIVES
from softbridge.records import Record
from softbridge.records.likeness import Likeness
from softbridge.reports import details, figures, heatmap, likened, plots, rounds, shots, stages, tables
from softbridge.reports.across import ranking
from softbridge.reports.drawing import Drawing
from softbridge.reports.findings import findings, how_chosen, seeds_of
from softbridge.reports.grid import listed
from softbridge.reports.matrix import matrices
from softbridge.reports.studies import METRICS, Study, gather, in_order
from softbridge.reports.styles import Styles

Part: TypeAlias = dict[str, Any]
LOSSES = {"L_pre": "Pretraining", "L_fine": "Fine-tuning"}


def page(records: Iterable[Record], likenesses: Iterable[Likeness] = ()) -> str:
    """Return the records' report as one HTML page; the same records make the same page, byte for byte."""
    return render(parts(records, likenesses))


def parts(records: Iterable[Record], likenesses: Iterable[Likeness] = ()) -> list[Part]:
    """Return what the page says of each study.

    Arguments:
        records: the records, of one study or of several.
        likenesses: what was measured of how like the studies' sources are to their targets.
    """
    studies, known = gather(records), list(likenesses)
    return [part(study, studies, known) for study in studies]


def render(parts: Sequence[Part]) -> str:
    """Return the page. Its one script is let run by its digest, so no other could, and nothing is fetched."""
    room = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(room),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # menus stand in the order of the data
    script = (room / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        parts=parts, script=Markup(script), script_digest=digest, version=softbridge.__version__
    )


def part(study: Study, studies: Sequence[Study] = (), likenesses: Sequence[Likeness] = ()) -> Part:
    """Return all that the page says of a study, under the names that the template uses."""
    styles = Styles(study)
    return {
        "study": study,
        "mark": f"s{study.digest[:8]}",
        "swatches": {arm: styles.swatch(arm) for arm in study.arms},
        "subtitle": subtitle(study),
        "rows": shots.rows(study, studies),
        "seeds": listed(seeds_of(study)),
        "chosen_by": how_chosen(study),
        "findings": findings(study),
        "measured": measured(study),
        "metric": METRICS[study.metric].label,
        "results": {name: tables.results(study, name) for name in measured(study)},
        "gains": {name: tables.gains(study, name) for name in measured(study)},
        "rankings": {
            name: table for name in study.measured if METRICS[name].best > 0 and (table := ranking(study, name))
        },
        "ranks": figures.differences(study),
        "matrix": heatmap.data(study, measured(study)),
        "matrices": heatmap.plain(study),
        "likeness": likeness(study, likenesses),
        "shots": few_shot(study, studies),
        "rounds": drawings(study, partial(rounds.progress, study)),
        "tried": [table for table in (rounds.summary(study), rounds.proposals(study)) if table],
        "bars": drawings(study, partial(plots.gain_bars, study)),
        "curves": {name: drawings(study, partial(curve, study, name)) for name in plots.QUANTITIES},
        "losses": [loss(study, name, title) for name, title in LOSSES.items()],
        "stages": stages.diagram(study),
        "grids": {
            name: getattr(details, name)(study)
            for name in ("differences", "checkpoints", "metrics", "budget", "data", "seeds", "versions")
        },
        "notes": details.data_notes(study),
        "recipe": yaml(study.newest.recipe),
        "references": details.references(study),
        "bibtex": details.bibtex(study.records),
    }


def measured(study: Study) -> dict[str, str]:
    """Return the metrics that a study measured, with their labels."""
    return {name: METRICS[name].label for name in study.measured}


def likeness(study: Study, likenesses: Sequence[Likeness]) -> list[dict[str, Any]]:
    """Return for each matrix how likeness and gain go together; nothing where no likeness was measured."""
    values = likened.of(study, likenesses)
    found = []
    for matrix in matrices(study) if values else ():
        drawn = {name: figures.likeness(study, matrix, name, known) for name, known in values.items()}
        kept = {name: drawing for name, drawing in drawn.items() if drawing}
        if kept:
            found.append({"arm": matrix.arm, "drawings": kept, "table": likened.correlations(matrix, values)})
    return found


def few_shot(study: Study, studies: Sequence[Study]) -> dict[str, Drawing]:
    """Return a few-shot curve a target, where the study was run with several numbers of labelled rows."""
    group = shots.siblings(study, studies)
    if len(group) < 2:
        return {}
    return drawings(study, lambda target: figures.few_shot(study, target, shots.curves(group, target)))


def subtitle(study: Study) -> str:
    """Say in one line what was run on what."""
    newest = study.newest
    sources = in_order(newest.recipe.get("sources"), (name for record in study.records for name in record.sources))
    way = f"from {listed(sources)} to {listed(study.targets)}" if sources else f"on {listed(study.targets)}"
    kind, length = newest.prompt.get("kind"), newest.prompt.get("length")
    name = str(newest.backbone.get("name"))
    model = Path(name).name if name.startswith((".", "/", "~")) else name
    return f"A {kind} prompt of length {length} on {model}, {way}; seeds {listed(seeds_of(study))}."


def curve(study: Study, quantity: str, target: str) -> Drawing | None:
    """Draw a curve, its arguments in the order the page asks for them."""
    return plots.curve(study, target, quantity)


def drawings(study: Study, draw: Callable[[str], Drawing | None]) -> dict[str, Drawing]:
    """Return a drawing a target, where there is something to draw."""
    return {target: drawing for target in study.targets if (drawing := draw(target))}


def loss(study: Study, name: str, title: str) -> dict[str, Any]:
    """Return a loss formulation: the forms that were used (all forms where none was), and the measured values."""
    used = {str(entry.get("name")) for record in study.records for entry in record.losses}
    forms = [key for key in FORMULAS if key.split("/")[0] == name]
    chosen = [key for key in forms if key in used] or forms
    terms = {str(entry.get("term")) for record in study.records for entry in record.losses}
    rows = [OBJECTIVES[key] for key in OBJECTIVES if name == "L_pre" and key in terms]
    shown = [(form, Markup(form.mathml)) for form in (*(FORMULAS[key] for key in chosen), *rows)]
    tables = {"measured": details.losses(study, name), "epochs": stages.by_epoch(study, name)}
    return {"name": name, "title": title, "forms": shown, **tables}


def yaml(recipe: dict[str, Any]) -> str:
    """Return a recipe as YAML, its keys in their order."""
    from ruamel.yaml import YAML

    text = io.StringIO()
    writer = YAML()
    writer.width = 110
    writer.dump(recipe, text)
    return text.getvalue()


def drawn(value: Any) -> Iterator[Drawing]:
    """Yield the drawings in a part of a page, at any depth."""
    if isinstance(value, Drawing):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from drawn(inner)
