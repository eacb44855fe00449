"""MPT: the product of prompts, its distillation, the tasks of a step, and the stage in which they learn together."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from softbridge import recipe as recipes
from softbridge import study
from softbridge.bridges.base import Joined
from softbridge.bridges.mpt import Mpt, Schooling, mean_of
from softbridge.domains.feeds import Feed, TaskFeed
from softbridge.errors import BridgeError
from softbridge.injection import Injection, shared
from softbridge.prompts import files
from softbridge.prompts.decomposed import DecomposedPrompt, averaged, sharing
from softbridge.prompts.headed import HeadedPrompt
from softbridge.study.joint import JointTraining
from tests import pico
from tests.dying import dying
from tests.unit.test_bridge_terms import batch, headed, prompts
from tests.unit.test_bridges import draw, shore, tokens
from tests.unit.test_study import make, numbers

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "bridges.json").read_text())["mpt"]
KINDS = ["sentence", "llama", "seq2seq t5", "masked bert", "encoder_classifier bert"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_product_begins_at_the_shared_prompt_and_they_share_it():
    begun = Injection(draw(100)[None])
    teachers = {name: {name: Injection(draw(i)[None])} for i, name in enumerate(["films", "books", "toys"])}
    pupils = Mpt().gather(begun, teachers, generator())
    assert list(pupils) == list(teachers)
    assert all(torch.equal(pupil.prompt.bake().tokens[0], draw(100)) for pupil in pupils.values())
    assert len({id(pupil.prompt.shared) for pupil in pupils.values()}) == 1
    assert len({id(pupil.prompt.rows) for pupil in pupils.values()}) == 3
    assert all(pupil.term.teacher is teachers[name][name] for name, pupil in pupils.items())
    noisy = Mpt(noise=0.01).gather(begun, teachers, generator())
    assert len({float(pupil.prompt.bake().tokens.sum()) for pupil in noisy.values()}) == 3
    assert all(pupil.term is None for pupil in Mpt(strength=0.0).gather(begun, teachers, generator()).values())


def test_the_target_begins_at_the_shared_prompt_times_the_mean_factors_with_two_speeds():
    there = shore(("movies", "news"))
    crossing = Mpt(pace=2.0).cross(there)
    assert torch.equal(tokens(crossing), draw(100))
    assert crossing.parents == ("movies", "news")
    assert {share: len(ps) for share, ps in crossing.start.groups().items()} == {1.0: 1, 2.0: 2}
    made = sharing(draw(1), 2, 0.5, 1.0, generator())
    start = averaged(made)
    rows, columns = (torch.stack([getattr(p, part) for p in made]).mean(0) for part in ("rows", "columns"))
    torch.testing.assert_close(start.bake().tokens[0], draw(1) * (rows @ columns))
    assert start.shared is not made[0].shared, "the target's training would move the sources' prompt"


def test_heads_are_averaged_beside_the_products():
    made = sharing(draw(1), 2, 0.0, 1.0, generator())
    heads = [HeadedPrompt(p, torch.full((2, 8), float(i)), torch.full((2,), float(i))) for i, p in enumerate(made)]
    start = mean_of(Joined(dict(zip("ab", heads, strict=True)), {}))
    assert isinstance(start, HeadedPrompt)
    assert torch.equal(start.bake().head, torch.full((1, 2, 8), 0.5))
    assert torch.equal(start.bake().tokens[0], draw(1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_equal_to_its_teacher_has_no_term_and_no_gradient(kind):
    backbone = pico.BACKBONES[kind]()
    rows, (one, other, _) = batch(backbone), [headed(backbone, prompt) for prompt in prompts(backbone)]

    def term(teacher, hidden):
        student = shared(one.each(lambda part: part.clone().requires_grad_()), rows.input_ids)
        added = Schooling(teacher, 0.9, hidden)(backbone, rows, student, backbone.score(rows, student))
        (slope,) = torch.autograd.grad(added.sum(), student.tokens)
        return added, slope

    for hidden in (True, False):
        added, slope = term(one, hidden)
        assert added.abs().max() < 1e-6
        assert slope.abs().max() < 1e-5
    both, slope = term(other, True)
    answers, _ = term(other, False)
    assert (answers > 1e-7).all()
    assert (both > answers).all()
    assert slope.abs().max() > 1e-5


def test_products_and_distillation_equal_the_golden_numbers():
    base = torch.tensor(GOLDEN["base"])
    made = sharing(base, 2, 0.0, 1.0, generator())
    for prompt, rows, columns in zip(made, GOLDEN["rows"], GOLDEN["columns"], strict=True):
        prompt.rows.data, prompt.columns.data = torch.tensor([rows]).T, torch.tensor([columns])
    found = torch.cat([prompt.bake().tokens for prompt in made])
    torch.testing.assert_close(found, torch.tensor(GOLDEN["products"]), atol=1e-6, rtol=1e-5)
    start = mean_of(Joined(dict(zip("ab", made, strict=True)), {}))
    torch.testing.assert_close(start.bake().tokens[0], torch.tensor(GOLDEN["start"]), atol=1e-6, rtol=1e-5)
    (told, said), (theirs, ours) = torch.tensor(GOLDEN["scores"]), torch.tensor(GOLDEN["states"])
    student, rows = Injection(torch.zeros(1, 1, 6)), SimpleNamespace(input_ids=torch.zeros(1, 1))
    backbone = SimpleNamespace(
        score=lambda rows, prompt: told[None], vectors=lambda rows, p: (ours if p is student else theirs)[None]
    )
    term = Schooling(Injection(torch.zeros(1, 1, 6)), 0.9, True)(backbone, rows, student, said[None])
    torch.testing.assert_close(term, torch.tensor([GOLDEN["term"]]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("key", "wrong"), [("strength", -1.0), ("pace", 0.0), ("cap", 0), ("noise", -0.1)])
def test_what_cannot_be_is_refused(key, wrong):
    with pytest.raises(BridgeError, match=f"{key} is {wrong}"):
        Mpt(**{key: wrong})


def feed(sizes=(10, 20, 30, 40), batch=6, seed=0, **keys):
    return TaskFeed([Feed(size, batch, 7 + i) for i, size in enumerate(sizes)], batch, seed, **keys)


def test_a_step_draws_two_to_all_tasks_by_its_seed_and_number():
    drawn = [feed().tasks_at(step) for step in range(200)]
    assert {len(tasks) for tasks in drawn} == {2, 3, 4}
    assert all(len(set(tasks)) == len(tasks) for tasks in drawn)
    many = torch.tensor([len(tasks) for tasks in drawn]).bincount()[2:]
    assert many.min() > 45, "the number is drawn uniformly"
    assert drawn == [feed().tasks_at(step) for step in range(200)]
    assert drawn != [feed(seed=1).tasks_at(step) for step in range(200)]
    assert {len(feed(sampling=False).tasks_at(step)) for step in range(20)} == {4}


def test_large_tasks_are_drawn_more_often_up_to_the_cap():
    def shares(cap):
        made = feed((10, 10, 1000), cap=cap)
        return torch.tensor([task for step in range(300) for task in made.tasks_at(step)]).bincount() / 300

    assert shares(2**18)[2] > 0.97
    assert shares(2**18)[0] < 0.8
    assert (shares(10) - shares(10).mean()).abs().max() < 0.1


def test_the_rows_of_a_step_are_the_batch_and_every_tasks_rows_go_round():
    made, seen = feed((5, 7, 9)), []
    for step in range(30):
        rows = made.rows_at(step)
        assert len(rows) == 6
        counts = torch.tensor([task for task, _ in rows]).bincount(minlength=3)
        assert counts.max() - counts[counts > 0].min() <= 1, "the drawn tasks share the batch evenly"
        seen += rows
    for task, size in enumerate((5, 7, 9)):
        mine = [row for t, row in seen if t == task]
        assert all(sorted(mine[i : i + size]) == list(range(size)) for i in range(0, len(mine) - size, size))
    assert feed((5, 7, 9)).rows_at(17) == made.rows_at(17), "a step is decided by its number alone"


def test_one_task_alone_reads_what_its_feed_reads():
    alone = Feed(10, 6, 7)
    assert [feed((10,)).rows_at(step) for step in range(5)] == [
        [(0, row) for row in alone.rows_at(step)] for step in range(5)
    ]


def edited(folder, changes, arms):
    """Return the toy recipe with these texts changed and these arms only."""
    make(folder)
    text = (folder / "toy.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "toy.yaml").write_text(text[: text.index("arms:")] + "arms:\n" + arms)
    return recipes.read(folder / "toy.yaml")


def shared_stage(out):
    (folder,) = (out / "stages").glob("share-*")
    return folder


def test_one_source_without_distillation_is_plain_training(tmp_path):
    """Bit for bit what the engine comes to with the same form of prompt on that source."""
    changes = {"prompt: {length: 3}": "prompt: {kind: decomposed, length: 3}", "  books: {data: books.csv}\n": ""}
    recipe = edited(tmp_path, changes, "  mpt: {bridge: mpt, strength: 0}\n")
    study.run(recipe, tmp_path / "out")
    folder = shared_stage(tmp_path / "out")
    (plain,) = (tmp_path / "out" / "stages").glob("extract-films-*")
    for seed in recipe.seeds:
        parts = load_file(folder / "prompts" / f"seed{seed}.safetensors")
        made = DecomposedPrompt(parts["0/shared"], 1, generator())
        made.load_state_dict({name.removeprefix("0/"): part for name, part in parts.items()})
        alone = files.load(plain / "prompts" / f"seed{seed}-best").injection
        assert torch.equal(made.bake().tokens, alone.tokens)
    ours, theirs = (json.loads((f / "result.json").read_text())["members"][0] for f in (folder, plain))
    assert [look["validation"] for look in ours["history"]] == [look["validation"] for look in theirs["history"]]
    losses = [[look["train_loss"] for look in member["history"][1:]] for member in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


TWO = {"  toys: {data: toys.csv}\n": "  toys: {data: toys.csv}\n  tools: {data: toys.csv, split_seed: 1}\n"}


def test_targets_and_arms_share_the_stage_and_the_record_tells_of_it(tmp_path):
    arms = "  mpt: {bridge: mpt}\n  bare: {bridge: mpt, strength: 0}\n"
    arms += "  faster: {bridge: mpt, training: {learning_rate: 0.1}}\n"
    recipe = edited(tmp_path, TWO, arms)
    result = study.run(recipe, tmp_path / "out")
    assert len(list((tmp_path / "out" / "stages").glob("share-books-films-*"))) == 2
    by_arm = {(r.target, r.arm): r for r in result.records}
    record = by_arm["toys", "mpt"]
    (line, term) = [loss for loss in record.losses if loss["stage"] == "joint"]
    assert term["term"] == "kd_logits_kl + kd_hidden: 0.9 (KL(p_k || p) + ||h_k - h||^2 / ||h_k||^2)"
    assert line["last"] > term["last"] > 0
    assert [loss["term"] for loss in by_arm["toys", "bare"].losses if loss["stage"] == "joint"] == ["cross_entropy"]
    assert record.budget["source_steps"] == 3 * 8
    assert record.budget["rows_seen"] == 2 * (3 * 8 + 4) * 4
    assert record.prompt["parameters"] == 3 * 32 + 3 + 32
    assert record.members[0]["note"].startswith("P* of books, films; validation loss")


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_killed_stage_ends_with_the_numbers_of_an_uninterrupted_one(tmp_path, after):
    recipe = edited(tmp_path, {}, "  mpt: {bridge: mpt}\n")
    whole = study.run(recipe, tmp_path / "whole")
    with dying(JointTraining, after):
        study.run(recipe, tmp_path / "killed")
    resumed = study.run(recipe, tmp_path / "killed")
    assert numbers(whole.records) == numbers(resumed.records)
    assert not (shared_stage(tmp_path / "killed") / "checkpoint.pt").exists()


def test_sources_may_describe_their_classes_in_words_of_their_own(tmp_path):
    labels = "labels: {negative: awful, positive: lovely}"
    changes = {"books: {data: books.csv}": f"books: {{data: books.csv, {labels}}}"}
    recipe = edited(tmp_path, changes, "  mpt: {bridge: mpt, sampling: false, hidden: false}\n")
    (record,) = study.run(recipe, tmp_path / "out").records
    (line, _) = [loss for loss in record.losses if loss["stage"] == "joint"]
    assert line["steps"] == 8


def test_patience_stops_a_seed_with_all_its_tasks(tmp_path):
    changes = {"evaluate_every: 4}": "evaluate_every: 1, patience: 1, choose_by: accuracy}"}
    recipe = edited(tmp_path, changes, "  mpt: {bridge: mpt}\n")
    study.run(recipe, tmp_path / "out")
    members = json.loads((shared_stage(tmp_path / "out") / "result.json").read_text())["members"]
    assert any(member["stopped"] for member in members)
    assert all(member["history"][-1]["step"] == member["last_step"] for member in members)
