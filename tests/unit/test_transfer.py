"""What transfer brought, from made-up records whose every figure can be worked out by hand."""

import statistics
from dataclasses import replace

import pytest

from softbridge.reports.transfer import standings
from tests.unit.test_records import record

SCORES = {  # arm -> target -> a score a seed
    "no prompt": {"products": [0.5], "news": [0.5]},
    "scratch": {"products": [0.6, 0.7], "news": [0.8, 0.6]},
    "scratch at both budgets": {"products": [0.6, 0.6], "news": [0.7, 0.7]},
    "spot": {"products": [0.7, 0.9], "news": [0.7, 0.6]},
}
LOSSES = {
    "scratch": [0.9, 0.5, 0.6],
    "scratch at both budgets": [0.9, 0.7, 0.6],
    "spot": [0.7, 0.5, 0.4],
    "no prompt": [0.9],
}


def made(name, target):
    base = record(target, "scratch")
    scores = SCORES[name][target]
    history = [
        {"step": 4 * i, "epoch": 0.0, "train_loss": 1.0, "validation": {"loss": loss, "accuracy": 0.5}}
        for i, loss in enumerate(LOSSES[name])
    ]
    members = [
        {**base.members[0], "seed": seed, "history": history, "best": {"step": 4, "test": {"accuracy": score}}}
        for seed, score in enumerate(scores)
    ]
    bridge = {"no prompt": "none", "spot": "spot"}.get(name, "scratch")
    arms = {n: {"budget": "combined" if n.endswith("budgets") else "target"} for n in SCORES}
    return replace(
        base, arm=name, members=members, bridge={**base.bridge, "name": bridge}, recipe={**base.recipe, "arms": arms}
    )


@pytest.fixture
def arms():
    return {
        arm.name: arm for arm in standings([made(name, target) for name in SCORES for target in ("products", "news")])
    }


def test_gains_are_paired_by_target_and_seed(arms):
    assert arms["spot"].gain == pytest.approx((0.1 + 0.2 - 0.1 + 0.0) / 4)
    assert arms["spot"].gain_combined == pytest.approx((0.1 + 0.3 + 0.0 - 0.1) / 4)
    low, high = arms["spot"].interval
    assert (low + high) / 2 == pytest.approx(arms["spot"].gain)
    assert (high - low) / 2 == pytest.approx(3.182446 * statistics.stdev([0.1, 0.2, -0.1, 0.0]) / 2)
    assert arms["scratch"].gain == 0
    assert arms["no prompt"].gain == pytest.approx((-0.1 - 0.2 - 0.3 - 0.1) / 4), "one member stands for every seed"


def test_ranks_are_averaged_over_targets_and_ties_share(arms):
    # products: spot .8, scratch .65, both .6, none .5; news: scratch .7 = both .7, spot .65, none .5
    assert {name: arm.rank for name, arm in arms.items()} == {
        "spot": 2.0,
        "scratch": 1.75,
        "scratch at both budgets": 2.25,
        "no prompt": 4.0,
    }
    assert next(iter(arms)) == "scratch", "the best rank first"


def test_negative_transfer_is_the_share_below_scratch(arms):
    assert arms["spot"].negative == 0.25
    assert arms["no prompt"].negative == 1.0


def test_steps_to_scratchs_best(arms):
    assert (arms["scratch"].steps, arms["scratch"].reached) == (4, 1.0)
    assert (arms["spot"].steps, arms["spot"].reached) == (4, 1.0)
    assert (arms["scratch at both budgets"].steps, arms["scratch at both budgets"].reached) == (None, 0.0)
    assert (arms["no prompt"].steps, arms["no prompt"].reached) == (None, None)


def test_without_scratch_there_is_nothing_to_compare_with():
    with pytest.raises(ValueError, match="scratch"):
        standings([made("spot", "news")])
