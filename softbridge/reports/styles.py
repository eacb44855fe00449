"""How an arm is drawn: colour for arms that carry a source prompt, shades of the text for the controls.

Colours are names of CSS variables, which the page sets for light and for dark; a figure's file has the light ones. They
are told apart with every common colour blindness (Okabe and Ito); dash and marker tell the arms apart without colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from softbridge.reports.studies import Study

SOLID, DASHED, DOTTED, MIXED = (), (6, 3), (1.5, 2.5), (7, 2.5, 1.5, 2.5)
CONTROL_STYLES = (
    ("--ink", SOLID),
    ("--ink", DASHED),
    ("--mute", MIXED),
    ("--mute", DOTTED),
    ("--mute", SOLID),
    ("--mute", DASHED),
)
DASHES = (SOLID, DASHED, MIXED, DOTTED)
COLOURS, MARKERS = 6, "osD^vP"
LIGHT = {  # as in page.css; a test asserts it
    "--ink": "#1c1d1f",
    "--mute": "#6a6d72",
    "--rule": "#d9dad6",
    "--arm0": "#0072b2",
    "--arm1": "#d55e00",
    "--arm2": "#00805e",
    "--arm3": "#b0578d",
    "--arm4": "#a87400",
    "--arm5": "#3a93c9",
}


@dataclass(frozen=True)
class Style:
    """Hold an arm's look.

    Arguments:
        variable: the CSS variable of its colour.
        dash: lengths on and off, in points; empty for a solid line.
        marker: its marker, as matplotlib names it; empty for none.
    """

    variable: str
    dash: tuple[float, ...]
    marker: str

    @property
    def colour(self) -> str:
        """Return its colour in light."""
        return LIGHT[self.variable]


@dataclass(frozen=True)
class Styles:
    """Give each arm of a study its look; the baseline is the solid line in the colour of the text."""

    study: Study

    @cached_property
    def table(self) -> dict[str, Style]:
        """Return the looks by arm."""
        study = self.study
        controls = [arm for arm in study.arms if arm not in study.carried]
        controls.sort(key=lambda arm: arm != study.baseline)
        looks: dict[str, Style] = {}
        for place, arm in enumerate(controls):
            variable, dash = CONTROL_STYLES[place % len(CONTROL_STYLES)]
            looks[arm] = Style(variable, dash, "")
        for place, arm in enumerate(study.carried):
            dash = DASHES[place // COLOURS % len(DASHES)]
            looks[arm] = Style(f"--arm{place % COLOURS}", dash, MARKERS[place % COLOURS])
        return looks

    def swatch(self, arm: str) -> Markup:
        """Return a short line in the arm's look, as inline SVG."""
        style = self.table[arm]
        dash = f";stroke-dasharray:{' '.join(map(str, style.dash))}" if style.dash else ""
        dot = f'<circle cx="13" cy="5" r="2.6" style="fill:var({style.variable})"/>' if style.marker else ""
        line = f'<line x1="1" x2="25" y1="5" y2="5" style="stroke:var({style.variable});stroke-width:2{dash}"/>'
        return Markup(f'<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">{line}{dot}</svg>')
