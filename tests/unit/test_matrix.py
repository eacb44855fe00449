"""The transfer matrix in reports, from made-up records whose every figure can be worked out by hand."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import replace

import numpy as np
import pytest

from softbridge.records import append
from softbridge.records.likeness import Likeness, keep
from softbridge.reports import heatmap, html, latex, likened, matrix, shots, tables, write
from softbridge.reports.across import across, ranking
from softbridge.reports.foresight import gains
from softbridge.reports.statistics import bootstrap, critical_difference, friedman, holm, wilcoxon
from softbridge.reports.studies import gather
from tests.unit.test_records import record

DOMAINS = ("films", "books", "toys")
LIKE = {("films", "books"): 0.06, ("books", "films"): 0.05, ("toys", "films"): -0.03}  # gain by source and target
LEVEL = {"films": 0.7, "books": 0.8, "toys": 0.6}


def made(target, arm, scores, losses, count=32, source=None, bridge="spot", digest="aa"):
    """Return a record whose seeds have these test scores, and all the same validation losses."""
    base = record("news", {"none": "no prompt", "scratch": "scratch"}.get(bridge, "spot"))
    looks = [
        {"step": 4 * i, "epoch": 0.0, "train_loss": 0.5, "validation": {"loss": loss, "accuracy": 0.5 + 0.1 * i}}
        for i, loss in enumerate(losses)
    ]
    members = []
    for seed, score in enumerate(scores):
        test = {"accuracy": score, "macro_f1": score - 0.01, "matthews": 2 * score - 1, "calibration_error": 0.1}
        kept = {"step": 4, "test": test, "validation": {"loss": min(losses), "accuracy": 0.6}}
        members.append({**base.members[0], "seed": seed, "history": looks, "best": kept, "last": kept})
    arms = {name: {"bridge": name, "budget": "target", "each": name in ("spot", "reuse")} for name in ("spot", "reuse")}
    arms |= {"scratch": {"bridge": "scratch", "budget": "target"}, "no prompt": {"bridge": "none", "budget": "target"}}
    domains = {name: {"data": f"vader/{name}"} for name in DOMAINS}
    recipe = {**base.recipe, "sources": domains, "targets": domains, "arms": arms}
    family = {"family": arm} if source else {}
    return replace(
        base,
        study="matrix",
        target=target,
        arm=f"{arm} from {source}" if source else arm,
        members=members,
        sources=[source] if source else [],
        bridge={**base.bridge, "name": bridge, **family},
        recipe={**recipe, "shots": count},
        recipe_digest=f"{count:02d}{digest}" * 16,
        data={**base.data, "source": {source: {"fingerprint": source}} if source else {}},
        budget={**base.budget, "target_steps": 0 if bridge in ("reuse", "none") else 8},
    )


def records(count=32, wobble=0.01):
    noise = random.Random(count)
    found = []
    for target in DOMAINS:
        base = [LEVEL[target] + count / 1000 + noise.gauss(0, wobble) for _ in range(3)]
        found.append(made(target, "no prompt", base[:1], [0.9], count, bridge="none"))
        found.append(made(target, "scratch", base, [0.9, 0.7, 0.5], count, bridge="scratch"))
        for source in DOMAINS:
            if source != target:
                gain = LIKE.get((source, target), 0.01)
                better = [score + gain for score in base]
                found.append(made(target, "spot", better, [0.6, 0.4, 0.3], count, source))
                found.append(made(target, "reuse", [s - 0.05 for s in better], [0.6], count, source, "reuse"))
    return found


def said(digest, target, values):
    """Return a likeness as it is kept."""
    return Likeness("matrix", digest, target, [0, 1], values, "2025-01-02T03:04:05+00:00", {})


@pytest.fixture
def study():
    (found,) = gather(records())
    return found


def test_a_family_stands_in_the_tables_with_the_mean_over_its_sources(study):
    assert study.arms == ["spot", "reuse", "scratch", "no prompt"], "the recipe's arms"
    assert len(study.alone) == 2 * 6
    (alone,) = (r for r in study.alone if (r.target, r.arm) == ("films", "spot from books"))
    (other,) = (r for r in study.alone if (r.target, r.arm) == ("films", "spot from toys"))
    pooled = study.cells["films", "spot"]
    for one, a, b in zip(pooled.members, alone.members, other.members, strict=True):
        both = a["best"]["test"]["accuracy"] + b["best"]["test"]["accuracy"]
        assert one["best"]["test"]["accuracy"] == pytest.approx(both / 2)
        assert [look["step"] for look in one["history"]] == [0, 4, 8]
    assert pooled.sources == ["books", "toys"]
    assert study.gain("films", "spot").spread.mean == pytest.approx((0.05 - 0.03) / 2)


def test_every_measure_of_a_cell(study):
    spot, reuse = matrix.matrices(study)
    run, own = spot.runs["films", "books"], study.scores("books", "scratch")
    scratch = sum(own.values()) / 3
    measured = {name: measure.of(run) for name, measure in matrix.MEASURES.items()}
    assert measured["gain"] == pytest.approx(0.06)
    assert measured["error"] == pytest.approx(100 * 0.06 / (1 - scratch))
    assert measured["relative"] == pytest.approx(100 * (scratch + 0.06) / scratch)
    assert measured["score"] == pytest.approx(scratch + 0.06)
    assert measured["steps"] == 4, "scratch's best loss is 0.5, which 0.6, 0.4 passes at the second look"
    assert math.isnan(matrix.MEASURES["steps"].of(reuse.runs["films", "books"])), "nothing is trained"
    assert matrix.MEASURES["relative"].of(reuse.runs["films", "books"]) == pytest.approx(
        100 * (scratch + 0.01) / scratch
    )


def test_the_matrix_has_no_value_where_a_domain_would_go_to_itself(study):
    values = matrix.matrices(study)[0].values("gain")
    assert values.shape == (3, 3)
    assert np.isnan(np.diag(values)).all()
    assert values[0, 1] == pytest.approx(0.06)
    rows, columns = matrix.matrices(study)[0].order()
    assert rows == columns, "the same domains on both sides: one order, so the diagonal stays"
    assert sorted(rows) == [0, 1, 2]


def test_arms_that_name_their_source_make_a_matrix_too():
    (study,) = gather([replace(r, bridge={k: v for k, v in r.bridge.items() if k != "family"}) for r in records()])
    assert not study.alone
    named = {f"spot from {s}": {"bridge": "spot", "source": s, "budget": "target"} for s in DOMAINS}
    recipe = {**study.newest.recipe, "arms": {**study.newest.recipe["arms"], **named}}
    (study,) = gather([replace(r, recipe=recipe) for r in study.records])
    (found,) = matrix.matrices(study)
    assert (found.arm, len(found.runs)) == ("spot", 6)


def test_a_failed_source_is_told_and_the_others_stand():
    lost = [replace(r, status="failed", members=[]) if r.arm == "spot from toys" else r for r in records()]
    (study,) = gather(lost)
    assert study.cells["films", "spot"].sources == ["books"]
    assert {(r.arm, r.target) for r in study.lost} == {("spot from toys", "films"), ("spot from toys", "books")}
    assert "spot from toys" in html.page(lost)


def test_standings_over_targets(study):
    found = across(study)
    spot = next(arm for arm in found.arms if arm.name == "spot")
    gains = {"films": 0.01, "books": 0.035, "toys": 0.01}
    assert spot.gain == pytest.approx(sum(gains.values()) / 3)
    assert (spot.wins, spot.ties, spot.losses, spot.rank) == (9, 0, 0, 1.0)
    assert spot.relative > 100
    assert found.wilcoxon["spot"] == pytest.approx(min(1.0, 3 * 0.25)), "three targets, all above; Holm over three arms"
    assert ranking(study).rows[0][0].text == "spot"
    assert across(gather([r for r in records() if r.bridge["name"] != "scratch"])[0]) is None
    assert "With 3 targets no p below 0.250 is possible." in ranking(study).note


def test_few_shot_curves_join_studies_that_differ_in_shots_alone():
    studies = gather([*records(8), *records(32), *records(16, 0.02)])
    group = shots.siblings(studies[0], studies)
    assert [one.newest.recipe["shots"] for one in group] == [8, 16, 32]
    curve = shots.curves(group, "books")["scratch"]
    assert curve.shots == (8, 16, 32)
    assert curve.scores[0] == tuple(group[0].scores("books", "scratch").values())
    other = [replace(r, recipe={**r.recipe, "seeds": [9]}, recipe_digest="ff" * 32) for r in records(64)]
    assert len(shots.siblings(studies[0], gather([*records(8), *other]))) == 1, "another recipe is no sibling"


def test_tables_of_studies_that_differ_in_shots_alone_say_how_many():
    both = [*records(8), *records(32)]
    for count in (8, 32):
        assert f"## matrix, {count} labelled rows of each class\n" in tables.markdown(both)
        assert f"accuracy ({count} labelled rows of each class). Mean" in latex.latex(both)
    assert "labelled rows of each class" not in tables.markdown(records(8)) + latex.latex(records(8))


def test_likeness_beside_gain(study):
    values = {"cosine": {s: [0.1 * i, 0.3 * i] for i, s in enumerate(DOMAINS) if s != "books"}}
    known = likened.of(study, [said(study.digest, "books", values), said("other", "films", values)])
    assert known == {"cosine": {"books": {"films": 0.0, "toys": pytest.approx(0.4)}}}
    points = likened.points(matrix.matrices(study)[0], known["cosine"])
    assert [(s, close, round(gain, 6)) for s, close, gain in points["books"]] == [
        ("films", 0.0, 0.06),
        ("toys", pytest.approx(0.4), 0.01),
    ]
    assert all(math.isnan(value) for value in likened.correlation(points["books"])), "two sources show nothing"
    assert "Does likeness" not in html.page(records())


def test_likeness_that_lies_beside_the_records_is_on_the_page(study, tmp_path):
    for one in records():
        append(tmp_path / "records", one)
    values = {"cosine": {s: [0.1 * i] for i, s in enumerate(DOMAINS) if s != "books"}}
    keep(tmp_path, said(study.digest, "books", values))
    text = write([tmp_path], tmp_path / "report").html.read_text()
    assert "Does likeness foretell the gain of spot?" in text
    assert gains(study.alone + study.records)["books"]["films"] == pytest.approx([0.06] * 3), "as foresight reads it"


# --- statistics, against scipy and by hand -------------------------------------------------------------------------


def test_the_bootstrap_is_near_the_theory():
    values = list(np.random.default_rng(1).normal(0.1, 0.02, 200))
    low, high = bootstrap(values)
    half = 1.96 * np.std(values) / 200**0.5
    assert (low, high) == pytest.approx((np.mean(values) - half, np.mean(values) + half), abs=4e-4)
    assert bootstrap([0.0, 0.1, 0.2]) == bootstrap([0.0, 0.1, 0.2]), "the drawing is seeded"
    assert all(math.isnan(end) for end in bootstrap([0.1]))


def test_signed_ranks_by_hand():
    assert wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 32), "all above: two of 2^5 signs are as far out"
    assert wilcoxon([-1.0, 2.0, 3.0]) == pytest.approx(4 / 8)
    assert math.isnan(wilcoxon([0.0, 0.0]))


def test_holm_by_hand():
    assert holm([0.02, 0.5, 0.01]) == pytest.approx([0.04, 0.5, 0.03])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_friedman_and_the_critical_difference():
    ranks = [[3, 3, 3, 3], [2, 2, 2, 2], [1, 1, 1, 1]]  # chi2 = 12 N / k(k+1) sum (R - (k+1)/2)^2 = 8, two degrees
    assert friedman(ranks) == pytest.approx(math.exp(-4.0))
    assert critical_difference(5, 30) == pytest.approx(2.728 * (5 * 6 / (6 * 30)) ** 0.5, abs=1e-3), "Demsar's table"


# --- what is written ----------------------------------------------------------------------------------------------


def test_the_page_holds_the_matrix_as_data_and_no_markup():
    evil = "</script><script>alert(1)</script>"
    text = html.page([replace(r, target=evil) if r.target == "toys" else r for r in records()])
    assert not re.search(r"<script>\s*alert", text)
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.DOTALL)
    told = json.loads(data)
    assert [one["arm"] for one in told["arms"]] == ["spot", "reuse"]
    assert evil in told["arms"][0]["targets"]
    assert set(told["metrics"]) == {"accuracy", "macro_f1", "matthews"}


def test_the_data_of_the_page_are_the_measures(study):
    one = heatmap.data(study, ["accuracy", "calibration_error"])["arms"][0]
    i, j = one["sources"].index("films"), one["targets"].index("books")
    assert one["values"]["accuracy"]["gain"]["cells"][i][j] == pytest.approx(0.06)
    seeds, scores, scratch, steps = one["runs"]["accuracy"][i][j]
    assert (seeds, steps) == ([0, 1, 2], [4, 4, 4])
    assert [a - b for a, b in zip(scores, scratch, strict=True)] == pytest.approx([0.06] * 3, abs=2e-5)
    assert one["runs"]["accuracy"][i][one["targets"].index("films")] is None
    assert heatmap.data(gather([r for r in records() if not r.sources])[0], ["accuracy"]) is None


def test_latex_is_whole_and_escaped(study):
    text = latex.latex([replace(r, target="toys_&_50%") if r.target == "toys" else r for r in records()])
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == text.count(r"\bottomrule") == 5
    assert r"toys\_\&\_50\%" in text
    assert "±" not in text
    for body in re.findall(r"\\midrule\n(.*?)\n\\bottomrule", text, flags=re.DOTALL):
        columns = {len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines()}
        assert len(columns) == 1
        assert all(line.endswith(r"\\") for line in body.splitlines())
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(set(labels)) == len(labels)


def test_every_figure_is_a_file_where_asked(tmp_path):
    for one in [*records(8), *records(32)]:
        append(tmp_path / "records", one)
    report = write([tmp_path], tmp_path / "report", figures=True)
    files = sorted(path.relative_to(report.figures) for path in report.figures.rglob("*.*"))
    names = {path.name for path in files}
    assert len({path.parent for path in files}) == 2, "a folder a study"
    for name in ("matrix-of-spot-gain-over-scratch", "mean-ranks-by-test-accuracy", "validation-loss-on-toys"):
        assert {f"{name}.svg", f"{name}.pdf"} <= names
    assert "test-accuracy-on-toys-by-labelled-rows.pdf" in names
    page = report.html.read_text()
    drawn = page.count('role="img"')
    assert len(files) == 2 * (drawn + 4), "each figure of the page, and two matrices a study"
    svg = (report.figures / files[1]).read_text() if files[1].suffix == ".svg" else ""
    assert "var(--" not in svg


def test_the_terminal_tables_count_families_not_sources(study):
    assert [row[0].text for row in tables.results(study).rows] == study.arms
