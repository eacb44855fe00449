"""Reports: numbers, words, tables and the page, from records that the factory makes up."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import statistics as plain_statistics
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from rich.console import Console

from softbridge.errors import StudyError
from softbridge.records import append
from softbridge.reports import details, html, plots, tables, write
from softbridge.reports.findings import findings
from softbridge.reports.statistics import paired, spread, student
from softbridge.reports.studies import gather
from softbridge.reports.styles import Styles
from tests.unit.test_records import ARMS, TARGETS, record, study

EVIL = "<script>alert(1)</script> & $x_$ [bold]|`"
VOID = {"meta", "line", "circle", "path", "use", "rect", "input"}


def only(records):
    (found,) = gather(records)
    return found


def with_scores(target, arm, values, metric="accuracy"):
    """Return a record whose best test score is one value a seed."""
    made = record(target, arm)
    members = [
        {**member, "best": {**member["best"], "test": {**member["best"]["test"], metric: value}}}
        for member, value in zip(made.members, values, strict=True)
    ]
    return replace(made, members=members)


# --- statistics ---------------------------------------------------------------------------------------------------


def test_mean_and_spread_are_those_of_the_standard_library():
    values = [0.81, 0.79, 0.85, 0.80]
    assert spread(values).mean == pytest.approx(plain_statistics.mean(values))
    assert spread(values).std == pytest.approx(plain_statistics.stdev(values))
    assert spread([0.5]).std != spread([0.5]).std, "one value has no spread"


def test_pairs_go_by_seed_not_by_position():
    pair = paired({2: 0.9, 0: 0.7, 7: 0.1}, {0: 0.7, 1: 0.0, 2: 0.8})
    assert pair.seeds == (0, 2)
    assert pair.differences == pytest.approx((0.0, 0.1))
    assert (pair.wins, pair.ties, pair.losses) == (1, 1, 0)
    assert (pair.low, pair.high) == pytest.approx((0.0, 0.1))
    assert pair.error_reduction == pytest.approx((0.8 - 0.75) / (1 - 0.75))
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_less_of_an_error_is_a_win():
    pair = paired({0: 0.05, 1: 0.05}, {0: 0.10, 1: 0.04}, best=0.0)
    assert (pair.wins, pair.losses) == (1, 1)


def test_the_interval_is_students():
    from scipy import stats

    values = [0.02, 0.03, 0.01, 0.05]
    expected = stats.t.interval(0.95, 3, loc=0.0275, scale=stats.sem(values))
    assert student(spread(values)) == pytest.approx(expected)


# --- studies and tables -------------------------------------------------------------------------------------------


def test_arms_and_targets_stand_in_the_recipes_order_and_the_newest_record_counts():
    old = record("news", "spot", created="2024-01-01T00:00:00+00:00", study="quickstart")
    found = only([*reversed(study()), old])
    assert found.arms == list(ARMS)
    assert found.targets == list(TARGETS)
    assert found.older == 1
    assert found.cells["news", "spot"].created > old.created
    assert found.baseline == "scratch"
    assert found.carried == ["spot", "reuse"]


def test_another_recipe_of_the_same_name_is_another_study():
    assert len(gather([*study(), record(recipe_digest="00" * 32)])) == 2


def test_the_result_table_holds_mean_and_spread_and_marks_the_best():
    arms = [
        with_scores("news", arm, values) for arm, values in (("scratch", (0.7, 0.8, 0.9)), ("spot", (0.8, 0.8, 0.83)))
    ]
    made = tables.results(only(arms))
    assert made.head == ("arm", "news")
    assert [[cell.text for cell in row] for row in made.rows] == [
        ["scratch", "0.800 ± 0.100"],
        ["spot", "0.810 ± 0.017"],
    ]
    assert [row[1].best for row in made.rows] == [False, True]


def test_the_best_calibration_is_the_lowest():
    arms = [
        with_scores("news", arm, values, "calibration_error")
        for arm, values in (("scratch", (0.1, 0.1, 0.1)), ("spot", (0.2, 0.2, 0.2)))
    ]
    assert [row[1].best for row in tables.results(only(arms), "calibration_error").rows] == [True, False]


def test_the_arm_without_a_prompt_stands_against_every_seed():
    arms = [with_scores("news", "no prompt", (0.75,)), with_scores("news", "scratch", (0.70, 0.75, 0.77))]
    pair = only(arms).gain("news", "no prompt")
    assert pair.seeds == (0, 1, 2)
    assert (pair.wins, pair.ties, pair.losses) == (1, 1, 1)


def test_the_terminal_shows_every_arm_and_takes_names_literally():
    text = io.StringIO()
    tables.terminal([*study(), replace(record("news"), arm=EVIL)], Console(file=text, width=140))
    assert all(arm in text.getvalue() for arm in ARMS)
    assert "[bold]" in text.getvalue()
    assert "Gain over scratch" in text.getvalue()


def test_csv_has_one_line_a_score():
    rows = list(csv.DictReader(io.StringIO(tables.comma_separated([record("news", "spot")]))))
    assert len(rows) == 3 * 2 * (4 + 2), "seeds x checkpoints x (test metrics + validation loss and accuracy)"
    (line,) = [
        r for r in rows if (r["seed"], r["checkpoint"], r["split"], r["metric"]) == ("1", "best", "test", "matthews")
    ]
    assert float(line["value"]) == record("news", "spot").members[1]["best"]["test"]["matthews"]
    assert (line["study"], line["target"], line["arm"]) == ("quickstart", "news", "spot")


def test_markdown_escapes_names():
    text = tables.markdown([replace(record(), arm=EVIL), record("products", "scratch")])
    assert "<script" not in text
    assert "\\|" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}


# --- words --------------------------------------------------------------------------------------------------------


def said(spot, scratch=(0.80, 0.80, 0.80)):
    arms = [with_scores("news", "scratch", scratch), with_scores("news", "spot", spot)]
    (found,) = findings(only(arms))
    return found


def test_a_gain_and_a_loss_are_said_as_plainly():
    better, worse = said((0.83, 0.84, 0.85)), said((0.77, 0.76, 0.75))
    assert better.verdict == "spot beats scratch on 1 of 1 target."
    assert better.targets == ("news +0.040 ± 0.010, better in 3 of 3 seeds (0, 1, 2)",)
    assert "lies above zero on news" in better.remarks[0]
    assert worse.verdict == "spot does not beat scratch on the one target."
    assert worse.targets == ("news −0.040 ± 0.010, better in 0 of 3 seeds (0, 1, 2)",)
    assert "lies below zero on news" in worse.remarks[0]


def test_an_uncertain_gain_is_called_uncertain_and_a_tie_is_no_win():
    assert "includes zero on news" in said((0.90, 0.79, 0.80)).remarks[0]
    assert "does not beat" in said((0.80, 0.80, 0.80)).verdict


def test_controls_are_named():
    found = findings(only(study()))[0]
    assert "random on 3 of 3" in found.remarks[1]
    assert "scratch at both budgets on 3 of 3" in found.remarks[1]


def test_a_cell_without_a_result_is_told_not_dropped():
    failed = record("tweets", "spot", status="failed", members=[])
    records = [r for r in study() if (r.target, r.arm) != ("tweets", "spot")] + [failed]
    found = findings(only(records))[0]
    assert "(1 more without a result)" in found.verdict
    assert found.targets[2] == "tweets: no result to compare"
    assert "has no result: failed" in html.page([record("tweets", "scratch"), failed])


def test_a_study_without_scratch_says_that_no_gain_can_be_measured():
    records = [record(target, "spot") for target in TARGETS]
    assert tables.gains(only(records)) is None
    assert "no arm from scratch" in html.page(records)


# --- drawings -----------------------------------------------------------------------------------------------------


def test_a_drawing_is_well_formed_themed_described_and_reproducible():
    found = only(study())
    for drawing in (plots.curve(found, "news", "validation loss"), plots.gain_bars(found, "news")):
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        assert "width" not in root.attrib, "it takes the width of the page"
        labels = root.get("aria-labelledby").split()
        told = {part.get("id"): part.text for part in root if part.get("id") in labels}
        assert len(told) == 2
        assert "spot" in "".join(told.values())
        assert root.findall(".//{http://www.w3.org/2000/svg}text"), "text stays text"
        assert not set(re.findall(r"#[0-9a-f]{6}\b", drawing)), "every colour is the page's"
        assert "<dc:date>" not in drawing
    assert plots.gain_bars(found, "news") == plots.gain_bars(found, "news")


def test_every_trained_arm_has_a_line_and_a_band():
    found = only(study())
    drawing = plots.curve(found, "news", "validation accuracy")
    for place, arm in enumerate(found.arms):
        assert f"-arm-{place}" in drawing
        assert (f"-band-{place}" in drawing) == (ARMS[arm][2] > 0)
    assert plots.curve(only([record("news", "no prompt")]), "news", "training loss") is None


def test_a_name_with_dollars_is_no_formula():
    records = [replace(record("news"), arm="$x_$ <i>"), record("news", "scratch")]
    assert ">$x_$ &lt;i&gt;</text>" in plots.gain_bars(only(records), "news")


def test_looks_tell_arms_apart():
    looks = [(s.variable, s.dash, s.marker) for s in Styles(only(study())).table.values()]
    assert len(set(looks)) == len(ARMS)


# --- the page -----------------------------------------------------------------------------------------------------


class Tree(HTMLParser):
    """Keep the tags, and fail where one is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def page():
    return html.page(study())


