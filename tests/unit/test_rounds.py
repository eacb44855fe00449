"""The search itself, without a model: what is proposed, kept, spent and stopped."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from softbridge.errors import RoundsError
from softbridge.evaluation.calibration import temperature, tempered
from softbridge.rounds import Budget, Known, Outcome, Rounds, State, search
from softbridge.rounds.base import Labelled, Move, Policy, Renewed, Round
from softbridge.rounds.keeping import best, judge
from softbridge.rounds.pseudo import confident
from softbridge.rounds.table import MOVES, POLICIES

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "rounds.json").read_text())
KNOWN = Known(sources=("books", "films", "songs"), mixture=(("films", 1.0),), length=5, pool=400)
EVERY = {name: cls() for name, cls in MOVES.items()}


def cost(state, share):
    """Count as a study does: 24 steps of 8 rows for 3 seeds."""
    steps = max(1, math.ceil(round(24 * state.steps * share, 6)))
    looked = 3 * state.pseudo.pool if state.pseudo else 0
    measured = 3 * 64 if state.renewed and state.renewed.share else 0
    return steps * 8 * 3 + looked + measured


def world(value, noise=0.0, seed=0, seeds=3):
    """Return an attempt in which a state is worth `value(state)`, with noise of its own each time."""
    draw = np.random.default_rng(seed)

    def attempt(states, share):
        return [
            Outcome(s, share, tuple(value(s) + noise * draw.standard_normal(seeds)), cost(s, share)) for s in states
        ]

    return attempt


def rounds(policy="greedy", budget=None, moves=None, **more):
    made = policy if not isinstance(policy, str) else POLICIES[policy]()
    return Rounds(made, moves or EVERY, budget or Budget(rounds=6), **more)


@pytest.mark.parametrize("cls", [*POLICIES.values(), *MOVES.values()], ids=lambda cls: cls.name)
def test_every_policy_and_move_is_one_frozen_dataclass_with_its_citation(cls):
    made = cls()
    assert isinstance(made, Policy if cls in POLICIES.values() else Move)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.other = 1
    year = cls.reference.rstrip(".").split()[-1] if cls.name != "greedy" else "2021"
    assert year in cls.bibtex
    assert {**POLICIES, **MOVES}[cls.name] is cls


@pytest.mark.parametrize("cls", MOVES.values(), ids=lambda cls: cls.name)
def test_a_move_proposes_states_that_differ_from_each_other_and_from_where_they_start(cls):
    proposals = cls().propose(State(), State(), KNOWN)
    states = [one.state for one in proposals]
    assert proposals
    assert len({State(), *states}) == len(states) + 1
    assert all(one.words for one in proposals)


def test_the_rule_is_the_paired_t_test_and_as_the_golden_script_has_it():
    gains = GOLDEN["gains"][0]
    alone = judge([gains], 0.1, 1)[0]
    assert (alone.gain > alone.bar) == (stats.ttest_1samp(gains, 0, alternative="greater").pvalue < 0.1)
    for verdicts, told in (
        (judge(GOLDEN["gains"][:1], 0.1, 1), "alone"),
        (judge(GOLDEN["gains"], 0.1, 9), "three of nine"),
    ):
        found = [[v.gain, v.error, v.bar] for v in verdicts]
        assert np.allclose(found, GOLDEN[told], rtol=1e-4)


def test_a_change_without_finite_scores_or_with_one_seed_never_helps():
    verdicts = judge([[math.nan, 1.0, 1.0], [1.0, 1.1, 0.9]], 0.1, 2)
    assert [v.helps for v in verdicts] == [False, True]
    assert not judge([[1.0]], 0.1, 1)[0].helps
    assert best(judge([[math.nan] * 3], 0.1, 1)) is None


@pytest.mark.parametrize("policy", ["greedy", "successive_halving"])
@pytest.mark.parametrize("worth", [0.0, -0.01])
def test_what_cannot_help_is_never_kept(policy, worth):
    found = search(rounds(policy), KNOWN, world(lambda s: worth if s != State() else 0.0), cost)
    assert found.kept.state == State()
    assert sum(tried.kept for tried in found.log) == 1, "the arm as it is"
    assert len(found.log) > 5


def test_greedy_keeps_what_helps_and_goes_on_from_there():
    def value(state):
        return 0.1 * (state.rate == 2.5) + 0.2 * (state.steps == 2.0) - 1.0 * bool(state.pseudo or state.renewed)

    found = search(rounds(), KNOWN, world(value, noise=1e-4), cost)
    assert (found.kept.state.rate, found.kept.state.steps) == (2.5, 2.0)
    assert [tried.words for tried in found.log if tried.kept][:3] == [
        "the arm as it is",
        "learning rate x 2.5",
        "steps x 2",
    ]
    assert found.stopped == "budget: 6 rounds"
    assert len({tried.outcome.state for tried in found.log}) == len(found.log), "nothing is tried twice"


@pytest.mark.parametrize(("policy", "seeds"), [("greedy", 3), ("greedy", 6), ("successive_halving", 3)])
def test_noise_is_kept_no_more_often_than_the_level_says(policy, seeds):
    many, kept, played = 400, 0, 0
    for seed in range(many):
        found = search(rounds(policy, Budget(rounds=1), level=0.1), KNOWN, world(lambda s: 0.0, 1.0, seed, seeds), cost)
        kept += found.kept.state != State()
        played += 1
    assert kept / played < 0.1 + 3 * math.sqrt(0.09 / many)  # three standard errors of the share
    if policy == "greedy":
        assert kept / played > 0.1 - 3 * math.sqrt(0.09 / many), "the test says what it promises"


def test_the_rule_without_its_correction_would_keep_noise():
    """The checker above can fail: judged as if it were alone, the best of nine is kept far more often."""
    draw = np.random.default_rng(0)
    kept = sum(any(judge([one], 0.1, 1)[0].helps for one in draw.standard_normal((9, 3))) for _ in range(200)) / 200
    fair = sum(best(judge(draw.standard_normal((9, 3)), 0.1, 9)) is not None for _ in range(200)) / 200
    assert kept > 0.3
    assert fair < 0.17


@pytest.mark.parametrize(
    ("candidates", "eta", "sizes"),
    [(9, 3, [9, 3]), (8, 2, [8, 4, 2]), (16, 4, [16, 4]), (3, 3, [3]), (27, 3, [27, 9, 3])],
)
def test_successive_halving_trains_and_keeps_the_right_number_a_rung(candidates, eta, sizes):
    policy = POLICIES["successive_halving"](candidates=candidates, eta=eta)
    worth = {}
    found = search(
        rounds(policy, Budget(rounds=1)), KNOWN, world(lambda s: worth.setdefault(s, 0.1 + 0.01 * len(worth))), cost
    )
    log = [tried for tried in found.log if tried.round]
    assert [sum(t.rung == i + 1 for t in log) for i in range(len(sizes))] == sizes
    assert [next(t.outcome.share for t in log if t.rung == i + 1) for i in range(len(sizes))] == [
        eta ** -(len(sizes) - 1.0 - i) for i in range(len(sizes))
    ]
    for i in range(1, len(sizes)):
        before = {t.outcome.state: t.outcome.scores[0] for t in log if t.rung == i}
        went = [t.outcome.state for t in log if t.rung == i + 1]
        assert set(went) == set(sorted(before, key=before.get, reverse=True)[: sizes[i]]), "the best of them went on"
    assert found.kept.state == max(worth, key=worth.get)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(576, 20_000),
    policy=st.sampled_from(["greedy", "successive_halving"]),
    seed=st.integers(0, 99),
    fewer=st.integers(0, 100),
)
def test_the_budget_is_never_exceeded(rows, policy, seed, fewer):
    """Whatever is kept, and however much less than its most a training takes."""
    attempt = world(lambda s: 0.2 * s.steps + 0.1 * s.rate, 0.05, seed)

    def saving(states, share):
        return [dataclasses.replace(one, rows=max(1, one.rows - fewer)) for one in attempt(states, share)]

    found = search(rounds(policy, Budget(rounds=None, rows=rows)), KNOWN, saving, cost)
    assert found.rows <= rows
    assert found.stopped.startswith(("budget", "no proposal"))


def test_a_second_round_of_halving_tries_pairs_where_every_single_change_was_tried():
    policy = POLICIES["successive_halving"](candidates=4, eta=2)
    few = {name: EVERY[name] for name in ("rate", "longer", "length")}  # four single changes
    found = search(rounds(policy, Budget(rounds=2), few), KNOWN, world(lambda s: 0.0), cost)
    first, words = ([t.words for t in found.log if t.round == number and t.rung == 1] for number in (1, 2))
    assert len(first) == len(words) == 4
    assert not any(", " in single for single in first)
    assert all(", " in pair for pair in words)


def test_patience_and_used_up_proposals_end_a_search():
    flat = world(lambda s: 0.0)
    assert search(rounds(patience=2), KNOWN, flat, cost).stopped == "patience: 2 rounds in a row kept nothing"
    few = {"longer": MOVES["longer"]()}
    assert search(rounds(moves=few), KNOWN, flat, cost).stopped == "no proposal is left that was not tried"
    one = search(rounds(budget=Budget(rounds=None, rows=600)), KNOWN, flat, cost)
    assert one.stopped == "budget: the 24 row-passes that are left pay for no proposal"
    assert search(rounds(budget=Budget(rounds=0)), KNOWN, flat, cost).rows == 576


def test_optuna_tries_combinations_and_repeats_itself():
    pytest.importorskip("optuna")
    value = world(lambda s: 0.1 * (s.rate == 2.5) + 0.2 * (s.steps == 2.0), 1e-3)
    how = rounds(POLICIES["optuna"](startup=2), Budget(rounds=10))
    first = search(how, KNOWN, value, cost)
    again = search(how, KNOWN, world(lambda s: 0.1 * (s.rate == 2.5) + 0.2 * (s.steps == 2.0), 1e-3), cost)
    assert [t.outcome.state for t in first.log] == [t.outcome.state for t in again.log]
    assert first.kept.state != State()
    assert any(", " in t.words for t in first.log), "several moves at once"


def test_a_round_proposes_each_move_in_turn_and_only_what_can_be_paid():
    moves = [MOVES["rate"](), MOVES["longer"](), MOVES["pseudo"]()]
    round = Round(1, State(), moves, KNOWN, frozenset({State(rate=2.5)}), (), cost, left=1000)
    assert [one.words for one in round.propose(State())] == ["learning rate x 0.4"]
    free = dataclasses.replace(round, left=None, tried=frozenset())
    assert [one.words for one in free.propose(State())] == [
        "learning rate x 2.5",
        "steps x 2",
        "pseudo-labels from confidence 0.9",
        "learning rate x 0.4",
    ]


def test_what_needs_a_trained_prompt_reads_the_kept_one():
    kept = State(rate=2.5, added=5)
    renewed = MOVES["renew"]().propose(kept, kept, KNOWN)[0].state
    assert renewed.renewed == Renewed(0.2, kept)
    pseudo = MOVES["pseudo"]().propose(renewed, kept, KNOWN)[0].state
    assert pseudo.pseudo == Labelled(0.9, 256, kept)
    assert not MOVES["mixture"]().propose(renewed, kept, KNOWN), "a trained prompt has its start behind it"


def test_wrong_settings_are_told_in_three_parts():
    for make in (
        lambda: MOVES["rate"](factors=(1.0,)),
        lambda: MOVES["longer"](factor=0.5),
        lambda: MOVES["longer"](factor=8.0),
        lambda: MOVES["length"](add=(0,)),
        lambda: MOVES["renew"](shares=(1.0,)),
        lambda: MOVES["pseudo"](confidences=(1.0,)),
        lambda: MOVES["pseudo"](pool=0),
        lambda: MOVES["mixture"](step=0.0),
        lambda: POLICIES["successive_halving"](eta=1),
        lambda: POLICIES["optuna"](startup=0),
        lambda: Budget(rounds=None, rows=None),
        lambda: Budget(rounds=-1),
        lambda: rounds(level=0.0),
        lambda: rounds(patience=0),
        lambda: Rounds(POLICIES["greedy"](), {}),
    ):
        with pytest.raises(RoundsError) as error:
            make()
        assert error.value.seen
        assert error.value.expected
        assert error.value.fix


def test_temperature_is_what_the_golden_script_finds_and_brings_noisy_scores_back():
    assert temperature(np.array(GOLDEN["chances"]), GOLDEN["labels"]) == pytest.approx(GOLDEN["temperature"], rel=1e-4)
    draw = np.random.default_rng(0)
    scores = 1.5 * draw.standard_normal((4000, 3))
    true = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    labels = [int(draw.choice(3, p=row)) for row in true]
    hot = np.exp(2.5 * scores) / np.exp(2.5 * scores).sum(1, keepdims=True)  # 2.5 times too confident
    found = temperature(hot, labels)
    assert found == pytest.approx(2.5, rel=0.1)
    assert np.allclose(tempered(hot, 2.5), true)
    sure = tempered(hot, found).max(1) >= 0.9
    right = hot.argmax(1) == labels
    assert right[sure].mean() > 0.9 > right[hot.max(1) >= 0.9].mean(), "above 0.9, nine in ten are right: only then"


def test_pseudo_labels_are_as_many_of_each_class_and_the_most_confident():
    chances = np.array([[0.99, 0.01], [0.95, 0.05], [0.93, 0.07], [0.05, 0.95], [0.02, 0.98], [0.6, 0.4]])
    assert confident(chances, 0.9, 5) == [(0, 0), (1, 0), (3, 1), (4, 1)]
    assert confident(chances, 0.9, 1) == [(0, 0), (4, 1)]
    assert confident(chances, 0.985, 5) == [], "a class without a sure row leaves none"
