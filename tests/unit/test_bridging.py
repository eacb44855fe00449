"""`softbridge bridge` and `rank` on a user's own data: the contest, what is tried, what is left behind."""

import json
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from softbridge import study
from softbridge.cli.main import app, main
from softbridge.domains.sketches import sketch
from softbridge.engine.loop import Training
from softbridge.prompts import files
from softbridge.prompts.shelved import shelves
from softbridge.recipe.bridging import preferred, ways
from softbridge.records import read
from softbridge.seeding import derive
from softbridge.study.bridging import Request, bridge, shortened
from softbridge.study.folds import Fold, dealt, folded, unseen
from softbridge.study.halving import affordable, chosen, contest, cost
from softbridge.study.shores import Shores
from softbridge.study.study import Study
from tests import pico
from tests.dying import dying
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


def flat(losses):
    """Return a `tried` in which every way has the same loss on each of ten rows."""
    return lambda names, steps: {name: np.full(10, losses[name]) for name in names}


def test_the_contest_keeps_the_better_half_and_always_scratch():
    seen, losses = [], {"a": 4.0, "b": 1.0, "c": 2.0, "d": 3.0, "scratch": 9.0}

    def tried(names, steps):
        seen.extend((name, steps) for name in names)
        return {name: np.full(10, losses[name]) for name in names}

    rungs, last = contest(["a", "b", "c", "d"], ["scratch"], 40, tried)
    assert [rung.steps for rung in rungs] == [20, 40]
    assert [rung.kept for rung in rungs] == [("scratch", "b", "c")] * 2
    assert 3 * sum(steps for _, steps in seen) + 2 * 40 == cost(4, 1, 40, 3)
    assert list(last) == ["scratch", "b", "c"]


def test_a_way_that_wakes_late_is_lost_and_the_last_rung_decides():
    early, late = {"a": 1.0, "b": 2.0, "c": 3.0, "scratch": 4.0}, {"a": 5.0, "b": 5.0, "c": 0.0, "scratch": 3.0}
    _, last = contest(
        ["a", "b", "c"],
        ["scratch"],
        40,
        lambda names, steps: {name: np.full(10, (late if steps == 40 else early)[name]) for name in names},
    )
    assert "c" not in last
    assert chosen(last, ["scratch", "a", "b", "c"]) == "scratch"


def losses(**rows):
    return {name: np.array(each) for name, each in rows.items()}


def test_a_tie_keeps_what_is_preferred():
    tied = losses(a=[1.0, 2.0], scratch=[1.0, 2.0])
    assert chosen(tied, ["scratch", "a"]) == "scratch"
    assert chosen(tied, ["a", "scratch"]) == "a"


def test_what_is_better_by_less_than_the_noise_does_not_replace_what_is_preferred():
    noisy = losses(scratch=[1.0] * 4, a=[0.0, 1.9, 0.2, 1.8])
    assert noisy["a"].mean() < 1.0
    assert chosen(noisy, ["scratch", "a"]) == "scratch"


def test_a_clearly_better_way_wins():
    assert chosen(losses(scratch=[1.0, 2.0, 3.0], a=[0.5, 1.6, 2.4]), ["scratch", "a"]) == "a"


def test_rows_are_compared_one_by_one():
    hard = losses(scratch=[0.1, 5.0, 0.2, 9.0], a=[0.0, 4.9, 0.1, 8.9])  # rows differ by far more than the ways do
    assert chosen(hard, ["scratch", "a"]) == "a"


def test_of_ways_that_cannot_be_told_apart_the_first_in_order_wins():
    near = losses(scratch=[3.0] * 4, a=[1.0, 1.2, 1.0, 1.2], b=[1.1, 1.0, 1.2, 1.0], c=[2.0] * 4)
    assert near["b"].mean() < near["a"].mean()
    assert chosen(near, ["c", "scratch", "a", "b"]) == "a"
    assert chosen(near, ["c", "b", "a", "scratch"]) == "b"


