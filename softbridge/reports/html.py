"""One page that holds a report whole: readable without network, on a phone, in the dark, and without scripts."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import softbridge
from softbridge.losses.formulas import FORMULAS
from softbridge.records import Record
from softbridge.reports import details, plots, tables
from softbridge.reports.findings import findings, how_chosen, seeds_of
from softbridge.reports.grid import listed
from softbridge.reports.studies import Study, gather
from softbridge.reports.styles import Styles

LOSSES = {"L_pre": "Pretraining", "L_fine": "Fine-tuning"}


def page(records: Iterable[Record]) -> str:
    """Return the records' report as one HTML page; the same records make the same page, byte for byte."""
    room = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(room),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = [part(study) for study in gather(records)]
    return environment.get_template("page.html.j2").render(parts=parts, version=softbridge.__version__)


def part(study: Study) -> dict[str, Any]:
    """Return all that the page says of a study, under the names that the template uses."""
    styles = Styles(study)
    return {
        "study": study,
        "mark": f"s{study.digest[:8]}",
        "swatches": {arm: styles.swatch(arm) for arm in study.arms},
        "subtitle": subtitle(study),
        "seeds": listed(seeds_of(study)),
        "chosen_by": how_chosen(study),
        "findings": findings(study),
        "results": tables.results(study),
        "gains": tables.gains(study),
        "bars": drawings(study, partial(plots.gain_bars, study)),
        "curves": {name: drawings(study, partial(curve, study, name)) for name in plots.QUANTITIES},
        "losses": [loss(study, name, title) for name, title in LOSSES.items()],
        "grids": {
            name: getattr(details, name)(study)
            for name in ("differences", "checkpoints", "metrics", "budget", "data", "seeds", "versions")
        },
        "notes": details.data_notes(study),
        "recipe": yaml(study.newest.recipe),
        "references": details.references(study),
        "bibtex": details.bibtex(study.records),
    }


def subtitle(study: Study) -> str:
    """Say in one line what was run on what."""
    newest = study.newest
    sources = list(dict.fromkeys(name for record in study.records for name in record.sources))
    way = f"from {listed(sources)} to {listed(study.targets)}" if sources else f"on {listed(study.targets)}"
    kind, length = newest.prompt.get("kind"), newest.prompt.get("length")
    name = str(newest.backbone.get("name"))
    model = Path(name).name if name.startswith((".", "/", "~")) else name
    return f"A {kind} prompt of length {length} on {model}, {way}; seeds {listed(seeds_of(study))}."


def curve(study: Study, quantity: str, target: str) -> Markup | None:
    """Draw a curve, its arguments in the order the page asks for them."""
    return plots.curve(study, target, quantity)


def drawings(study: Study, draw: Any) -> dict[str, Markup]:
    """Return a drawing a target, where there is something to draw."""
    return {target: drawing for target in study.targets if (drawing := draw(target))}


def loss(study: Study, name: str, title: str) -> dict[str, Any]:
    """Return a loss formulation: the forms that were used (all forms where none was), and the measured values."""
    used = {str(entry.get("name")) for record in study.records for entry in record.losses}
    forms = [key for key in FORMULAS if key.split("/")[0] == name]
    chosen = [key for key in forms if key in used] or forms
    shown = [(FORMULAS[key], Markup(FORMULAS[key].mathml)) for key in chosen]
    return {"name": name, "title": title, "forms": shown, "measured": details.losses(study, name)}


def yaml(recipe: dict[str, Any]) -> str:
    """Return a recipe as YAML, its keys in their order."""
    from ruamel.yaml import YAML

    text = io.StringIO()
    writer = YAML()
    writer.width = 110
    writer.dump(recipe, text)
    return text.getvalue()
