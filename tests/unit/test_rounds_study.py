"""Rounds in a study on pico models: stages, resuming, what is refused, and which rows are learned from."""

import dataclasses
import json

import pytest
import torch

from softbridge import recipe as recipes
from softbridge import study
from softbridge.engine.loop import Training
from softbridge.engine.optimisers import factor
from softbridge.errors import RecipeError
from softbridge.prompts import files
from softbridge.recipe.explaining import explain
from softbridge.rounds import State
from softbridge.rounds.base import Labelled, Renewed
from softbridge.rounds.table import MOVES
from softbridge.seeding import derive
from softbridge.study import testing
from softbridge.study.attempts import Attempts
from softbridge.study.learning import learn, prompt_folder
from softbridge.study.rounds import stage_of
from softbridge.study.rungs import learn_abreast
from softbridge.study.study import Study
from tests import toy as toys
from tests.dying import dying

ARMS = """\
  scratch: {bridge: scratch}
  spot: {bridge: spot, source: films}
  greedy:
    bridge: spot
    source: films
    rounds:
      moves:
        rate:
        longer:
        length: {add: [2]}
        renew: {shares: [0.3]}
        pseudo: {confidences: [0.5], pool: 20}
        mixture:
      budget: {rounds: 6}
  halving:
    bridge: spot
    source: films
    rounds:
      policy: successive_halving
      candidates: 8
      eta: 2
      moves: [rate, longer, length, renew, pseudo, mixture]
      budget: {rounds: 1, rows: 2000}
"""


@pytest.fixture
def toy(tmp_path):
    return make(tmp_path)


def make(folder, arms=ARMS):
    return recipes.read(toys.make(folder, arms, seeds=[0, 1, 2]))


def numbers(records):
    """Return all of the records but the seconds."""
    return json.dumps([[r.target, r.arm, r.members, r.losses, without_seconds(r.budget)] for r in records])


def without_seconds(value):
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


def test_a_search_records_every_proposal_with_its_outcome_and_cost(toy, tmp_path):
    result = {r.arm: r for r in study.run(toy, tmp_path / "out").records}
    for arm, tried in (("greedy", 6), ("halving", 8 + 4 + 2)):
        found = result[arm].budget["rounds"]
        assert len(found["log"]) == 1 + tried
        assert found["rows"] == sum(line["rows"] for line in found["log"])
        assert result[arm].budget["rows_seen"] > found["rows"], "and the sources'"
        assert all(len(line["validation"]) == 3 and line["rows"] > 0 for line in found["log"])
        kept = [line for line in found["log"] if line["kept"]][-1]
        best = [member["best"]["validation"]["loss"] for member in result[arm].members]
        assert kept["validation"] == best, "the test scored what was kept"
        assert result[arm].cost["seconds"] == pytest.approx(found["seconds"], abs=1e-3)
    assert [line["share"] for line in result["halving"].budget["rounds"]["log"]] == [1.0] + [0.25] * 8 + [0.5] * 4 + [
        1.0
    ] * 2
    words = {line["change"] for line in result["greedy"].budget["rounds"]["log"]}
    assert len(words) == 7
    assert result["greedy"].sources == ["films", "books"], "which its rounds may mix"
    assert "rounds" not in result["spot"].budget


def test_the_arm_itself_is_the_stage_of_the_plain_arm_and_test_is_scored_for_what_is_kept_alone(
    toy, tmp_path, monkeypatch
):
    scored, score = [], testing.score
    monkeypatch.setattr(
        testing,
        "score",
        lambda m, stage, lesson, *rest: scored.append(lesson.stage.digest) or score(m, stage, lesson, *rest),
    )
    study.run(toy, tmp_path / "out")
    made = Study(toy, tmp_path / "out")
    kept = [stage_of(made, "toys", toy.arms[arm]).result()["kept"]["stage"] for arm in ("greedy", "halving")]
    plain = [made.adaptation("toys", toy.arms[arm]).stage.digest for arm in ("scratch", "spot")]
    assert len(scored) == len(set(scored))
    assert set(scored) == {*plain, *kept}
    assert made.adaptation("toys", toy.arms["greedy"]).stage.digest == plain[1]


