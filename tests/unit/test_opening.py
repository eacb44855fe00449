"""Mistakes in rows are told for all domains at once, with the line of each."""

from pathlib import Path

import pytest

from softbridge.errors import DataError
from softbridge.recipe import read
from softbridge.study.opening import open_all

RECIPE = """\
name: mine
backbone: {name: minilm-l6}
domain:
  labels: {negative: bad, positive: good}
sources:
  movies: {data: rows.csv, columns: {text: review}}
  books: {data: rows.csv}
targets:
  news: {data: strange.csv}
  shoes:
    data: blank.csv
arms:
  spot: {bridge: spot, source: books}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(
        f"{word} film {i},{label}\n" for i in range(20) for word, label in (("good", "positive"), ("bad", "negative"))
    )
    Path("rows.csv").write_text("text,label\n" + rows)
    Path("more.csv").write_text("text,label\n" + rows.replace("film", "shoe"))
    Path("strange.csv").write_text("text,label\n" + rows.replace("negative", "awful"))
    Path("blank.csv").write_text("text,label\n" + ",positive\n,negative\n" * 20)
    Path("my.yaml").write_text(RECIPE)


def refusal(*overrides):
    with pytest.raises(DataError) as found:
        open_all(read("my.yaml", overrides))
    return found.value


def test_all_domains_whose_rows_are_wrong_are_told_at_once_with_their_lines():
    lines = refusal().seen.splitlines()
    assert lines[0] == "3 domains cannot be opened:"
    assert lines[1].startswith(
        "  my.yaml:6  sources.movies  there is no column 'review' for the slot {text}; mend the name"
    )
    assert lines[2].startswith("  my.yaml:9  targets.news  ")
    assert "awful" in lines[2]
    assert lines[3].startswith("  my.yaml:10  targets.shoes  no row is left to read; fill the columns")
    assert len(lines) == 4


def test_one_domain_is_told_in_full_and_by_the_override_that_brought_it():
    override = "targets={news: {data: strange.csv}}"
    error = refusal(override, "sources.movies.columns={}")
    assert error.seen.startswith(f"--set '{override}'  targets.news  ")
    assert "awful" in error.seen + error.expected
    assert error.fix


def test_domains_that_are_right_are_opened():
    sources, targets = open_all(read("my.yaml", ["sources.movies.columns={}", "targets={news: {data: more.csv}}"]))
    assert list(sources) == ["movies", "books"]
    assert list(targets) == ["news"]


def test_more_rows_than_a_class_has_are_told_before_anything_is_trained():
    few = ["targets={news: {data: more.csv, validation: 4}}", "validation_shots=3"]
    assert "3 rows per class are asked of validation, which has: negative 2, positive 2" in refusal(*few).seen
    assert "90 rows per class are asked of train" in refusal(few[0], "shots=[2, 90]").seen
    open_all(
        read("my.yaml", [*few, "sources={books: {data: rows.csv}}", "arms={as it is: {bridge: reuse, source: books}}"])
    )