@pytest.mark.parametrize(("classes", "first"), [("negative other", "average of all"), ("cats dogs", "scratch")])
def test_averages_are_preferred_where_sources_know_a_class(classes, first):
    source, target = (SimpleNamespace(labels=dict.fromkeys(known.split())) for known in ("negative positive", classes))
    arms = dict.fromkeys(["scratch", *ways(["a", "b", "c", "d"])])
    order = preferred(SimpleNamespace(sources={"a": source}, targets={"mine": target}, arms=arms))
    assert order[0] == first
    assert set(order[:3]) == {"average of all", "average of 3", "scratch"}
    assert sorted(order) == sorted(arms)


@pytest.mark.parametrize("budget", [1, 100, 1200, 100_000])
def test_the_budget_is_kept(budget):
    ways = affordable(budget, 2, 48, 4, 20)
    assert ways == 1 or cost(ways, 2, 48, 4) <= budget
    assert ways == 11 or cost(ways + 1, 2, 48, 4) > budget


def test_one_source_has_its_ways_too():
    assert list(ways(["a"])) == ["spot from a", "proximal from a", "arithmetic"]


def test_an_average_is_the_mean_of_the_prompts(tried):
    made, target = tried
    shores = Shores(made, target, made.recipe.arms["average of all"])
    start = made.cross(target, shores.arm)[0].start
    prompts = [shores.saved(name, 0, "best").tokens for name in ("films", "books")]
    assert torch.allclose(start.tokens, torch.stack(prompts).mean(0), atol=1e-6)


def test_every_row_is_held_out_once_and_the_folds_are_alike():
    labels = [0] * 13 + [1] * 9 + [2] * 10
    folds = dealt(labels, 4, seed=1)
    counts = [
        [sum(f == fold and y == label for f, y in zip(folds, labels, strict=True)) for label in range(3)]
        for fold in range(4)
    ]
    assert sum(map(sum, counts)) == 32
    assert {sum(each) for each in counts} == {8}
    assert all(max(each) - min(each) <= 1 for each in zip(*counts, strict=True))
    assert dealt(labels, 4, seed=2) != folds


def test_of_very_many_rows_some_are_never_held_out():
    folds = dealt([0] * 600 + [1] * 200, 4, seed=0, most=40)
    assert [folds.count(fold) for fold in range(-1, 4)] == [760, 10, 10, 10, 10]
    assert sum(fold >= 0 for fold in folds[600:]) == 10


@pytest.fixture
def tried(shelf, tmp_path):  # noqa: F811
    """Return a study of ways from the shelf, and its target's name."""
    saved = shelves("", shelf / "shelf")
    asked = Request(sketch(str(data(tmp_path))), saved, str(shelf / "backbone"), 6, [0, 1], budget=10_000)
    recipe = asked.recipe(["films", "books"])
    return Study(recipe, tmp_path / "out"), next(iter(recipe.targets))


def test_no_row_is_scored_by_a_prompt_that_saw_it(tried):
    made, target = tried
    folds, domain = folded(made, target), made.materials.targets[target]
    for seed in (0, 1):
        every = sorted(domain.few(6, derive(seed, "shots"))[0]["text"])
        split = [made.materials.targets[fold].few(6, derive(seed, "shots")) for fold in folds]
        assert sorted(text for _, held in split for text in held["text"]) == every
        assert all(sorted([*learned["text"], *held["text"]]) == every for learned, held in split)


def test_the_labels_of_held_out_rows_change_no_prompt(tried, tmp_path):
    one, target = tried
    other = Study(one.recipe, tmp_path / "turned")
    folds = folded(one, target)
    for name in folded(other, target):
        fold = other.materials.targets[name]
        other.materials.targets[name] = Turned(**{f.name: getattr(fold, f.name) for f in fields(Fold)})
    arms = {name: shortened(arm, 2) for name, arm in one.recipe.arms.items()}
    assert {"scratch", *ways(["films", "books"])} == set(arms)
    known, turned = (unseen(each, folds, arms) for each in (one, other))
    for name, arm in arms.items():
        assert len(known[name]) == len(known["scratch"])
        assert not np.allclose(known[name], turned[name]), "they are scored by the labels that they have"
        for fold in folds:
            saved = [files.load(each.adaptation(fold, arm).stage.prompt(0, "last")) for each in (one, other)]
            parts = [list(one.injection.parts.values()) for one in saved]
            assert all(torch.equal(*pair) for pair in zip(*parts, strict=True)), (name, fold)