@pytest.mark.parametrize("after", [20, *(pytest.param(n, marks=pytest.mark.slow) for n in (9, 14, 26, 33, 38))])
def test_a_search_that_was_killed_ends_with_the_numbers_of_one_that_was_not(tmp_path, after):
    toy = make(tmp_path)
    whole = study.run(toy, tmp_path / "whole").records
    with dying(Training, after):
        study.run(toy, tmp_path / "killed")
    resumed = study.run(recipes.read(tmp_path / "killed" / "recipe.yaml"), tmp_path / "killed").records
    assert numbers(whole) == numbers(resumed)


def test_a_kill_between_the_stages_of_a_rung_changes_no_number(toy, tmp_path, monkeypatch):
    """The bank is the one that was begun, although some of its lessons are finished when the run goes on."""
    from softbridge.study import rungs

    whole = study.run(toy, tmp_path / "whole").records
    conclude, count = rungs.conclude, iter(range(1000))

    def die(*given):
        if next(count) == 3:
            raise KeyboardInterrupt
        return conclude(*given)

    with monkeypatch.context() as patch:
        patch.setattr(rungs, "conclude", die)
        with pytest.raises(KeyboardInterrupt):
            study.run(toy, tmp_path / "killed")
    assert numbers(study.run(toy, tmp_path / "killed").records) == numbers(whole)


def test_a_second_run_trains_nothing_and_a_lost_search_is_found_again_from_its_trials(toy, tmp_path, monkeypatch):
    first = study.run(toy, tmp_path / "out").records
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("a finished stage was trained again"))
    assert numbers(study.run(toy, tmp_path / "out").records) == numbers(first)
    for folder in (tmp_path / "out" / "stages").glob("rounds-*"):
        (folder / "result.json").unlink()
    assert numbers(study.run(toy, tmp_path / "out").records) == numbers(first)


def test_planning_tells_what_rounds_may_cost_at_most_and_then_what_they_did(toy, tmp_path):
    before = {stage.name: stage for stage in study.plan(toy, tmp_path / "out") if stage.name.startswith("rounds")}
    assert len([s for s in study.plan(toy, tmp_path / "out") if s.name.startswith("rounds")]) == 2
    assert before["rounds-toys-spot"].rows == 2000 - 48, "of the last one: its rows, less the arm's own"
    records = study.run(toy, tmp_path / "out").records
    after = study.plan(toy, tmp_path / "out")
    assert all(stage.finished for stage in after)
    told = [stage.note for stage in after if stage.name.startswith("rounds")]
    assert all("row-passes; budget" in note or "row-passes; no proposal" in note for note in told)
    greedy = next(r for r in records if r.arm == "greedy").budget["rounds"]
    made = Study(toy, tmp_path / "fresh")
    from softbridge.study.rounds import most

    bound = most(Attempts(made, "toys", toy.arms["greedy"]), toy.arms["greedy"].rounds)
    assert greedy["rows"] <= bound == 48 + 6 * (3 * 4 * 16 + 3 * 16 + 3 * 20)


@pytest.fixture
def attempts(toy, tmp_path):
    made = Study(toy, tmp_path / "out")
    for source in ("films", "books"):
        made.extract(source)
    found = Attempts(made, "toys", toy.arms["greedy"])
    learn(made.materials, found.own, made.watcher)
    return found


