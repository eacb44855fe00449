"""A whole study on pico models and toy domains: stages, resuming, records, and what is refused."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from softbridge import recipe as recipes
from softbridge import reports, study
from softbridge.engine.loop import Training
from softbridge.errors import DataError
from softbridge.prompts import files
from softbridge.records.store import read
from softbridge.study.predicting import predict
from tests import pico
from tests import toy as toys
from tests.dying import dying

ARMS = """\
  no prompt: {bridge: none}
  reuse: {bridge: reuse, source: films}
  scratch: {bridge: scratch}
  scratch at both budgets: {bridge: scratch, budget: combined}
  random: {bridge: random, source: films}
  spot: {bridge: spot}
"""


@pytest.fixture(params=["sentence", "causal"])
def toy(request, tmp_path):
    return make(tmp_path, request.param)


def make(folder, kind="sentence"):
    return recipes.read(toys.make(folder, ARMS, kind=kind))


def numbers(records):
    return {(r.target, r.arm): json.dumps([r.members, r.losses]) for r in records}


def test_a_study_runs_and_its_records_hold_together(toy, tmp_path):
    result = study.run(toy, tmp_path / "out")
    assert {r.arm for r in result.records} == set(toy.arms)
    by_arm = {r.arm: r for r in result.records}
    for record in result.records:
        assert len(record.members) == (1 if record.arm == "no prompt" else 2)
        for member in record.members:
            assert set(member["best"]["test"]) >= {"accuracy", "macro_f1", "matthews", "calibration_error", "loss"}
    assert by_arm["scratch"].budget["target_steps"] == 4
    assert by_arm["scratch at both budgets"].budget["target_steps"] == 4 + 2 * 8
    assert by_arm["reuse"].budget["target_steps"] == 0
    assert by_arm["reuse"].members[0]["best"] == by_arm["reuse"].members[0]["last"]
    assert by_arm["spot"].sources == ["films", "books"]
    assert "by per_token_cosine" in by_arm["spot"].members[0]["note"]
    assert {loss["domain"] for loss in by_arm["spot"].losses} == {"films", "books", "toys"}
    assert by_arm["scratch"].losses[0]["M"] == 16
    assert len(read([tmp_path / "out"])) == len(toy.arms)


def test_without_validation_rows_all_are_learned_from_and_the_last_prompt_is_kept(tmp_path):
    make(tmp_path)
    asked = ["targets.toys.validation=0", "validation_shots=null", "training.target.choose_by=last", "shots=6"]
    text = (tmp_path / "toy.yaml").read_text()
    (tmp_path / "toy.yaml").write_text(text[: text.index("  no prompt")] + text[text.index("  scratch:") :])
    result = study.run(recipes.read(tmp_path / "toy.yaml", asked), tmp_path / "out")
    for record in result.records:
        assert record.chosen_by == {"split": "the plan's", "metric": "last step"}
        for member in record.members:
            assert member["best"] == member["last"]
            assert all(look["validation"] == {} for look in member["history"])
    assert "s last step chose" in reports.write([tmp_path / "out"], tmp_path / "report").html.read_text()
    with pytest.raises(DataError, match="has no validation rows"):
        study.run(recipes.read(tmp_path / "toy.yaml", [*asked, "training.target.choose_by=loss"]), tmp_path / "loss")


def test_a_second_run_trains_nothing_and_says_the_same(toy, tmp_path, monkeypatch):
    first = study.run(toy, tmp_path / "out")
    before = sorted(p.name for p in (tmp_path / "out" / "records").iterdir())
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("a finished stage was trained again"))
    second = study.run(toy, tmp_path / "out")
    assert numbers(first.records) == numbers(second.records)
    assert sorted(p.name for p in (tmp_path / "out" / "records").iterdir()) == before


def test_a_stage_is_said_to_be_finished_before_once_and_only_by_a_later_run(tmp_path):
    arms = "  spot: {bridge: spot, rounds: {moves: [rate], patience: 1}}\n  scratch: {bridge: scratch}\n"
    recipe = recipes.read(toys.make(tmp_path, arms), ["shots=[4, 8]"])
    heard = []
    for _ in range(2):
        console = Console(file=StringIO(), width=200)
        study.run(recipe, tmp_path / "out", console)
        lines = console.file.getvalue().splitlines()
        heard.append([line for line in lines if line.endswith(": finished before")])
    assert heard[0] == []
    names = [folder.name.rpartition("-")[0] for folder in (tmp_path / "out" / "stages").iterdir()]
    again = [line.removesuffix(": finished before") for line in heard[1]]
    assert {"extract-films", "extract-books"} & set(again)
    assert all(again.count(name) <= names.count(name) for name in again), again


@pytest.mark.parametrize("after", [1, 3, 6, 11, 17])
def test_a_killed_study_ends_with_the_numbers_of_an_uninterrupted_one(tmp_path, after):
    toy = make(tmp_path)
    whole = study.run(toy, tmp_path / "whole")
    with dying(Training, after):
        study.run(toy, tmp_path / "killed")
    resumed = study.run(recipes.read(tmp_path / "killed" / "recipe.yaml"), tmp_path / "killed")
    assert numbers(whole.records) == numbers(resumed.records)


def test_texts_that_stand_in_two_splits_are_told_once(tmp_path):
    make(tmp_path)
    rows = pico.frame(seed=2).to_pandas()
    rows["split"] = np.where(np.arange(len(rows)) < len(rows) // 2, "train", "test")
    rows.loc[len(rows) - 1, ["text", "label"]] = rows.loc[0, ["text", "label"]]
    rows.to_csv(tmp_path / "toys.csv", index=False)
    told = StringIO()
    study.run(
        recipes.read(tmp_path / "toy.yaml", ["arms={none: {bridge: none}}"]), tmp_path / "out", Console(file=told)
    )
    assert told.getvalue().count("toys: 1 text stood in both train and") == 1


def test_planning_names_the_stages_and_what_is_finished(tmp_path):
    toy = make(tmp_path)
    before = study.plan(toy, tmp_path / "out")
    assert len(before) == 2 + 6 + 6  # sources; arms on the target; their test scores
    assert not any(stage.finished for stage in before)
    study.run(toy, tmp_path / "out")
    assert all(stage.finished for stage in study.plan(toy, tmp_path / "out"))


def test_a_new_learning_rate_reuses_the_sources(tmp_path):
    toy = make(tmp_path)
    study.run(toy, tmp_path / "out")
    other = recipes.read(tmp_path / "toy.yaml", ["training.target.learning_rate=0.01"])
    finished = {stage.name: stage.finished for stage in study.plan(other, tmp_path / "out")}
    assert finished["extract-films"]
    assert not finished["adapt-toys-spot"]


def test_a_saved_prompt_predicts_what_the_study_scored(tmp_path):
    toy = make(tmp_path)
    result = study.run(toy, tmp_path / "out")
    spot = next(r for r in result.records if r.arm == "spot")
    folder = tmp_path / "out" / spot.members[0]["prompt"]
    domain = toy.targets["toys"].open("toys")
    said = [label for label, _ in predict(folder, domain.test["text"][:])]
    right = [domain.classes[y] for y in domain.test["label"][:]]
    accuracy = sum(a == b for a, b in zip(said, right, strict=True)) / len(right)
    assert accuracy == pytest.approx(spot.members[0]["best"]["test"]["accuracy"])
    card = files.load(folder).card
    assert card.parents == tuple(spot.members[0]["note"].split(",")[0].removeprefix("from ").split())


def test_a_catalogue_model_comes_from_the_hub_where_asked(monkeypatch):
    from softbridge.assets.table import ASSETS
    from softbridge.backbones.base import BackboneSpec
    from softbridge.study import materials

    asked = []
    monkeypatch.setattr(materials, "load", lambda spec, *rest, **more: asked.append((spec.name, spec.revision, rest)))
    monkeypatch.setattr(materials.assets, "fetch", lambda name: f"cache/{name}")
    entry = ASSETS["minilm-l6"]
    materials.load_backbone(BackboneSpec("minilm-l6", hub=True))
    materials.load_backbone(BackboneSpec("minilm-l6"))
    assert asked[0] == (entry.hub_id, entry.revision, ())
    assert asked[1][:2] == ("minilm-l6", None)
    assert asked[1][2][0] == "cache/minilm-l6"


EVERY = """
  arithmetic: {bridge: arithmetic}
  arithmetic, untrained: {bridge: arithmetic, train: false, scale: 0.5, onto: new}
  average: {bridge: spot, top: 2}
  mixture: {bridge: spot, top: 2, how: mixture}
  best of 2: {bridge: spot, top: 2, how: best}
  grouped: {bridge: grouped}
  attempt: {bridge: attempt, rank: 4}
  panda: {bridge: panda}
  code form: {bridge: panda, form: code}
  ensemble: {bridge: ensemble, rank: 4}
  snapshots: {bridge: snapshots, rank: 4, count: 2}
  intrinsic: {bridge: intrinsic}
  proximal: {bridge: proximal}
  mpt: {bridge: mpt}
