"""A member of a bank is the prompt it would have become alone: the rules of the house as assertions."""

import pytest
import torch
from accelerate import Accelerator
from transformers import Adafactor

from softbridge.batch import Rows
from softbridge.engine.loop import Member, Training
from softbridge.engine.plan import Plan
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from softbridge.study.judging import judge_on
from tests import pico

LENGTH = 4


def rows(backbone, seed, count=24):
    texts, labels = pico.texts(count, seed)
    return Rows(backbone.tokenise(texts), [backbone.words.index(label) for label in labels])


def train(seeds, plan, kind="sentence", folder=None):
    backbone = pico.BACKBONES[kind]()
    members = [
        Member(f"seed{s}", s, Soft(LENGTH).build(backbone.space(), generator(s, "init")), rows(backbone, s))
        for s in seeds
    ]
    accelerator = Accelerator(cpu=True)
    judge = judge_on(backbone, [rows(backbone, 99, 16)] * len(seeds), plan, accelerator)
    return Training(backbone, members, plan, judge, accelerator, folder=folder)


def apart(a, b):
    return max((x - b.parts[name]).abs().max().item() for name, x in a.parts.items())


@pytest.mark.parametrize("kind", ["sentence", "llama"])
@pytest.mark.parametrize("optimiser", ["adamw", "adafactor"])
def test_a_bank_of_three_equals_three_runs(kind, optimiser):
    plan = Plan(steps=12, batch=8, learning_rate=0.05, optimiser=optimiser, clip=0.5)
    bank = train([0, 1, 2], plan, kind).run()
    for seed, member in zip([0, 1, 2], bank, strict=True):
        (alone,) = train([seed], plan, kind).run()
        assert apart(member.last, alone.last) < 2e-5
        assert apart(member.best, alone.best) < 2e-5
        assert member.best_step == alone.best_step


def test_a_member_that_stops_leaves_the_others_as_they_would_be_alone():
    plan = Plan(steps=30, batch=8, learning_rate=0.3, patience=1, evaluate_every=3, schedule="constant")
    bank = train([0, 1, 2], plan).run()
    assert len({member.last_step for member in bank}) > 1, "the plan is to stop the members at different steps"
    for seed, member in zip([0, 1, 2], bank, strict=True):
        (alone,) = train([seed], plan).run()
        assert member.last_step == alone.last_step
        assert member.stopped == alone.stopped
        assert apart(member.last, alone.last) < 2e-4


def test_a_global_clip_would_not_be_a_clip_of_each_member():
    """The wrong way, to show that the test above can see it: one norm over all members."""
    training = train([0, 1, 2], Plan(steps=6, batch=8, learning_rate=0.05, clip=None))
    training.optimiser.register_step_pre_hook(
        lambda *_: torch.nn.utils.clip_grad_norm_(training.bank.parameters(), 1e-3) and None
    )
    plan = Plan(steps=6, batch=8, learning_rate=0.05, clip=1e-3)
    wrong = training.run()
    alone = [train([seed], plan).run()[0] for seed in [0, 1, 2]]
    right = train([0, 1, 2], plan).run()
    assert max(apart(r.last, a.last) for r, a in zip(right, alone, strict=True)) < 1e-4
    assert max(apart(w.last, a.last) for w, a in zip(wrong, alone, strict=True)) > 1e-6


def test_one_stacked_tensor_under_adafactor_would_mix_the_members():
    """Why the bank is a list: Adafactor clips the update of a whole tensor by its root mean square."""
    generator_ = torch.Generator().manual_seed(0)
    starts = [torch.randn(4, 8, generator=generator_) for _ in range(3)]
    pulls = [torch.randn(4, 8, generator=generator_) * scale for scale in (0.01, 1.0, 100.0)]

    def descend(parameters, gradients, steps=5):
        keys = {"scale_parameter": False, "relative_step": False, "warmup_init": False}
        optimiser = Adafactor(parameters, lr=0.1, **keys)
        for step in range(steps):
            for p, g in zip(parameters, gradients, strict=True):
                p.grad = g * (1 + step)
            optimiser.step()
        return [p.detach() for p in parameters]

    alone = [descend([torch.nn.Parameter(s.clone())], [g])[0] for s, g in zip(starts, pulls, strict=True)]
    listed = descend([torch.nn.Parameter(s.clone()) for s in starts], pulls)
    (stacked,) = descend([torch.nn.Parameter(torch.stack(starts))], [torch.stack(pulls)])
    assert max((a - b).abs().max() for a, b in zip(alone, listed, strict=True)) == 0
    assert max((a - b).abs().max() for a, b in zip(alone, stacked, strict=True)) > 1e-2


def test_members_with_rows_of_other_members_get_no_gradient():
    training = train([0, 1], Plan(steps=1, batch=4))
    training.standings[1].stopped = "by hand"
    training.move()
    assert training.bank[0].tokens.grad is not None
    assert training.bank[1].tokens.grad is None


@pytest.mark.parametrize("optimiser", ["adamw", "adafactor"])
@pytest.mark.parametrize("stop_at", [0, 5, 10, 15])
def test_a_run_that_was_killed_goes_on_bit_for_bit(tmp_path, optimiser, stop_at):
    plan = Plan(steps=20, batch=8, learning_rate=0.05, optimiser=optimiser, evaluate_every=5, patience=3)
    whole = train([0, 1], plan).run()
    killed = train([0, 1], plan, folder=tmp_path)

    def die(keep=killed.keep):
        keep()
        if killed.step == stop_at:
            raise KeyboardInterrupt

    killed.keep = die
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    resumed = train([0, 1], plan, folder=tmp_path).run()
    for a, b in zip(whole, resumed, strict=True):
        assert apart(a.last, b.last) == 0
        assert apart(a.best, b.best) == 0
        assert (a.best_step, a.stopped, a.history) == (b.best_step, b.stopped, b.history)


def test_accumulation_is_only_a_matter_of_memory():
    one = train([0], Plan(steps=5, batch=8, learning_rate=0.05)).run()[0]
    four = train([0], Plan(steps=5, batch=8, learning_rate=0.05, accumulation=4)).run()[0]
    assert apart(one.last, four.last) < 1e-5


def test_training_learns():
    (member,) = train([0], Plan(steps=60, batch=8, learning_rate=0.3)).run()
    first, last = member.history[0]["validation"]["loss"], member.history[-1]["validation"]["loss"]
    assert last < 0.8 * first
