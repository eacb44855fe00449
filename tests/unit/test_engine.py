"""The plan, the cutting of passes, standing and stopping, and the optimisers."""

import pytest
import torch

from softbridge.batch import cut
from softbridge.engine import checkpoint, optimisers
from softbridge.engine.plan import Plan
from softbridge.engine.stopping import Standing
from softbridge.errors import SoftbridgeError, StudyError
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank
from softbridge.prompts.soft import SoftPrompt


@pytest.mark.parametrize(
    "keys", [{"steps": -1}, {"batch": 0}, {"learning_rate": 0}, {"warmup": 1.5}, {"clip": 0}, {"patience": 0}]
)
def test_a_plan_refuses_what_is_out_of_range(keys):
    with pytest.raises(SoftbridgeError):
        Plan(**keys)


def test_looks_hold_the_start_and_the_end():
    assert Plan(steps=10, evaluate_every=4).looks() == [0, 4, 8, 10]
    assert Plan(steps=0).looks() == [0]
    assert Plan(steps=3).looks() == [0, 1, 2, 3]


def test_passes_cover_every_row_once_and_keep_their_size():
    lengths = [3, 50, 7, 7, 9, 50, 4, 100]
    groups = list(cut(lengths, 60))
    assert sorted(i for group in groups for i in group) == list(range(8))
    assert all(len(g) == 1 or len(g) * max(lengths[i] for i in g) <= 60 for g in groups)
    padding = sum(len(g) * max(lengths[i] for i in g) for g in groups) - sum(lengths)
    assert padding < 0.1 * sum(lengths)


def look(standing, *losses):
    for step, loss in enumerate(losses):
        standing.look(step, Injection(torch.full((1, 1, 1), float(step))), {"loss": loss, "accuracy": 1 - loss})


def test_the_best_look_is_kept_and_patience_stops():
    standing = Standing(Plan(patience=2))
    look(standing, 0.9, 0.5, 0.6, 0.55)
    assert standing.best_step == 1
    assert standing.best.tokens.item() == 1
    assert "at step 3" in standing.stopped


def test_the_last_look_is_kept_where_the_plan_says_so():
    standing = Standing(Plan(choose_by="last"))
    look(standing, 0.9, 0.5, 0.6)
    assert standing.best_step == 2
    standing.look(3, Injection(), {})
    assert standing.best_step == 3
    with pytest.raises(SoftbridgeError, match="patience is 2, and choose_by is last"):
        Plan(choose_by="last", patience=2)


def test_an_equal_accuracy_is_settled_by_the_loss():
    standing = Standing(Plan(choose_by="accuracy"))
    standing.look(0, Injection(), {"loss": 0.9, "accuracy": 0.5})
    standing.look(1, Injection(), {"loss": 0.8, "accuracy": 0.5})
    standing.look(2, Injection(), {"loss": 0.1, "accuracy": 0.4})
    assert standing.best_step == 1


@pytest.mark.parametrize(
    ("schedule", "want"),
    [
        ("linear", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447]),
    ],
)
def test_schedules(schedule, want):
    bank = Bank({"a": SoftPrompt(torch.zeros(1, 2))})
    optimiser, scheduler = optimisers.make(bank, Plan(steps=6, warmup=1 / 3, learning_rate=1.0, schedule=schedule))
    got = []
    for _ in range(6):
        got.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    assert got == pytest.approx(want, abs=1e-5)


def test_a_damaged_checkpoint_is_told(tmp_path):
    path = tmp_path / "checkpoint.pt"
    assert checkpoint.read(path) is None
    checkpoint.write(path, {"step": 3, "tensor": torch.ones(2)})
    assert checkpoint.read(path)["step"] == 3
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StudyError, match="delete"):
        checkpoint.read(path)