def test_pseudo_labels_are_of_pool_rows_alone(attempts):
    """No validation row, no test row, no row that is learned from already; and the labels are the prompt's own."""
    state = State(pseudo=Labelled(0.5, 30, State()))
    for seed in (0, 1, 2):
        rows, told = attempts.labelled(state, seed)
        train, looked = attempts.materials.few(attempts.domain, seed, 8, 4)
        test = attempts.materials.test(attempts.domain)
        every = attempts.materials.rows(attempts.domain.validation)
        taken = {tuple(ids) for ids in rows.ids}
        assert taken
        assert "labelled at temperature" in told
        for other in (train, looked, test, every):
            assert not taken & {tuple(ids) for ids in other.ids}
        pool = attempts.domain.pool(8, derive(seed, "shots"))
        assert taken <= {tuple(ids) for ids in attempts.materials.rows(pool).ids}
        assert rows.labels.count(0) == rows.labels.count(1) <= 8
    lesson = attempts.lesson(state)
    result = learn(attempts.materials, lesson, attempts.study.watcher)
    assert [m["rows"] for m in result["members"]] == [16 + len(attempts.labelled(state, s)[0]) for s in (0, 1, 2)]


def test_what_is_renewed_are_the_least_important_tokens_and_nothing_else(attempts):
    from softbridge.study.pruning import measured

    trained = files.load(prompt_folder(attempts.own.stage, 1, "best")).injection
    train, _ = attempts.materials.few(attempts.domain, 1, 8, 4)
    worth = measured(attempts.materials.backbone, trained, train, 1)[:, 0]
    begun = attempts.renewed(State(renewed=Renewed(0.3, State())), 1)
    same = (begun.start.tokens == trained.tokens).all(dim=-1)[0]
    assert same.tolist() == [i != int(worth.argmin()) for i in range(3)]
    assert torch.equal(attempts.renewed(State(renewed=Renewed(0.0, State())), 1).start.tokens, trained.tokens)


def test_a_longer_prompt_begins_with_the_one_that_crossed_and_a_mixture_is_the_weighted_sum(attempts):
    plain, longer = attempts.own.crossings, attempts.cross(State(added=5))
    for before, after in zip(plain, longer, strict=True):
        assert after.start.tokens.shape[1] == 8
        assert torch.equal(after.start.tokens[:, :3], before.start.tokens)
    mixed = attempts.cross(State(mixture=(("books", 0.25), ("films", 0.75))))[0].start.tokens
    books, films = (
        files.load(prompt_folder(attempts.study.extraction(n), 0, "best")).injection.tokens for n in ("books", "films")
    )
    assert torch.allclose(mixed, 0.25 * books + 0.75 * films)
    both = State(added=4, renewed=Renewed(0.3, State(added=2)))
    learn(attempts.materials, attempts.lesson(State(added=2)), attempts.study.watcher)
    assert attempts.cross(both)[0].start.tokens.shape[1] == 7, "two more than the trained one's five"


def test_a_changed_plan_is_the_stage_of_an_arm_that_says_so(attempts, tmp_path):
    lesson = attempts.lesson(State(rate=0.4, steps=2.0))
    arm = attempts.arm
    said = dataclasses.replace(
        arm, rounds=None, plan=dataclasses.replace(arm.plan, steps=8, learning_rate=0.02, evaluate_every=4)
    )
    assert lesson.stage.digest == attempts.study.adaptation("toys", said).stage.digest
    assert attempts.plan(State(), 0.25).steps == 1


def test_a_lesson_in_a_bank_is_what_it_is_alone(attempts):
    """Learning rates differ, and each member's numbers are those of a bank of its own."""
    states = [State(rate=2.5), State(rate=0.4), State(pseudo=Labelled(0.5, 30, State()))]
    lessons = [attempts.lesson(state) for state in states]
    together = learn_abreast(attempts.materials, lessons, attempts.study.watcher)
    for state, lesson, result in zip(states, lessons, together, strict=True):
        other = dataclasses.replace(
            lesson, stage=dataclasses.replace(lesson.stage, facts={**lesson.stage.facts, "alone": True})
        )
        alone = learn(attempts.materials, other, attempts.study.watcher)
        assert alone["rows_seen"] == result["rows_seen"] == 3 * 16
        for one, two in zip(alone["members"], result["members"], strict=True):
            for a, b in zip(one["history"], two["history"], strict=True):
                assert a["validation"]["loss"] == pytest.approx(b["validation"]["loss"], abs=1e-5)
                assert a["learning_rate"] == pytest.approx(b["learning_rate"])
            assert two["history"][1]["learning_rate"] == pytest.approx(factor(2, lesson.plan) * 0.05 * state.rate)


