"""What a measure of similarity is worth, from made-up records whose every figure can be worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from softbridge.errors import StudyError
from softbridge.records.likeness import Likeness, keep, kept
from softbridge.reports.foresight import agreement, by_chance, foresights, gains, regret, spearman
from tests.unit.test_records import record

few = settings(deadline=None, max_examples=50)  # a busy machine is no failure
SCRATCH = {"news": [0.6, 0.7], "toys": [0.5, 0.5]}
SCORES = {  # target -> source -> a score a seed
    "news": {"films": [0.7, 0.9], "books": [0.6, 0.8], "pets": [0.6, 0.6], "news": [1.0, 1.0]},
    "toys": {"films": [0.4, 0.6], "books": [0.5, 0.7], "pets": [0.6, 0.8]},
}
LOSSES = {"films": 0.9, "books": 0.5, "pets": 0.3, "news": 0.1}  # of the source prompt, before training


def made(target, source=None):
    base = replace(record("news", "spot" if source else "scratch"), target=target)
    scores = SCORES[target][source] if source else SCRATCH[target]
    history = [{"step": 0, "epoch": 0.0, "train_loss": None, "validation": {"loss": LOSSES.get(source, 1.0)}}]
    members = [
        {**base.members[0], "seed": seed, "history": history, "best": {"step": 4, "test": {"accuracy": score}}}
        for seed, score in enumerate(scores)
    ]
    arms = {f"from {name}": {"budget": "target", "source": name} for name in LOSSES} | {"scratch": {"budget": "target"}}
    prints = {name: {"fingerprint": name} for name in LOSSES}
    return replace(
        base,
        arm=f"from {source}" if source else "scratch",
        members=members,
        sources=[source] if source else [],
        recipe={**base.recipe, "arms": arms},
        recipe_digest="d1",
        data={"source": {source: prints[source]} if source else {}, "target": {"fingerprint": target}},
    )


RECORDS = [made(target, source) for target in SCORES for source in (None, *SCORES[target])]


def likeness(target, **values):
    return Likeness("toy", "d1", target, [0, 1], values, "2026-01-01T00:00:00+00:00", {})


LIKE = [
    likeness("news", right={"films": [0.9, 0.9], "books": [0.4, 0.6], "pets": [0.1, 0.1]}),
    likeness("news", wrong={"films": [0.1, 0.1], "books": [0.5, 0.5], "pets": [0.9, 0.9]}),
    likeness("toys", right={"films": [0.0, 0.2], "books": [0.5, 0.5], "pets": [0.9, 0.9]}),
    likeness("toys", wrong={"films": [0.5, 0.5], "books": [0.9, 0.9], "pets": [0.1, 0.1]}),
    replace(likeness("toys", other={"films": [1.0, 1.0]}), recipe_digest="d2"),
]


@pytest.fixture
def found():
    return {one.measure: one for one in foresights(RECORDS, LIKE)}


def test_gains_leave_out_the_target_s_own_data():
    gained = gains(RECORDS)
    assert gained["news"]["films"] == pytest.approx([0.1, 0.2])
    assert gained["toys"]["pets"] == pytest.approx([0.1, 0.3])
    assert set(gained["news"]) == {"films", "books", "pets"}


def test_of_a_loss_the_gain_is_what_it_fell_by():
    def scored(record, scores):
        members = [{**m, "best": {"test": {"loss": s}}} for m, s in zip(record.members, scores, strict=True)]
        return replace(record, members=members)

    gained = gains([scored(made("news"), [0.9, 0.8]), scored(made("news", "films"), [0.5, 1.0])], "loss")
    assert gained["news"]["films"] == pytest.approx([0.4, -0.2])


def test_a_right_measure_and_a_wrong_one(found):
    assert set(found) == {"right", "wrong", "trial", "blind"}, "another recipe's likeness is left out"
    assert found["right"].spearman == {"news": 1.0, "toys": 1.0}
    assert (found["right"].mean_regret(1), found["right"].pairs) == (0.0, 6)
    assert found["wrong"].spearman == {"news": -1.0, "toys": -0.5}
    # gains: news .15 .05 -.05 of films, books, pets; toys .0 .1 .2
    assert found["wrong"].regret[1] == pytest.approx({"news": 0.2, "toys": 0.1})
    assert found["wrong"].regret[2] == pytest.approx({"news": 0.1, "toys": 0.1})
    assert next(iter(found)) == "right", "the highest correlation first"


def test_a_trial_is_the_loss_before_training(found):
    assert found["trial"].spearman == {"news": -1.0, "toys": 1.0}
    assert found["trial"].correlation == 0.0


def test_a_blind_measure_has_no_correlation_and_the_regret_of_a_blind_choice(found):
    assert (found["blind"].correlation, found["blind"].chance) == (None, None)
    assert found["blind"].regret[1] == pytest.approx({"news": 0.1, "toys": 0.1})
    assert found["blind"].regret[2] == pytest.approx({"news": 0.1 / 3, "toys": 0.1 / 3})


def test_chance_is_the_share_of_orders_that_are_as_good(found):
    assert found["right"].chance == pytest.approx(1 / 36, abs=0.01)
    assert found["wrong"].chance > 0.9
    assert by_chance([([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])]) == by_chance([([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])])


def test_agreement_is_between_seeds():
    assert agreement({"news": {"a": [0.1, 0.3], "b": [0.2, 0.2], "c": [0.3, 0.1]}}) == -1.0
    assert agreement(gains(RECORDS)) == pytest.approx((stats.spearmanr([0.1, 0, 0], [0.2, 0.1, -0.1])[0] + 1.0) / 2)


@few
@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=9))
def test_spearman_is_scipy_s(pairs):
    a, b = ([float(x) for x in side] for side in zip(*pairs, strict=True))
    ours = spearman(a, b)
    if ours is None:
        assert len(set(a)) == 1 or len(set(b)) == 1
    else:
        assert ours == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-9)


@few
@given(near=st.lists(st.integers(0, 3), min_size=1, max_size=6), k=st.integers(1, 7), data=st.data())
def test_regret_falls_with_k_and_ends_at_nothing(near, k, data):
    scores = data.draw(st.lists(st.floats(0, 1), min_size=len(near), max_size=len(near)))
    assert regret(near, scores, k) >= regret(near, scores, k + 1) - 1e-12
    assert regret(near, scores, len(near)) == 0.0
    assert regret(scores, scores, 1) == 0.0


def test_without_what_is_compared_there_is_no_judgement():
    with pytest.raises(ValueError, match="no arm carries one source alone"):
        foresights([made("news")], [])
    with pytest.raises(ValueError, match="from scratch"):
        foresights([made("news", "films")], [])


def test_a_likeness_is_kept_once_and_read_back(tmp_path):
    for one in (*LIKE, replace(LIKE[0], created="later")):
        keep(tmp_path, one)
    assert sorted(kept([tmp_path]), key=str) == sorted(LIKE, key=str)
    with pytest.raises(StudyError, match="no likeness under"):
        kept([tmp_path / "other"])
    next((tmp_path / "likeness").iterdir()).write_text("{}")
    with pytest.raises(StudyError, match="is damaged"):
        kept([tmp_path])
