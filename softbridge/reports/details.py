"""The tables below the fold of the page: checkpoints, metrics, budget, losses, data, seeds, versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from softbridge.records import Record
from softbridge.reports.grid import NOTHING, Cell, Grid, Line, grid, number, plus_minus, signed, span
from softbridge.reports.statistics import bootstrap, spread
from softbridge.reports.studies import METRICS, Study

STAGES = {
    "pretrain": "pretraining",
    "tune": "tuning",
    "extract": "source",
    "joint": "sources together",
    "adapt": "target",
}


def differences(study: Study, metric: str = "") -> Grid | None:
    """Return each arm's paired comparison with the baseline in full; None where there is no baseline."""
    if study.baseline is None:
        return None
    label = METRICS[metric or study.metric].label
    rows: list[Line] = []
    for target in study.targets:
        for arm in study.arms:
            pair = study.gain(target, arm, metric) if arm != study.baseline else None
            if pair is None:
                continue
            rows.append(
                [
                    target,
                    Cell(arm),
                    plus_minus(pair.spread, sign=True),
                    f"{signed(pair.low)} to {signed(pair.high)}",
                    between(pair.interval),
                    between(bootstrap(pair.differences)),
                    f"{pair.wins} / {pair.ties} / {pair.losses}",
                    signed(100 * pair.error_reduction, 1) + " %",
                    ", ".join(map(str, pair.seeds)),
                ]
            )
    head = ["target", "arm", "mean ± std", "least to most", "95 % interval", "bootstrap", "+ / = / −"]
    head += ["error taken away", "seeds"]
    note = (
        "Paired by seed; + / = / − counts the seeds that are better, the same, worse. The interval is Student's t; it "
        "speaks about new seeds on the same test rows, not about new test rows. The bootstrap's interval (percentiles, "
        "pairs drawn again) is too narrow where seeds are few. Error taken away is "
        "(score − baseline) / (1 − baseline). The arm without a prompt draws nothing, so its one score stands against "
        "every seed."
    )
    return grid(f"Difference to {study.baseline} in test {label}", head, rows, words=2, note=note)


def between(ends: tuple[float, float]) -> str:
    """Write an interval; a dash where there is none.

    Example:
        >>> between((-0.5, 0.25)), between((float("nan"), float("nan")))
        ('−0.500 to +0.250', '–')
    """
    return f"{signed(ends[0])} to {signed(ends[1])}" if ends[0] == ends[0] else NOTHING


def checkpoints(study: Study, metric: str = "") -> Grid:
    """Return best and last checkpoint side by side."""
    metric = metric or study.metric
    rows: list[Line] = []
    for target in study.targets:
        for arm in study.arms:
            record = study.cells.get((target, arm))
            if record is None:
                continue
            best, last = (spread(list(study.scores(target, arm, metric, name).values())) for name in ("best", "last"))
            steps = [span(member[name].get("step") for member in record.members) for name in ("best", "last")]
            rows.append(
                [
                    target,
                    Cell(arm),
                    plus_minus(best),
                    steps[0],
                    plus_minus(last),
                    steps[1],
                    signed(last.mean - best.mean),
                ]
            )
    head = ["target", "arm", "best", "at step", "last", "at step", "last − best"]
    note = f"Test {METRICS[metric].label} of the checkpoint that validation chose, and of the last step that was taken."
    return grid("Best and last checkpoint", head, rows, words=2, note=note)


def metrics(study: Study) -> Grid:
    """Return all metrics at the best checkpoint."""
    rows: list[Line] = []
    for target in study.targets:
        for arm in study.arms:
            if (target, arm) in study.cells:
                values = [spread(list(study.scores(target, arm, name).values())) for name in study.measured]
                rows.append([target, Cell(arm), *(plus_minus(value) for value in values)])
    head = ["target", "arm", *(METRICS[name].label for name in study.measured)]
    note = (
        "Test split, best checkpoint. Of the calibration error and the perplexity less is better; of the others, more."
    )
    return grid("All metrics", head, rows, words=2, note=note)


def budget(study: Study) -> Grid:
    """Return what each arm was given and what it cost; a range where its targets differ."""
    rows: list[Line] = []
    for arm in study.arms:
        records = study.of(arm)
        given = [
            span(r.budget.get(key) for r in records) for key in ("source_steps", "target_steps", "batch", "rows_seen")
        ]
        cost = [
            span((r.cost.get(key) for r in records), d)
            for key, d in (("seconds", 1), ("rows_per_second", 0), ("peak_memory_mb", 0))
        ]
        rows.append([Cell(arm), *given, *cost])
    head = ["arm", "source steps", "target steps", "batch", "rows seen", "seconds", "rows / s", "peak MB"]
    note = (
        "Of one target; “a to b” where targets differ. Steps are of one seed, rows seen of all seeds on "
        "sources and target. Seconds are of training on the target, all seeds together. "
        "Memory is the most that the process had held by then."
    )
    return grid("What each arm was given, and what it took", head, rows, note=note)


