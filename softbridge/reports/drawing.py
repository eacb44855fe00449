"""A figure by matplotlib: inline SVG that takes its colours and its font from the page, or a file for a paper."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from softbridge.records.store import slug
from softbridge.reports.studies import Study
from softbridge.reports.styles import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTE, RULE = LIGHT["--ink"], LIGHT["--mute"], LIGHT["--rule"]
LOOK: Any = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": RULE,
    "axes.unicode_minus": True,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.7,
}


class Drawing(Markup):
    """Hold a figure's inline SVG, and the figure."""

    figure: Figure
    name: str

    def save(self, folder: Path) -> None:
        """Write the figure as SVG and as PDF, in the colours of the light page."""
        import matplotlib

        folder.mkdir(parents=True, exist_ok=True)
        self.figure.savefig(folder / f"{self.name}.pdf", metadata={"CreationDate": None})
        with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": self.name}):
            self.figure.savefig(folder / f"{self.name}.svg", metadata={"Date": None})


def sheet(
    width: float, height: float, left: float = 0.68, right: float = 0.1, bottom: float = 0.52, top: float = 0.1
) -> tuple[Figure, Axes]:
    """Return an empty figure that belongs to no window; its size and margins are in inches.

    Margins that are given take half the time of margins that matplotlib finds by drawing everything twice.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    return figure, axes


def finish(figure: Figure, study: Study, title: str, told: str) -> Drawing:
    """Return the figure as SVG for a page: the page's colours and font, ids of its own, a text to be read aloud."""
    import matplotlib

    mark = f"f{hashlib.sha256(f'{study.name}/{study.digest}/{title}'.encode()).hexdigest()[:8]}"
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": mark}):
        figure.savefig(text, format="svg", transparent=True)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)  # it holds the date
    svg = re.sub(r"\b(id=\"|xlink:href=\"#|url\(#)", rf"\g<1>{mark}-", svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would reach the whole page
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans, sans-serif)", svg)
    svg = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: rounded(found[0]), svg)
    for variable, colour in LIGHT.items():
        svg = svg.replace(colour, f"var({variable}, currentColor)")
    box = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box[0] if box else ""}'
    said = f'<title id="{mark}-t">{escape(title)}</title><desc id="{mark}-d">{escape(told)}</desc>'
    body = svg[svg.index(">") + 1 :]
    drawing = Drawing(f'{head} role="img" aria-labelledby="{mark}-t {mark}-d">{said}{body}')
    drawing.figure, drawing.name = figure, slug(title)
    return drawing


def rounded(attribute: str) -> str:
    """Return an attribute with its numbers cut to a hundredth of a point, which is fine enough and half as long.

    Example:
        >>> rounded(' d="M 36.123456 7.2 "')
        ' d="M 36.12 7.2 "'
    """
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute)
