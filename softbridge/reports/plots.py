"""Training curves and gains, drawn by matplotlib as inline SVG that takes its colours and its font from the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from softbridge.records import Record
from softbridge.reports.drawing import INK, LOOK, Drawing, finish, sheet
from softbridge.reports.grid import number, signed
from softbridge.reports.studies import METRICS, Study
from softbridge.reports.styles import Style, Styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = {
    "validation accuracy": ("validation", "accuracy"),
    "validation perplexity": ("validation", "perplexity"),
    "validation loss": ("validation", "loss"),
    "training loss": ("train_loss", ""),
}


def curve(study: Study, target: str, quantity: str) -> Drawing | None:
    """Draw a quantity of a target over the steps: the mean of each arm's seeds, and a band from the least to the most.

    Arguments:
        study: the study.
        target: the target domain.
        quantity: a name in `QUANTITIES`.

    Returns:
        An SVG; None where no arm measured the quantity. An arm that was not trained is a level line.
    """
    series = {arm: found for arm in study.arms if (found := seeds_over_steps(study.cells.get((target, arm)), quantity))}
    if not series:
        return None
    import matplotlib

    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(5.0, 3.1)
        styles = Styles(study).table
        ordered = sorted(series, key=lambda arm: (arm in study.carried, arm == study.baseline))
        for arm in ordered:
            draw_arm(axes, series[arm], styles[arm], study.arms.index(arm))
        steps = {step for seeds in series.values() for seed in seeds for step in seed}
        spread_steps(axes, [max(max(seed) for seed in seeds) for seeds in series.values()], steps)
        axes.set_xlabel("steps on the target")
        ends = (f"{arm} {number(first)} to {number(last)}" for arm, (first, last) in first_and_last(series).items())
        told = f"{quantity} on {target} by step, mean over seeds: {'; '.join(ends)}"
        return finish(figure, study, f"{quantity} on {target}", told)


def gain_bars(study: Study, target: str, metric: str = "") -> Drawing | None:
    """Draw each arm's mean gain over the baseline on a target as a bar, and each seed's as a dot.

    Returns:
        An SVG; None where no arm can be compared. All targets of a study have the same axis.
    """
    metric = metric or study.metric
    every = {(t, arm): study.gain(t, arm, metric) for t in study.targets for arm in study.arms if arm != study.baseline}
    shown = [(arm, pair) for arm in study.arms if (pair := every.get((target, arm)))]
    if study.baseline is None or not shown:
        return None
    import matplotlib

    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(5.0, 0.75 + 0.33 * len(shown), beside([arm for arm, _ in shown]))
        styles = Styles(study).table
        for row, (arm, pair) in enumerate(shown):
            bar = axes.barh(row, pair.spread.mean, height=0.62, color=styles[arm].colour, alpha=0.3, linewidth=0)
            bar[0].set_gid(f"bar-{study.arms.index(arm)}")
            rows = [row + 0.16 * (i - (len(pair.differences) - 1) / 2) for i in range(len(pair.differences))]
            axes.scatter(
                pair.differences, rows, s=13, color=styles[arm].colour, zorder=3, gid=f"seeds-{study.arms.index(arm)}"
            )
        axes.axvline(0, color=INK, linewidth=1.0)
        axes.set_yticks(range(len(shown)), [short(arm) for arm, _ in shown])
        axes.invert_yaxis()
        most = max(
            [abs(d) for pair in every.values() if pair for d in pair.differences if math.isfinite(d)], default=0.0
        )
        axes.set_xlim(-1.08 * (most or 0.01), 1.08 * (most or 0.01))
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x")
        axes.set_xlabel(f"test {METRICS[metric].label} − {short(study.baseline)}")
        told = f"Gain over {study.baseline} on {target}: " + "; ".join(
            f"{arm} {signed(pair.spread.mean)}, seeds {', '.join(map(signed, pair.differences))}" for arm, pair in shown
        )
        return finish(figure, study, f"gain over {study.baseline} on {target}", told)


def seeds_over_steps(record: Record | None, quantity: str) -> list[dict[int, float]]:
    """Return the quantity by step for each seed of a record; what an untrained arm scored stands at step 0."""
    outer, inner = QUANTITIES[quantity]
    seeds = []
    for member in record.members if record else ():
        looks: list[Mapping[str, Any]] = member.get("history") or [member["best"]]
        values = {
            int(look.get("step") or 0): (look.get(outer) or {}).get(inner) if inner else look.get(outer)
            for look in looks
        }
        kept = {step: float(value) for step, value in values.items() if value is not None}
        seeds += [kept] if kept else []
    return seeds


def carried_on(seeds: list[dict[int, float]]) -> dict[int, list[float]]:
    """Return every seed's value by step; a seed that stopped early keeps its last value, as its prompt does.

    Example:
        >>> carried_on([{0: 0.5, 4: 0.75}, {0: 0.25, 4: 0.5, 8: 1.0}])
        {0: [0.5, 0.25], 4: [0.75, 0.5], 8: [0.75, 1.0]}
    """
    steps = sorted({step for seed in seeds for step in seed})
    begin = max(min(seed) for seed in seeds)
    return {step: [seed[max(s for s in seed if s <= step)] for seed in seeds] for step in steps if step >= begin}


def first_and_last(series: Mapping[str, list[dict[int, float]]]) -> dict[str, tuple[float, float]]:
    """Return the seeds' mean at the first and at the last step, by arm."""
    means = {arm: [sum(values) / len(values) for values in carried_on(seeds).values()] for arm, seeds in series.items()}
    return {arm: (values[0], values[-1]) for arm, values in means.items()}