"""


def every_bridge(folder, kind):
    """Write a recipe with every bridge; a classifier's head needs training, so bare arms go."""
    make(folder, kind)
    text = (folder / "toy.yaml").read_text().rstrip() + EVERY
    if kind.endswith("classifier"):
        text = text.replace("precision:", f"kind: {kind}, precision:").replace("  no prompt: {bridge: none}\n", "")
    (folder / "every.yaml").write_text(text)
    return recipes.read(folder / "every.yaml")


@pytest.mark.parametrize("kind", ["sentence", "encoder_classifier"])
def test_every_bridge_runs_and_each_source_is_trained_once(tmp_path, kind, monkeypatch):
    recipe = every_bridge(tmp_path, kind)
    trained, run = [], Training.run
    monkeypatch.setattr(Training, "run", lambda self: trained.append(self.folder.name.rsplit("-", 1)[0]) or run(self))
    result = study.run(recipe, tmp_path / "out")
    assert {r.arm for r in result.records} == set(recipe.arms)
    assert {name: trained.count(name) for name in trained if name.startswith("extract")} == {
        "extract-films": 1,
        "extract-books": 1,
        "extract-books-films": 1,
    }
    by_arm = {r.arm: r for r in result.records}
    looks = by_arm["proximal"].members[0]["history"]
    assert looks[0]["term"] is None
    assert all(look["term"] > 0 for look in looks[1:])
    fine, pull = by_arm["proximal"].losses[-2:]
    assert (fine["term"], pull["term"]) == (f"cross_entropy + {pull['term']}", "anchor_l2: 0.1 ||P - P_s||^2")
    assert fine["last"] > pull["last"] > 0
    assert "term" not in by_arm["spot"].members[0]["history"][0]
    trained.clear()
    again = study.run(recipe, tmp_path / "out")
    assert not trained
    assert numbers(again.records) == numbers(result.records)


