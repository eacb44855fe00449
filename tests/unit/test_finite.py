"""A loss or gradient that is not finite: member and rows are named, the member or the run stops, the others go on."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from softbridge import study
from softbridge.engine.plan import Plan
from softbridge.errors import StudyError
from softbridge.study.joint import JointTraining
from tests import pico
from tests.parity.test_bank import apart, train
from tests.unit.test_mpt import edited, shared_stage

WORD = "superb"
PLAN = {"steps": 12, "batch": 4, "learning_rate": 0.05, "evaluate_every": 2}


class Poison:
    """Add NaN to the loss of each row that has a word."""

    formula = "poison"

    def __call__(self, backbone, rows, prompt, scores):
        bad = (rows.input_ids == pico.WORDS.index(WORD)).any(-1)
        return torch.where(bad, torch.nan, 0.0) * scores.sum(-1)


class Steep:
    """Add 0 to the loss, with a gradient that is not finite."""

    formula = "steep"

    def __call__(self, backbone, rows, prompt, scores):
        return (0 * scores.sum(-1)).sqrt()


def poisoned(term, seeds=(0, 1, 2), **keys):
    training = train(list(seeds), Plan(**PLAN | keys))
    training.terms[list(seeds).index(1)] = term
    return training


def test_a_member_whose_loss_is_nan_stops_with_its_rows_named_and_the_others_go_on():
    training = poisoned(Poison())
    rows, feed = training.members[1].rows, training.feeds[1]
    has = {i for i, ids in enumerate(rows.ids) if pico.WORDS.index(WORD) in ids}
    step = next(s for s in range(12) if has & set(feed.rows_at(s)))
    clean, broken, other = training.run()
    assert broken.stopped.startswith(f"at step {step}: loss nan, gradient norm nan, from the rows ")
    for row in has & set(feed.rows_at(step)):
        assert f"{row} '{training.backbone.tokenizer.decode(rows.ids[row])}'" in broken.stopped
    assert broken.last_step <= step
    assert all(torch.isfinite(part).all() for kept in (broken.best, broken.last) for part in kept.parts.values())
    assert torch.isfinite(training.bank[1].bake().tokens).all(), "the step reached the prompt"
    for seed, member in ((0, clean), (2, other)):
        (alone,) = train([seed], Plan(**PLAN)).run()
        assert member.stopped is None
        assert (member.last_step, member.best_step) == (12, alone.best_step)
        assert apart(member.last, alone.last) < 2e-5


def test_a_gradient_that_is_not_finite_stops_the_member_too():
    _, broken, _ = poisoned(Steep()).run()
    assert broken.stopped.startswith("at step 0: loss ")
    assert broken.stopped.endswith("gradient norm nan")
    assert "loss nan" not in broken.stopped


@pytest.mark.parametrize("term", [Poison(), Steep()])
def test_the_run_ends_where_the_plan_says_so(term):
    with pytest.raises(StudyError, match=r"the member seed1 came to loss .*, gradient norm nan.* at step"):
        poisoned(term, nonfinite="raise").run()


def joint(tmp_path, monkeypatch, poison, keys=""):
    """Run a study with MPT, whose seed 1 has a poisoned task; return its stage's result and prompts."""
    plain = JointTraining.__post_init__

    def prepare(self):
        plain(self)
        if poison:
            self.terms[self.members(1)[0]] = Poison()

    monkeypatch.setattr(JointTraining, "__post_init__", prepare)
    labels = "labels: {negative: awful, positive: lovely}"
    changes = {
        "books: {data: books.csv}": f"books: {{data: books.csv, {labels}}}",
        "evaluate_every: 4}": f"evaluate_every: 2{keys}}}",
    }
    recipe = edited(tmp_path, changes, "  mpt: {bridge: mpt}\n")
    study.run(recipe, tmp_path / "out")
    stage = shared_stage(tmp_path / "out")
    members = json.loads((stage / "result.json").read_text())["members"]
    return members, [load_file(stage / f"prompts/seed{seed}.safetensors") for seed in (0, 1)]


def test_a_seed_of_a_shared_training_stops_and_leaves_the_others_as_they_were(tmp_path, monkeypatch):
    for name in ("clean", "poisoned"):
        (tmp_path / name).mkdir()
    (clean, _), prompts = joint(tmp_path / "clean", monkeypatch, False)
    (other, broken), left = joint(tmp_path / "poisoned", monkeypatch, True)
    assert broken["stopped"].startswith("at step ")
    assert "loss nan, gradient norm nan, from the rows books " in broken["stopped"]
    assert WORD in broken["stopped"]
    assert broken["last_step"] == broken["history"][-1]["step"] < 8
    assert (other["stopped"], other["best_step"], other["last_step"]) == (None, clean["best_step"], 8)
    assert all((left[0][name] - part).abs().max() < 2e-5 for name, part in prompts[0].items())
    assert any((left[1][name] - part).abs().max() > 1e-3 for name, part in prompts[1].items())


def test_a_shared_training_ends_where_the_plan_says_so(tmp_path, monkeypatch):
    with pytest.raises(StudyError, match=r"the member seed1 came to loss nan.* from the rows books "):
        joint(tmp_path, monkeypatch, True, ", nonfinite: raise")