HALVING = "bridge: spot\n    source: films\n    rounds:\n      policy"


def test_a_stage_that_stands_twice_in_a_rung_is_carried_out_once(attempts):
    """As where so few steps are left that two changes come to the same."""
    one, other = attempts.lesson(State(rate=2.5)), attempts.lesson(State(rate=0.4))
    first, second, third = learn_abreast(attempts.materials, [one, other, one], attempts.study.watcher)
    assert first == third != second


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("moves: [rate, longer,", "moves: [rat, longer,", "there is no move 'rat'; write rate"),
        ("policy: successive_halving", "policy: halving", "there is no policy 'halving'; write successive_halving"),
        ("eta: 2", "eta: 1", "rounds.eta  is 1; raise eta"),
        ("eta: 2", "etta: 2", "is no key here; write eta"),
        ("rows: 2000", "rows: 20", "rounds.budget.rows  is 20, and the arm's first training takes 48"),
        ("length: {add: [2]}", "length: {add: [0]}", "moves.length.add  is 0; write add: [5]"),
        ("seeds: [0, 1, 2]", "seeds: [0]", "compare paired seeds, and there is 1"),
        ("prompt: {length: 3}", "prompt: {kind: prefix, length: 3}", "has length, which works on virtual tokens"),
        (HALVING, HALVING.replace("spot", "proximal"),
         "has mixture, and the bridge proximal brings more than a start"),
        (HALVING, HALVING.replace("spot", "reuse"),
         "stand with the bridge reuse, which trains nothing on the target"),
        (HALVING, HALVING.replace("films\n", "films\n    budget: combined\n"),
         "stand with budget: combined"),
        (HALVING, HALVING.replace("films\n", "films\n    training: {choose_by: last}\n"),
         "ask validation, and the arm's choose_by is last"),
        ("eta: 2", "eta: 2\n      level: 0.7", "rounds.level  is 0.7; write level: 0.1"),
        ("      moves: [rate, longer, length, renew, pseudo, mixture]\n", "", "rounds.moves  is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_when_the_recipe_is_read(tmp_path, old, new, told):
    file = toys.make(tmp_path, ARMS, seeds=[0, 1, 2])
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(RecipeError) as error:
        recipes.read(file)
    assert told in str(error.value)


def test_optuna_is_refused_with_how_to_install_it_where_it_is_missing(tmp_path, monkeypatch):
    from softbridge.recipe import rounds

    monkeypatch.setattr(rounds, "find_spec", lambda name: None)
    text = ARMS.replace("policy: successive_halving", "policy: optuna").replace(
        "      candidates: 8\n      eta: 2\n", ""
    )
    with pytest.raises(RecipeError, match=r"pip install 'softbridge\[optuna\]'"):
        make(tmp_path, text)


def test_optuna_runs_in_a_study(tmp_path):
    pytest.importorskip("optuna")
    text = ARMS.replace("policy: successive_halving", "policy: optuna").replace(
        "      candidates: 8\n      eta: 2\n", ""
    )
    records = study.run(make(tmp_path, text.replace("rounds: 1, rows", "rounds: 4, rows")), tmp_path / "out").records
    found = next(r for r in records if r.arm == "halving").budget["rounds"]
    assert len(found["log"]) == 5
    assert found["rounds"]["policy"] == "optuna"


def test_a_resolved_recipe_reads_back_and_is_told_and_cited(toy):
    assert recipes.resume(toy.resolved(), "a record") == toy
    assert "then in rounds by greedy, at most 6 rounds: rate, longer" in explain(toy)
    told = " ".join(reason for reasons in recipes.citations(toy).values() for reason in reasons)
    assert "rounds by greedy" in told
    assert all(f"the move {name}" in told for name in MOVES)