def test_a_target_is_never_its_own_source(tmp_path):
    make(tmp_path)
    text = (tmp_path / "toy.yaml").read_text().replace("  toys: {data: toys.csv}", "  films: {data: films.csv}")
    (tmp_path / "own.yaml").write_text(text.replace(", source: films}", ", source: books}"))
    result = study.run(recipes.read(tmp_path / "own.yaml"), tmp_path / "out")
    spot = next(r for r in result.records if r.arm == "spot")
    assert [member["note"] for member in spot.members] == ["from books"] * 2


def test_an_arm_that_names_a_target_s_own_data_says_so(tmp_path):
    make(tmp_path)
    text = (tmp_path / "toy.yaml").read_text().replace("targets:\n", "targets:\n  films: {data: films.csv}\n")
    (tmp_path / "own.yaml").write_text(text)
    recipe = recipes.read(tmp_path / "own.yaml")
    said = StringIO()
    study.run(recipe, tmp_path / "out", Console(file=said, width=200))
    told = [line for line in said.getvalue().splitlines() if "no transfer" in line]
    end = "its source is the target's own data; this is no transfer"
    assert told == [f"films / reuse: {end}", f"films / random: {end}"]
    notes = [stage.note for stage in study.plan(recipe, tmp_path / "out") if "own data" in stage.note]
    assert notes == ["not trained, from the target's own data", "2 members, from the target's own data"]


MATRIX = """
  spot, each: {{bridge: spot, each: true}}
  attempt, each: {{bridge: attempt, rank: 4, each: true, sources: [films]}}
"""


def matrix(folder, shots="[4, 8]"):
    """Write a recipe whose domains are sources and targets, each source alone."""
    make(folder)
    text = (folder / "toy.yaml").read_text().rstrip() + MATRIX.replace("{{", "{").replace("}}", "}")
    text = text.replace("targets:\n", "targets:\n  films: {data: films.csv}\n").replace(
        "shots: 8", f"shots: {shots}", 1
    )
    (folder / "matrix.yaml").write_text(text)
    return recipes.read(folder / "matrix.yaml")


def test_a_matrix_trains_each_source_once_and_carries_no_domain_to_itself(tmp_path, monkeypatch):
    recipe = matrix(tmp_path)
    trained, run = [], Training.run
    monkeypatch.setattr(Training, "run", lambda self: trained.append(self.folder.name.rsplit("-", 1)[0]) or run(self))
    result = study.run(recipe, tmp_path / "out")
    assert [trained.count(f"extract-{name}") for name in ("films", "books")] == [1, 1]
    cells = {(r.recipe["shots"], r.target, r.arm): r for r in result.records}
    for shots in (4, 8):
        alone = {(target, arm) for s, target, arm in cells if s == shots and "each from" in arm}
        assert alone == {
            ("films", "spot, each from books"),
            ("toys", "spot, each from films"),
            ("toys", "spot, each from books"),
            ("toys", "attempt, each from films"),
        }
    one = cells[8, "toys", "spot, each from books"]
    assert (one.sources, one.bridge["family"]) == (["books"], "spot, each")
    assert one.budget["source_steps"] == 8, "of one source"
    assert "family" not in cells[8, "toys", "spot"].bridge
    before = len(trained)
    study.run(recipes.read(tmp_path / "out" / "recipe.yaml"), tmp_path / "out")
    assert len(trained) == before, "the resolved recipe goes on with the same stages"
    assert all(stage.finished for stage in study.plan(recipe, tmp_path / "out"))


def test_several_shots_leave_the_records_of_one_run_each(tmp_path):
    both = study.run(matrix(tmp_path), tmp_path / "both").records
    alone = [r for shots in (4, 8) for r in study.run(matrix(tmp_path, shots), tmp_path / str(shots)).records]
    assert [(r.recipe_digest, r.target, r.arm) for r in both] == [(r.recipe_digest, r.target, r.arm) for r in alone]
    assert [json.dumps(r.members) for r in both] == [json.dumps(r.members) for r in alone]
