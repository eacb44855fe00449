"""Figures over all targets: the matrix, likeness against gain, ranks with a critical difference, few-shot curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from softbridge.reports.across import across, cliques
from softbridge.reports.drawing import INK, LOOK, MUTE, RULE, Drawing, finish, sheet
from softbridge.reports.grid import number
from softbridge.reports.likened import correlation, points
from softbridge.reports.matrix import MEASURES, Matrix
from softbridge.reports.plots import beside, short
from softbridge.reports.shots import Curve
from softbridge.reports.studies import METRICS, Study
from softbridge.reports.styles import LIGHT, Styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def heat(study: Study, matrix: Matrix, measure: str = "gain") -> Drawing:
    """Draw a matrix, sources down and targets across, the alike ones beside each other; blue is good, orange is bad."""
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap

    rows, columns = matrix.order()
    values, look = matrix.values(measure)[rows][:, columns], MEASURES[measure]
    centre, most = scale(values, look.centre)
    ramp = ["#e08a3c", "#ffffff", "#4b94cf"] if look.up else ["#4b94cf", "#ffffff", "#e08a3c"]
    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(
            (left := beside(matrix.sources) + 0.25) + 0.1 + 0.62 * len(columns),
            1.3 + 0.36 * len(rows),
            left,
            bottom=1.2,
        )
        colours = LinearSegmentedColormap.from_list("worth", ramp)
        axes.imshow(values, cmap=colours, vmin=centre - most, vmax=centre + most, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            axes.text(j, i, number(float(value), look.digits), ha="center", va="center", fontsize=8, color=INK)
        axes.set_yticks(range(len(rows)), [short(matrix.sources[i]) for i in rows])
        axes.set_xticks(range(len(columns)), [short(matrix.targets[j]) for j in columns], rotation=30, ha="right")
        axes.spines[:].set_visible(False)
        axes.set_xlabel("target")
        axes.set_ylabel("source")
        told = f"{look.label} of {matrix.arm}, source by target"
        return finish(figure, study, f"matrix of {matrix.arm}, {look.label}", told)


def scale(values: np.ndarray, centre: float | None) -> tuple[float, float]:
    """Return the value without colour, and how far from it the colour is full.

    Example:
        >>> scale(np.array([[0.5, float("nan")], [1.0, 0.75]]), None), scale(np.array([[-2.0, 1.0]]), 0.0)
        ((0.75, 0.25), (0.0, 2.0))
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return centre or 0.0, 1.0
    middle = float(known.min() + known.max()) / 2 if centre is None else centre
    return middle, float(np.abs(known - middle).max()) or 1.0


