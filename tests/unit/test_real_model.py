"""One look at a real backbone, where it is in the cache: the kinds of prompt enter it, and learning lowers the loss."""

import pytest
import torch
from accelerate import Accelerator

from softbridge.assets import cache
from softbridge.assets.table import ASSETS
from softbridge.backbones.base import BackboneSpec
from softbridge.batch import Rows
from softbridge.engine.loop import Member, Training
from softbridge.engine.plan import Plan
from softbridge.prompts.late import Late
from softbridge.prompts.prefix import Prefix
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from softbridge.study.judging import judge_on
from softbridge.study.materials import load_backbone

pytestmark = pytest.mark.skipif(
    cache.problem(ASSETS["minilm-l6"]) is not None, reason="minilm-l6 is not in the cache: softbridge assets fetch it"
)

TEXTS = ["a dull and lifeless film", "a joy from start to end", "what a waste of time", "warm, funny and wise"]


@pytest.fixture(scope="module")
def minilm():
    backbone = load_backbone(BackboneSpec("minilm-l6", max_length=16, precision="float32", attention="sdpa"))
    backbone.bind(["negative sentiment", "positive sentiment"])
    return backbone


def test_minilm_knows_good_from_bad_without_a_prompt(minilm):
    rows = Rows(minilm.tokenise(TEXTS), [0, 1, 0, 1])
    with torch.inference_mode():
        assert minilm.score(minilm.batch(rows), None).argmax(1).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("kind", [Soft(length=3), Prefix(length=3), Late(length=3)], ids=lambda kind: kind.name)
def test_a_few_steps_lower_the_loss_and_leave_minilm_alone(minilm, kind):
    before = minilm.fingerprint()
    rows = Rows(minilm.tokenise(TEXTS), [0, 1, 0, 1])
    plan = Plan(steps=6, batch=4, learning_rate=0.01, evaluate_every=6)
    member = Member("it", 0, kind.build(minilm.space(), generator(0, "init")), rows)
    judge = judge_on(minilm, [rows], plan, Accelerator(cpu=True))
    (trained,) = Training(minilm, [member], plan, judge, Accelerator(cpu=True)).run()
    first, last = (look["validation"]["loss"] for look in (trained.history[0], trained.history[-1]))
    assert last < first
    assert minilm.fingerprint() == before