class Turned(Fold):
    """Be a fold whose held-out rows have other labels."""

    def few(self, *asked):
        learned, held = super().few(*asked)
        return learned, held.map(lambda row: {"label": 1 - row["label"]})


def data(folder):
    pico.frame(seed=5).to_csv(folder / "mine.csv")
    return folder / "mine.csv"


@pytest.fixture
def asked(shelf, tmp_path, monkeypatch):  # noqa: F811
    for module in ("recipe", "study"):
        monkeypatch.setattr(f"softbridge.{module}.bridging.STEPS", 8)
    monkeypatch.setattr("softbridge.recipe.bridging.LOOK", 2)
    file = data(tmp_path)

    def asked(out):
        where = ["--backbone", str(shelf / "backbone"), "--gallery", str(shelf / "shelf"), "--out", str(tmp_path / out)]
        return ["bridge", str(file), "--shots", "6", "--seeds", "0,1", "--budget", "200", *where]

    return asked


def test_bridge_leaves_a_prompt_a_report_and_the_contest(asked, tmp_path, call, monkeypatch):
    told = call(*asked("out"))
    found = json.loads((tmp_path / "out" / "contest.json").read_text())
    assert set(found["ranking"]) == {"films", "books"}
    assert all("scratch" in rung["unseen_loss"] for rung in found["rungs"])
    assert found["steps"] <= 200
    saved = files.load(tmp_path / "out" / "prompt")
    assert (tmp_path / "out" / "prompt" / "adapter_config.json").is_file()
    assert list(saved.card.data) == ["mine"]
    records = read([tmp_path / "out"])
    assert {record.arm for record in records} == {"scratch", found["winner"]}
    for record in records:
        assert record.data["target"]["sizes"]["labelled"] == 12, "all labelled rows are learned from"
        assert record.chosen_by == {"split": "the plan's", "metric": "last step"}
    assert "test accuracy" in told.lower()
    assert (tmp_path / "out" / "report" / "index.html").is_file()
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("a finished stage was trained again"))
    assert call(*asked("out")).splitlines()[-4:] == told.splitlines()[-4:]


@pytest.mark.parametrize("after", [1, 9])
def test_a_killed_bridge_ends_as_an_uninterrupted_one(asked, shelf, tmp_path, after):  # noqa: F811
    saved, file = shelves("", shelf / "shelf"), asked("")[1]
    made = Request(sketch(file), saved, str(shelf / "backbone"), 6, [0, 1], budget=200)
    whole = bridge(made, tmp_path / "whole")
    with dying(Training, after):
        bridge(made, tmp_path / "killed")
    killed = bridge(made, tmp_path / "killed")
    assert whole.rungs == killed.rungs
    assert all(np.array_equal(rows, killed.losses[name]) for name, rows in whole.losses.items())
    assert [record.members for record in whole.records] == [record.members for record in killed.records]
    assert torch.equal(*(files.load(each.prompt).injection.tokens for each in (whole, killed)))
    study.run(whole.recipe, tmp_path / "whole")
    assert sorted(record.arm for record in read([tmp_path / "whole"])) == sorted(whole.recipe.arms)


def test_rank_takes_data_and_trains_no_source(shelf, tmp_path, call):  # noqa: F811
    where = ["--backbone", str(shelf / "backbone"), "--gallery", str(shelf / "shelf"), "--out", str(tmp_path / "out")]
    told = call("rank", str(data(tmp_path)), *where)
    assert "films" in told
    assert "as it is" in told
    assert not list((tmp_path / "out" / "stages").glob("extract-*"))


def test_a_backbone_without_prompts_is_told(tmp_path, call):
    told = call("bridge", str(data(tmp_path)), "--backbone", "bert-tiny-splade", expect=2)
    assert "the gallery has no prompts of the backbone bert-tiny-splade" in told


def test_the_verbs_are_there():
    assert {"bridge", "gallery"} <= {command.name for command in app.registered_commands}
