"""However long a training is, what is kept of it is bounded and evenly spread, and memory stays flat."""

from __future__ import annotations

import gc
import itertools
import os
from pathlib import Path

import pytest
import torch

from softbridge.engine import keeping
from softbridge.engine.keeping import MOST_LOOKS, MOST_PROMPTS, joined, kept, thinned
from softbridge.engine.plan import Plan
from softbridge.injection import Injection
from tests.parity.test_bank import train

LOOKS = 10_000


def gaps(numbers):
    return [b - a for a, b in itertools.pairwise(numbers)]


def test_a_history_thinned_by_and_by_is_bounded_and_even():
    best, history, numbers = 4321, [], {step: step // 5 for step in range(0, 5 * LOOKS, 5)}
    for number in range(LOOKS):
        history = thinned([*history, {"step": 5 * number}], numbers, 5 * min(number, best))
        assert len(history) <= MOST_LOOKS + 2
        assert history[-1] == {"step": 5 * number}
    held = [look["step"] // 5 for look in history]
    assert held[0] == 0
    assert best in held
    assert max(gaps(held)) <= 2 * LOOKS / MOST_LOOKS
    assert len(held) > MOST_LOOKS / 2


def test_prompts_thinned_by_and_by_are_bounded_and_even():
    prompts: list[Injection] = []
    for number in range(LOOKS):
        prompts = joined(prompts, Injection(torch.full((1, 1, 1), float(number))), number)
        assert len(prompts) <= MOST_PROMPTS + 1
    held = [int(prompt.tokens.item()) for prompt in prompts]
    assert held == kept(LOOKS, MOST_PROMPTS)
    assert held[0] == 0
    assert held[-1] == LOOKS - 1
    assert max(gaps(held)) <= 2 * LOOKS / MOST_PROMPTS
    assert len(held) > MOST_PROMPTS / 2


def test_a_training_keeps_what_the_rule_says_and_goes_on_from_a_thinned_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "MOST_PROMPTS", 4)
    monkeypatch.setattr(keeping, "MOST_LOOKS", 8)
    plan = Plan(steps=40, batch=4, learning_rate=0.05, evaluate_every=1)
    (whole,) = train([0], plan).run()
    assert len(whole.looks) == len(kept(41, 4))
    assert {look["step"] for look in whole.history} == {*kept(41, 8), whole.best_step}
    stopped = train([0], plan, folder=tmp_path)
    for step in range(24):
        stopped.look() if step == 0 else None
        stopped.move()
        stopped.look()
    (resumed,) = train([0], plan, folder=tmp_path).run()
    assert resumed.history == whole.history
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(resumed.looks, whole.looks, strict=True))


@pytest.mark.slow
def test_memory_is_flat_over_ten_thousand_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "MOST_LOOKS", 100)
    training = train([0, 1], Plan(steps=10_000, batch=4, learning_rate=0.01, evaluate_every=4), folder=tmp_path)
    used: dict[int, int] = {}
    files: dict[int, int] = {}

    def watch(step, *_):
        if step in (2_000, 10_000):
            gc.collect()
            used[step] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            files[step] = sum(file.stat().st_size for file in tmp_path.iterdir())

    training.watch = watch
    training.run()
    print(f"\nmemory after 2,000 and 10,000 steps: {[f'{n / 2**20:.1f} MiB' for n in used.values()]}, files {files}")
    assert used[10_000] - used[2_000] < 4 * 2**20
    assert files[10_000] < 1.3 * files[2_000]
