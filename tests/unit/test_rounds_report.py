"""The page's part on rounds: what it says and draws, and that nothing in a record is markup."""

import re
from dataclasses import replace

import pytest

from softbridge.reports import html, rounds
from softbridge.reports.studies import gather
from tests.unit.test_records import record, study
from tests.unit.test_reports import EVIL, Tree


def line(round, change, loss, rows=192, kept=False, share=1.0, gain=None, rung=1):
    verdict = {"verdict": {"gain": gain, "error": 0.01, "bar": 0.019, "helps": kept}} if gain is not None else {}
    return {
        "round": round,
        "rung": rung,
        "change": change,
        "share": share,
        "validation": [loss - 0.01, loss, loss + 0.01],
        "rows": rows,
        "seconds": 2.5,
        "kept": kept,
        "note": "",
        "state": {},
        **verdict,
    }


LOG = [
    line(0, "the arm as it is", 0.5, kept=True),
    line(1, "steps x 2", 0.45, rows=384, kept=True, gain=0.05),
    line(2, "learning rate x 2.5", 0.44, rows=384, gain=0.01),
    line(3, "5 tokens more", 0.7, rows=64, share=1 / 3),
    line(3, "learning rate x 0.4", 0.4, kept=True, gain=0.05, rung=2),
]


def searched(log=LOG, **more):
    found = {
        "rounds": {"level": 0.1},
        "metric": "loss",
        "stopped": "budget: 3 rounds",
        "rows": 1216,
        "log": log,
        **more,
    }
    return [
        replace(r, budget={**r.budget, "rounds": found}) if r.arm == "spot" and r.target == "news" else r
        for r in study()
    ]


def test_each_round_has_a_line_with_validation_before_and_after_and_its_cost():
    (found,) = gather(searched())
    grid = rounds.summary(found)
    texts = [[cell.text for cell in row] for row in grid.rows]
    assert texts == [
        ["news", "spot", "1", "steps x 2", "1", "0.500 → 0.450", "384", "2.5"],
        ["news", "spot", "2", "nothing", "1", "0.450 → 0.450", "384", "2.5"],
        ["news", "spot", "3", "learning rate x 0.4", "2", "0.450 → 0.400", "256", "5.0"],
    ]
    assert "in 10% of rounds" in grid.note
    assert "spot on news: budget: 3 rounds" in grid.note
    every = [[cell.text for cell in row] for row in rounds.proposals(found).rows]
    assert [row[8] for row in every] == ["start", "kept", "not above noise", "rung 1", "kept"]
    assert every[2][6:8] == ["+0.010 ± 0.010", "> 0.019"]


def test_the_line_of_what_is_kept_steps_at_the_rounds_that_kept_something():
    spent, level = rounds.line_of(LOG)
    assert spent == [192, 576, 1216, 1216]
    assert level == pytest.approx([0.5, 0.45, 0.4, 0.4])


def test_the_page_shows_rounds_where_there_were_some_and_only_there():
    page = html.page(searched())
    tree = Tree()
    tree.feed(page)
    assert tree.open == []
    assert page.count("validation by row-passes on news: spot from 0.500 to 0.400 in 1,216 row-passes") == 1
    assert "#s" in page
    assert re.search(r'href="#\w+-rounds"', page)
    assert "-rounds" not in html.page(study())


def test_nothing_of_a_search_is_markup():
    log = [{**one, "change": EVIL} for one in LOG]
    text = html.page(searched(log, stopped=EVIL, metric=EVIL))
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in text
    assert not re.search(r"<script>\s*alert", text)


def test_a_search_whose_scores_were_lost_is_drawn_with_dashes():
    log = [
        LOG[0],
        {
            **LOG[1],
            "kept": False,
            "validation": [None, None, 0.4],
            "verdict": {"gain": None, "error": None, "bar": None},
        },
    ]
    (found,) = gather(searched(log))
    assert [cell.text for cell in rounds.proposals(found).rows[1]][5:8] == ["–", "– ± –", "> –"]
    assert html.page(searched(log))
    assert rounds.summary(gather([record()])[0]) is None