def losses(study: Study, name: str) -> Grid | None:
    """Return the measured values of a loss formulation, first to last; None where no stage used it.

    Arguments:
        study: the study.
        name: `"L_pre"` or `"L_fine"`.
    """
    keys = ("stage", "domain", "term", "M", "labelled", "normalise", "steps", "share", "first", "last")
    found: dict[tuple[Any, ...], list[str]] = {}
    for record in by_target(study):
        for loss in record.losses:
            if str(loss.get("name")).split("/")[0] == name:
                told = (*(loss.get(key) for key in keys), tuple(loss.get("perplexity") or ()))
                arms = found.setdefault(told, [])
                arms += [record.arm] if record.arm not in arms else []
    ordered = sorted(found.items(), key=lambda item: item[0][0] == "adapt")
    rows: list[Line] = [
        [
            STAGES.get(stage, str(stage)),
            str(domain),
            Cell(", ".join(arms)),
            str(term).replace("_", " "),
            Cell(span([count]), detail=f"{span([labelled])} labelled" if labelled else ""),
            "labelled rows" if name == "L_fine" or normalise == "labelled" else "all rows",
            span([steps]),
            NOTHING if share is None else f"{100 * share:.1f} %",
            f"{number(first)} → {number(last)}",
            " → ".join(number(value, 2) for value in perplexity) or NOTHING,
        ]
        for (stage, domain, term, count, labelled, normalise, steps, share, first, last, perplexity), arms in ordered
    ]
    letter = "N" if name == "L_pre" else "M"
    head = ["stage", "domain", "arm", "term", letter, f"{letter} counts", "steps", "of the whole", "first → last"]
    note = (
        "Training loss, mean over seeds; a source stage that several arms share is listed once, with their names. "
        "Of the whole: what part of the stage's last loss the term is."
    )
    if any(row[-1] != NOTHING for row in rows):
        head, note = [*head, "perplexity"], f"{note} Perplexity: of held-out text, before and at the chosen step."
    else:
        rows = [row[:-1] for row in rows]
    return grid(f"Measured values of {name}", head, rows, words=4, note=note) if rows else None


def data(study: Study) -> Grid:
    """Return the domains with their sizes and fingerprints."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for record in by_target(study):
        for name, facts in (record.data.get("source") or {}).items():
            found.setdefault(("source", name), facts)
    for record in by_target(study):
        found.setdefault(("target", record.target), record.data.get("target") or {})
    splits = list(dict.fromkeys(split for facts in found.values() for split in facts.get("sizes") or {}))
    rows: list[Line] = []
    for (role, name), facts in found.items():
        sizes, mark = facts.get("sizes") or {}, str(facts.get("fingerprint") or "")
        counts = [span([sizes.get(split)]) for split in splits]
        rows.append([role, Cell(name), Cell(mark[:12] or NOTHING, title=mark), *counts])
    note = "Rows of each split. The fingerprint is the sha256 of all texts and labels."
    return grid("Domains", ["role", "domain", "fingerprint", *splits], rows, words=3, note=note)


def by_target(study: Study) -> list[Record]:
    """Return the records in the order of the recipe's targets and arms."""
    return sorted(study.records, key=lambda record: place(study, (record.target, record.arm)))


def data_notes(study: Study) -> list[str]:
    """Return what was noticed when the domains were opened, each once."""
    notes: dict[str, None] = {}
    for record in by_target(study):
        domains = {**(record.data.get("source") or {}), record.target: record.data.get("target") or {}}
        notes.update(
            dict.fromkeys(f"{name}: {note}" for name, facts in domains.items() for note in facts.get("notes") or ())
        )
    return list(notes)


def seeds(study: Study, metric: str = "") -> Grid:
    """Return every member: its score at both checkpoints, why it stopped, and where its prompt lies."""
    metric = metric or study.metric
    rows: list[Line] = []
    for (target, arm), record in sorted(study.cells.items(), key=lambda cell: place(study, cell[0])):
        for member in record.members:
            best, last = (member[name] for name in ("best", "last"))
            scores = [number((kept.get("test") or {}).get(metric)) for kept in (best, last)]
            prompt = Cell(str(member.get("prompt") or NOTHING))
            words = [str(member.get(key) or NOTHING) for key in ("note", "stopped")]
            rows.append([target, Cell(arm), str(member["seed"]), *scores, *words, prompt])
    head = ["target", "arm", "seed", "best", "last", "start", "stopped", "prompt"]
    return grid(
        "Seed by seed", head, rows, words=8, note=f"Test {METRICS[metric].label}. Prompts lie under the study's folder."
    )


def place(study: Study, cell: tuple[str, str]) -> tuple[int, int]:
    """Return where a target and arm stand in the recipe's order."""
    return study.targets.index(cell[0]), study.arms.index(cell[1])


def versions(study: Study) -> Grid:
    """Return the model, the versions and the device; several values where the records differ."""
    parts = [(r.backbone, "backbone") for r in study.records] + [(r.prompt, "prompt") for r in study.records]
    parts += [(r.provenance, "made with") for r in study.records]
    found: dict[tuple[str, str], dict[str, None]] = {}
    for facts, part in parts:
        for key, value in facts.items():
            found.setdefault((part, key.replace("_", " ")), {})[shown(value)] = None
    rows: list[Line] = [[part, key, Cell("; ".join(values))] for (part, key), values in found.items()]
    return grid("Versions and device", ["part", "what", "value"], rows, words=3)


def shown(value: Any) -> str:
    """Write a fact.

    Example:
        >>> shown(22713216), shown(None), shown("2.13.0")
        ('22,713,216', '–', '2.13.0')
    """
    return (
        NOTHING
        if value is None
        else f"{value:,}"
        if isinstance(value, int) and not isinstance(value, bool)
        else str(value)
    )


def bibtex(records: Iterable[Record]) -> list[str]:
    """Return the bridges' BibTeX entries, each once."""
    return list(dict.fromkeys(text for record in records if (text := str(record.bridge.get("bibtex") or "").strip())))


def references(study: Study) -> list[tuple[str, str]]:
    """Return each arm with what its bridge refers to."""
    return [(arm, text) for arm in study.arms if (text := str(study.of(arm)[0].bridge.get("reference") or ""))]