def likeness(study: Study, matrix: Matrix, measure: str, values: Mapping[str, Mapping[str, float]]) -> Drawing | None:
    """Draw a measure of likeness against the gain, a dot a source and target; None where nothing can be compared."""
    found = points(matrix, values)
    if sum(map(len, found.values())) < 2:
        return None
    import matplotlib

    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(5.6, 3.1, right=1.3)
        axes.axhline(0, color=INK, linewidth=0.8)
        for place, (target, pairs) in enumerate(found.items()):
            at = study.targets.index(target)
            colour, marker = LIGHT[f"--arm{place % 6}"], "osD^vP"[place // 6 % 6]
            x, y = [close for _, close, _ in pairs], [gain for _, _, gain in pairs]
            axes.scatter(x, y, s=18, color=colour, marker=marker, label=short(target), gid=f"target-{at}")
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes.grid()
        axes.set_xlabel(f"likeness by {measure}")
        axes.set_ylabel("gain over scratch")
        r = [correlation(pairs)[0] for pairs in found.values()]
        told = f"likeness by {measure} against gain; r by target: " + ", ".join(
            f"{target} {number(value)}" for target, value in zip(found, r, strict=True)
        )
        return finish(figure, study, f"likeness by {measure} against gain of {matrix.arm}", told)


def differences(study: Study, metric: str = "") -> Drawing | None:
    """Draw the mean ranks of all arms, and a bar over those that cannot be told apart; None where there are no ranks.

    *Reference*: Demsar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 2006.
    """
    metric = metric or study.metric
    found = across(study, metric)
    if found is None or len(found.arms) < 3:
        return None
    import matplotlib

    ranks = [arm.rank for arm in found.arms]
    bars = cliques(ranks, found.critical)
    half = (len(ranks) + 1) // 2
    depth = 0.22 * half + 0.14 * len(bars)
    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(8.6, 1.0 + depth, 0, 0, 0, 0)
        axes.set_xlim(1 - 0.6 * (len(ranks) - 1), len(ranks) + 0.6 * (len(ranks) - 1))
        axes.set_ylim(depth + 0.2, -0.55)
        axes.axis("off")
        rule(axes, len(ranks), found.critical)
        styles = Styles(study).table
        for place, arm in enumerate(found.arms):
            left = place < half
            y = 0.14 * len(bars) + 0.22 * (1 + (place if left else len(ranks) - 1 - place))
            end = 0.7 if left else len(ranks) + 0.3
            colour = styles[arm.name].colour
            axes.plot(
                [arm.rank, arm.rank, end],
                [0, y, y],
                color=colour,
                linewidth=1.1,
                gid=f"arm-{study.arms.index(arm.name)}",
            )
            words = f"{short(arm.name)}  {number(arm.rank, 1)}"
            axes.text(end, y, f" {words} ", ha="right" if left else "left", va="center", fontsize=9, color=colour)
        for place, (first, last) in enumerate(bars):
            y = 0.1 + 0.14 * place
            axes.plot([ranks[first] - 0.04, ranks[last] + 0.04], [y, y], color=INK, linewidth=3, solid_capstyle="round")
        told = "Mean rank over targets: " + "; ".join(f"{arm.name} {number(arm.rank, 1)}" for arm in found.arms)
        return finish(figure, study, f"mean ranks by test {METRICS[metric].label}", told)


def rule(axes: Axes, arms: int, critical: float) -> None:
    """Draw the axis of ranks, and the critical difference above it."""
    axes.plot([1, arms], [0, 0], color=INK, linewidth=0.9)
    step = max(1, round(arms / 9))
    for rank in range(1, arms + 1, step):
        axes.plot([rank, rank], [0, -0.06], color=INK, linewidth=0.9)
        axes.text(rank, -0.09, str(rank), ha="center", va="bottom", fontsize=8)
    shown = min(critical, arms - 1)
    axes.plot([1, 1 + shown], [-0.33, -0.33], color=MUTE, linewidth=1.6)
    more = "" if shown == critical else ", more than all"
    axes.text(
        1, -0.37, f"critical difference {number(critical, 1)}{more}", ha="left", va="bottom", fontsize=8, color=MUTE
    )


def few_shot(study: Study, target: str, curves: Mapping[str, Curve], metric: str = "") -> Drawing | None:
    """Draw the scores on a target by the number of labelled rows: the mean of the seeds, and a band of all of them."""
    metric = metric or study.metric
    if not curves:
        return None
    import matplotlib

    ticks = sorted({n for curve in curves.values() for n in curve.shots}, key=lambda n: (n is None, n or 0))
    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(5.0, 3.1)
        styles = Styles(study).table
        for arm, curve in curves.items():
            style, place = styles[arm], study.arms.index(arm)
            x, means = [ticks.index(n) for n in curve.shots], [sum(v) / len(v) for v in curve.scores]
            dash: Any = (0, style.dash) if style.dash else "-"
            axes.fill_between(
                x,
                [min(v) for v in curve.scores],
                [max(v) for v in curve.scores],
                color=style.colour,
                alpha=0.12,
                linewidth=0,
                gid=f"band-{place}",
            )
            axes.plot(
                x,
                means,
                color=style.colour,
                linestyle=dash,
                marker=style.marker,
                markersize=4,
                linewidth=1.8,
                gid=f"arm-{place}",
            )
        axes.set_xticks(range(len(ticks)), ["all" if n is None else f"{n:,}" for n in ticks])
        axes.grid(axis="y", color=RULE)
        axes.set_xlabel("labelled rows of each class")
        axes.set_ylabel(f"test {METRICS[metric].label}")
        told = "; ".join(f"{arm} {listed_means(curve)}" for arm, curve in curves.items())
        return finish(figure, study, f"test {METRICS[metric].label} on {target} by labelled rows", told)


def listed_means(curve: Curve) -> str:
    """Return a curve's points in words."""
    pairs = zip(curve.shots, curve.scores, strict=True)
    return ", ".join(f"{'all' if n is None else n}: {number(sum(v) / len(v))}" for n, v in pairs)
