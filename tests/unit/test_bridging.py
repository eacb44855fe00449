"""`softbridge bridge` and `rank` on a user's own data: the contest, what is tried, what is left behind."""

import json

import pytest

from softbridge.cli.main import app, main
from softbridge.engine.loop import Training
from softbridge.errors import SoftbridgeError
from softbridge.prompts import files
from softbridge.recipe.bridging import shared_out, ways
from softbridge.records import read
from softbridge.study.halving import affordable, contest, cost
from tests import pico
from tests.unit.test_shelved import shelf  # noqa: F401


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments, expect=0):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert ended.value.code == expect, out + err
        return out if not expect else err

    return call


def test_the_contest_keeps_the_better_half_and_always_scratch():
    seen = []

    def tried(way, steps):
        seen.append((way, steps))
        return {"a": 4.0, "b": 1.0, "c": 2.0, "d": 3.0, "scratch": 9.0}[way]

    rungs = contest(["a", "b", "c", "d"], "scratch", 40, tried)
    assert [rung.steps for rung in rungs] == [20, 40]
    assert [rung.kept for rung in rungs] == [("scratch", "b", "c"), ("b",)]
    assert sum(steps for _, steps in seen) == cost(4, 40)
    assert len({way for way, steps in seen if steps == 40}) == 3


def test_scratch_wins_where_nothing_is_better():
    assert contest(["a", "b"], "scratch", 40, lambda way, steps: 1.0)[-1].kept == ("scratch",)


def test_a_way_that_wakes_late_is_lost_and_the_last_rung_decides():
    early, late = {"a": 1.0, "b": 2.0, "c": 3.0, "scratch": 4.0}, {"a": 5.0, "b": 5.0, "c": 0.0, "scratch": 3.0}
    rungs = contest(["a", "b", "c"], "scratch", 40, lambda way, steps: (late if steps == 40 else early)[way])
    assert "c" not in rungs[-1].losses
    assert rungs[-1].kept == ("scratch",)


@pytest.mark.parametrize("budget", [1, 100, 400, 10_000])
def test_the_budget_is_kept(budget):
    ways = affordable(budget, 48, 20)
    assert ways == 1 or cost(ways, 48) <= budget
    assert ways == 11 or cost(ways + 1, 48) > budget


def test_one_source_has_its_ways_too():
    assert list(ways(["a"])) == ["spot from a", "arithmetic", "proximal from a"]


def test_a_third_of_the_rows_chooses():
    class Some:
        fewest = 100

    assert shared_out(Some, 32) == (21, 11)
    with pytest.raises(SoftbridgeError, match="shots is 2"):
        shared_out(Some, 2)


def data(folder):
    pico.frame(seed=5).to_csv(folder / "mine.csv")
    return folder / "mine.csv"


def test_bridge_leaves_a_prompt_a_report_and_the_contest(shelf, tmp_path, call, monkeypatch):  # noqa: F811
    monkeypatch.setattr("softbridge.recipe.bridging.STEPS", 8)
    monkeypatch.setattr("softbridge.study.bridging.STEPS", 8)
    where = ["--backbone", str(shelf / "backbone"), "--gallery", str(shelf / "shelf"), "--out", str(tmp_path / "out")]
    asked = ["bridge", str(data(tmp_path)), "--shots", "6", "--seeds", "0,1", "--budget", "60", *where]
    told = call(*asked)
    found = json.loads((tmp_path / "out" / "contest.json").read_text())
    assert set(found["ranking"]) == {"films", "books"}
    assert all("scratch" in rung["validation_loss"] for rung in found["rungs"])
    assert found["rungs"][-1]["kept"] == [found["winner"]]
    saved = files.load(tmp_path / "out" / "prompt")
    assert (tmp_path / "out" / "prompt" / "adapter_config.json").is_file()
    assert list(saved.card.data) == ["mine"]
    records = read([tmp_path / "out"])
    assert {record.arm for record in records} == {"scratch", found["winner"]}
    last = found["rungs"][-1]["validation_loss"]
    assert found["winner"] == min(last, key=last.get)
    assert "test accuracy" in told.lower()
    assert (tmp_path / "out" / "report" / "index.html").is_file()
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("a finished stage was trained again"))
    assert call(*asked).splitlines()[-4:] == told.splitlines()[-4:]


def test_rank_takes_data_and_trains_no_source(shelf, tmp_path, call):  # noqa: F811
    where = ["--backbone", str(shelf / "backbone"), "--gallery", str(shelf / "shelf"), "--out", str(tmp_path / "out")]
    told = call("rank", str(data(tmp_path)), *where)
    assert "films" in told
    assert "as it is" in told
    assert not list((tmp_path / "out" / "stages").glob("extract-*"))


def test_a_backbone_without_prompts_is_told(tmp_path, call):
    told = call("bridge", str(data(tmp_path)), "--backbone", "smollm2-135m", expect=2)
    assert "the gallery has no prompts of the backbone smollm2-135m" in told


def test_the_verbs_are_there():
    assert {"bridge", "gallery"} <= {command.name for command in app.registered_commands}
