"""How an arm is drawn: colour for arms that carry a source prompt, shades of the text for the controls.

Colours are names of CSS variables, which the page sets for light and for dark; they are told apart with every common
colour blindness (Okabe and Ito), and dash and marker tell the arms apart without colour.
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


@dataclass(frozen=True)
class Style:
    """Hold an arm's look.

    Arguments:
        variable: the CSS variable of its colour.
        dash: lengths on and off, in points; empty for a solid line.
        marker: its marker, as matplotlib names it; empty for none.
        key: a colour that stands for the variable until the drawing is finished.
    """

    variable: str
    dash: tuple[float, ...]
    marker: str
    key: str


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
            looks[arm] = Style(variable, dash, "", key(len(looks)))
        for place, arm in enumerate(study.carried):
            dash = DASHES[place // COLOURS % len(DASHES)]
            looks[arm] = Style(f"--arm{place % COLOURS}", dash, MARKERS[place % COLOURS], key(len(looks)))
        return looks

    def swatch(self, arm: str) -> Markup:
        """Return a short line in the arm's look, as inline SVG."""
        style = self.table[arm]
        dash = f";stroke-dasharray:{' '.join(map(str, style.dash))}" if style.dash else ""
        dot = f'<circle cx="13" cy="5" r="2.6" style="fill:var({style.variable})"/>' if style.marker else ""
        line = f'<line x1="1" x2="25" y1="5" y2="5" style="stroke:var({style.variable});stroke-width:2{dash}"/>'
        return Markup(f'<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">{line}{dot}</svg>')


def key(place: int) -> str:
    """Return a colour no theme uses, to find again in the finished drawing."""
    return f"#fe{place:02x}fe"