@pytest.fixture(scope="module")
def tree(page):
    parsed = Tree()
    parsed.feed(page)
    return parsed


def test_the_page_is_well_formed_and_needs_nothing_from_outside(page, tree):
    assert tree.open == []
    assert len(set(tree.ids)) == len(tree.ids)
    assert not {"link", "img", "iframe"} & {tag for tag, _ in tree.tags}
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch\(|XMLHttp", scripts[0])
    for _, attributes in tree.tags:
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert not re.search(r"@import|url\((?!#)", page)


def test_links_inside_the_page_lead_somewhere(tree):
    aims = {
        attributes[name][1:] for _, attributes in tree.tags for name in ("href", "xlink:href") if name in attributes
    }
    assert aims <= set(tree.ids)


def test_the_page_says_all_that_it_should(page, tree):
    text = " ".join(" ".join(tree.words).split())
    for words in (
        "spot beats scratch on 3 of 3 targets.",
        "This recipe ran no pretraining stage",
        "0.693 → 0.438",
        "that validation loss chose",
        "calibration error",
        "12 texts stood in both train and test",
        "9f9f9f9f9f9f",
        "2.13.0",
        "cpu (AVX2)",
        "data: vader/movies",
        "stages/adapt-news-0123/prompts/2",
    ):
        assert words in text, words
    assert page.count("@inproceedings{vu2022spot") == 1
    assert page.count("@inproceedings{lester2021power") == 1
    assert page.count("<math") == 4
    assert sum(tag == "svg" and a.get("role") == "img" for tag, a in tree.tags) == len(TARGETS) * 4 + 1
    assert "prefers-color-scheme: dark" in page


def test_a_pretraining_stage_is_shown_with_its_n():
    entry = {"stage": "pretrain", "name": "L_pre/self-supervised", "term": "masked_token", "domain": "movies"}
    entry |= {"M": 4096, "steps": 50, "first": 6.5, "last": 3.25}
    text = html.page([record(losses=[entry])])
    assert "ran no pretraining stage" not in text
    assert "6.500 → 3.250" in text
    assert "4,096" in text
    assert text.count("<math") == 3, "the form that was used, and both of L_fine"


def test_the_formula_of_an_objective_stands_with_its_values_by_epoch():
    entry = {"stage": "pretrain", "name": "L_pre/self-supervised", "term": "next_token", "domain": "movies", "M": 900}
    entry |= {"normalise": "all", "steps": 50, "first": 6.5, "last": 3.25, "share": 1.0, "perplexity": [700.5, 30.25]}
    entry |= {"values": [[0.25 * i, 7.0 - i] for i in range(1, 4)]}
    page = html.page([record(losses=[entry, *record().losses])])
    tree = Tree()
    tree.feed(page)
    text = " ".join(" ".join(tree.words).split())
    assert page.count("<math") == 3, "L_pre, its L_n, and L_fine"
    for words in ("700.50 → 30.25", "100.0 %", "all rows", "epoch 0.75", "4.000", "The mean over the T tokens"):
        assert words in text, words


def test_the_part_of_a_term_is_told():
    whole = {**record().losses[-1], "share": 1.0, "last": 0.5}
    made = details.losses(
        only([record(losses=[whole, {**whole, "term": "pull", "last": 0.125, "share": 0.25}])]), "L_fine"
    )
    assert [row[made.head.index("of the whole")].text for row in made.rows] == ["100.0 %", "25.0 %"]


def test_the_diagram_counts_shared_stages_once():
    from softbridge.reports.stages import diagram

    shared = {"kind": "extract", "domain": "movies", "seconds": 30.5, "rows": 2400, "steps": 100}
    own = {"kind": "adapt", "domain": "news", "seconds": 5.25, "rows": 576, "steps": 24}
    first = {"kind": "pretrain", "domain": "movies", "seconds": 9.0, "rows": 800, "steps": 50}
    runs = [[first, shared, own], [first, shared, {**own, "seconds": 6.0}], [{**own, "seconds": 4.0}]]
    made = [record("news", arm) for arm in ("spot", "random", "scratch")]
    records = [replace(r, cost={**r.cost, "stages": stages}) for r, stages in zip(made, runs, strict=True)]
    columns = diagram(only(records))
    assert [column.title for column in columns] == ["pretraining", "source", "target"]
    assert {box.name for box in columns[2].boxes} == {"spot", "random", "scratch"}
    assert [column.seconds for column in columns] == [9.0, 30.5, 15.25]
    assert sum(box.part for column in columns for box in column.boxes) == pytest.approx(1)
    page = html.page(records)
    assert "30.5 s" in page
    assert "2,400 rows" in page


def test_nothing_from_a_record_is_markup():
    evil = {**record().recipe, "note": EVIL}
    bridge = {"name": "spot", "reference": EVIL, "bibtex": EVIL}
    losses = [{**record().losses[0], "name": EVIL, "term": EVIL}, {**record().losses[0], "domain": EVIL}]
    records = [record(study=EVIL, recipe=evil, bridge=bridge, losses=losses, provenance={EVIL: EVIL})]
    records[0] = replace(records[0], arm=EVIL, target=EVIL)
    records.append(replace(records[0], arm="scratch", bridge={**bridge, "name": "scratch"}))
    text = html.page(records)
    assert not re.search(r"<script>\s*alert", text)
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in text
    parsed = Tree()
    parsed.feed(text)
    assert parsed.open == []


def test_measurements_that_failed_are_dashes():
    def hole(made):
        members = [{**m, "best": {**m["best"], "test": {"accuracy": None}}} for m in made.members]
        return replace(made, members=members)

    text = html.page([hole(record("news", "spot")), hole(record("news", "scratch"))])
    assert not re.search(r"\bnan\b", text, flags=re.IGNORECASE)
    assert "– ± –" not in text


def test_a_source_stage_that_arms_share_is_listed_once():
    made = details.losses(only(study()), "L_fine")
    shared = [row for row in made.rows if row[0].text == "source"]
    assert [cell.text for cell in shared[0]][1:3] == ["movies", "reuse, random, spot"]
    assert len(shared) == 1


def test_write_makes_three_files_the_same_each_time(tmp_path):
    for made in study():
        append(tmp_path / "records", made)
    report = write([tmp_path], tmp_path / "report")
    first = [path.read_bytes() for path in (report.html, report.csv, report.markdown)]
    again = write([tmp_path], tmp_path / "again")
    assert first == [path.read_bytes() for path in (again.html, again.csv, again.markdown)]
    assert (report.html.name, report.csv.name, report.markdown.name) == ("index.html", "table.csv", "table.md")
    with pytest.raises(StudyError, match="no folder"):
        write([tmp_path / "nowhere"], tmp_path / "report")


def test_a_report_needs_no_torch(tmp_path):
    append(tmp_path / "records", record())
    append(tmp_path / "records", record("products", "scratch"))
    code = (
        "import sys, pathlib\n"
        "import softbridge.reports\n"
        "assert 'matplotlib' not in sys.modules, 'matplotlib is imported before it is needed'\n"
        f"softbridge.reports.write([pathlib.Path({str(tmp_path)!r})], pathlib.Path({str(tmp_path / 'out')!r}))\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