def draw_arm(axes: Axes, seeds: list[dict[int, float]], style: Style, place: int) -> None:
    """Draw an arm's line and band, or a level line where there is but one step."""
    by_step = carried_on(seeds)
    means = [sum(values) / len(values) for values in by_step.values()]
    dash: Any = (0, style.dash) if style.dash else "-"
    if len(by_step) == 1:
        axes.axhline(means[0], color=style.colour, linestyle=dash, linewidth=1.2, gid=f"arm-{place}")
        axes.plot(list(by_step), means, color=style.colour, marker=style.marker, markersize=4, linestyle="none")
        return
    steps = list(by_step)
    if len(seeds) > 1:
        least, most = ([edge(values) for values in by_step.values()] for edge in (min, max))
        axes.fill_between(
            steps,
            least,
            most,
            color=style.colour,
            alpha=0.18 if style.marker else 0.09,
            linewidth=0,
            gid=f"band-{place}",
        )
    axes.plot(
        steps,
        means,
        color=style.colour,
        linestyle=dash,
        linewidth=1.8,
        marker=style.marker,
        markersize=4,
        gid=f"arm-{place}",
    )


def spread_steps(axes: Axes, ends: list[int], steps: Iterable[int]) -> None:
    """Use a logarithmic axis of steps where one arm is trained far longer than another."""
    trained = [end for end in ends if end > 0]
    axes.grid(axis="y")
    if not trained or max(trained) <= 4 * min(trained):
        return
    smallest = min(step for step in steps if step > 0)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.5)
    fine = (1, 2, 5) if max(trained) <= 100 * smallest else (1,)
    ticks = [m * 10**e for e in range(8) for m in fine if smallest <= m * 10**e <= max(trained)]
    axes.set_xticks([0, *ticks], [f"{tick:,}" for tick in (0, *ticks)])
    axes.minorticks_off()


def short(name: str) -> str:
    """Return a name that fits beside a bar.

    Example:
        >>> short("scratch at both budgets"), short("an arm whose name is a whole sentence")
        ('scratch at both budgets', 'an arm whose name is a …')
    """
    return name if len(name) <= 24 else f"{name[:23]}…"


def beside(names: Iterable[str]) -> float:
    """Return the inches that names take beside an axis."""
    return 0.2 + 0.075 * max((len(short(name)) for name in names), default=0)
