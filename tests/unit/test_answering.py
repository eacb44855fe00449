"""A study whose answers are free text: what is refused before it runs, and what its records and reports say."""

import json

import pytest

from softbridge import recipe as recipes
from softbridge import records, study
from softbridge.domains.domain import Domain
from softbridge.engine.plan import Plan
from softbridge.errors import BackboneError, DataError, PromptError, RecipeError
from softbridge.prompts import files
from softbridge.reports import html, tables
from softbridge.study.alone import learn
from softbridge.study.predicting import generate, predict
from tests import pico

RECIPE = """
name: free
seeds: [0, 1]
backbone: {{name: {model}, kind: causal, max_length: 32, precision: float32, attention: sdpa, device: cpu}}
prompt: {{kind: {prompt}, length: 3}}
domain: {{data: rows.jsonl, template: "{{text}}", answer: said, max_new_tokens: 4, validation: 8, test: 8}}
sources:
  home: {{where: {{place: a}}}}
targets:
  away: {{where: {{place: b}}}}
shots: 12
training:
  source: &plan {{steps: 4, batch: 4, evaluate_every: 2}}
  target: *plan
arms:
  none: {{bridge: none}}
  scratch: {{bridge: scratch}}
  reuse: {{bridge: reuse}}
  spot: {{bridge: spot}}
  proximal: {{bridge: proximal}}
"""


def rows(count=80):
    texts, labels = pico.texts(count, 0)
    return [
        {"text": text, "said": f"{label} {label}", "label": label, "place": "ab"[i // 2 % 2]}
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]


@pytest.fixture
def written(tmp_path):
    """Write the rows, a pico model and the recipe; return what reads it with overrides."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))

    def read(*overrides, kind="causal", prompt="soft"):
        model = pico.save_backbone(tmp_path / kind, kind)
        (tmp_path / "free.yaml").write_text(RECIPE.format(model=model.name, prompt=prompt))
        return recipes.read(tmp_path / "free.yaml", [f"backbone.kind={kind}", f"backbone.name=./{kind}", *overrides])

    return read


@pytest.mark.parametrize(("kind", "prompt"), [("causal", "soft"), ("causal", "prefix"), ("seq2seq", "soft")])
def test_a_study_runs_to_its_end_and_resumes(written, tmp_path, kind, prompt):
    tree = written(kind=kind, prompt=prompt)
    assert recipes.reading.resume(tree.resolved(), "a record") == tree
    result = study.run(tree, tmp_path / "out")
    assert all(stage.finished for stage in study.plan(tree, tmp_path / "out"))
    assert {record.arm for record in result.records} == set(tree.arms)
    for record in result.records:
        for member in record.members:
            assert set(member["best"]["test"]) == {"loss", "perplexity", "exact_match"}
            assert set(member["best"]["validation"]) == {"loss", "perplexity"}
        assert {loss["name"] for loss in record.losses} <= {"L_fine/answers"}
    spot = next(record for record in result.records if record.arm == "spot")
    assert [round(value, 2) for value in spot.losses[-1]["perplexity"]] != [0, 0]
    assert next(r for r in result.records if r.arm == "none").members[0]["best"]["test"]["exact_match"] == 0
    again = study.run(tree, tmp_path / "out")
    assert [record.digest for record in again.records] == [record.digest for record in result.records]


def test_how_answers_are_judged_is_of_the_test_alone(written, tmp_path):
    study.run(written(), tmp_path / "out")
    planned = {stage.name: stage.finished for stage in study.plan(written("domain.match=number"), tmp_path / "out")}
    assert {name.split("-")[0]: done for name, done in planned.items()} == {
        "extract": True,
        "adapt": True,
        "evaluate": False,
    }


def test_the_report_shows_exact_match_where_it_shows_accuracy(written, tmp_path):
    study.run(written(), tmp_path / "out")
    found = records.read([tmp_path / "out"])
    page, text = html.page(found), tables.markdown(found)
    assert "Test exact match" in text
    assert "accuracy" not in text
    for told in ("Test exact match", "in test exact match", "Validation perplexity", "the tokens of an answer"):
        assert told in page, told
    assert "test accuracy" not in page.lower().replace("accuracy at", "")
    lines = tables.comma_separated(found).splitlines()
    assert sum(",exact_match," in line for line in lines) == 2 * (1 + 4 * 2)


def test_a_prompt_learned_alone_writes(tmp_path):
    data = pico.frame(40).add_column("said", ["w1 w2"] * 40)
    domain = Domain(data, answer="said", validation=8, test=4, max_new_tokens=3).open("alone")
    backbone = pico.causal()
    first, last = (
        learn(domain, backbone, plan=Plan(steps=steps, learning_rate=0.1, choose_by="last")) for steps in (0, 20)
    )
    assert last.card.verbalizer == {}
    assert last.card.scores["validation_perplexity"] < first.card.scores["validation_perplexity"] / 2
    files.save(tmp_path / "it", last.injection, last.card)
    told = generate(tmp_path / "it", ["good w3"], backbone, max_new_tokens=6, do_sample=False)[0]
    assert 0 < len(told.split()) <= 6
    with pytest.raises(PromptError, match=r"knows no classes[\s\S]*use softbridge generate"):
        predict(tmp_path / "it", ["good w3"], backbone)


@pytest.mark.parametrize("kind", ["sentence", "decoder_classifier"])
def test_a_backbone_that_writes_nothing_learns_no_answers_alone(kind):
    data = pico.frame(40).add_column("said", ["w1 w2"] * 40)
    domain = Domain(data, answer="said", validation=8, test=4).open("alone")
    with pytest.raises(BackboneError, match=f"of the kind {kind}, which writes no text"):
        learn(domain, pico.sentence() if kind == "sentence" else pico.of_kind(kind, pico.llama().base_model))


def test_rows_without_an_answer_are_unlabelled_and_shots_count_rows():
    data = pico.frame(20).add_column("said", [None, " ", *[f" w{i} " for i in range(18)]])
    opened = Domain(data=data, answer="said", validation=2, test=2).open("free")
    assert opened.sizes() == {"train": 14, "validation": 2, "test": 2, "unlabelled": 2}
    assert opened.classes == opened.words == ()
    assert all(answer == answer.strip() != "" for answer in opened.train["answer"])
    train, looked = opened.few(5, 0, 1)
    assert (len(train), len(looked)) == (5, 1)
    assert set(train["answer"]) <= set(opened.few(6, 0)[0]["answer"])
    with pytest.raises(DataError, match="has: any answer 14"):
        opened.few(15, 0)


def test_other_answers_to_the_same_texts_have_another_fingerprint():
    told = [Domain(pico.frame(20).add_column("said", [f"w{i}"] * 20), answer="said").open("free") for i in (0, 0, 1)]
    assert told[0].fingerprint == told[1].fingerprint != told[2].fingerprint


@pytest.mark.parametrize(("match", "told"), [("number", ["1 test row whose own answer has no number"]), ("text", [])])
def test_a_test_row_that_no_answer_is_right_for_is_told(match, told):
    data = pico.frame(20).add_column("said", ["#### 7"] * 19 + ["seven"])
    data = data.add_column("split", ["train"] * 14 + ["validation"] * 3 + ["test"] * 3)
    notes = Domain(data=data, answer="said", split="split", match=match).open("free").notes
    assert [note for note in notes if "own answer" in note] == [f"{line}: none is right" for line in told]


def test_answers_and_labels_exclude_each_other():
    with pytest.raises(DataError, match="and there are labels too"):
        Domain(data=pico.frame(), answer="label", labels={"negative": "bad", "positive": "good"}).open("both")
    with pytest.raises(DataError, match="max_new_tokens is 0"):
        Domain(data=pico.frame(), answer="label", max_new_tokens=0).open("none")
    with pytest.raises(DataError, match="no column 'sad' for the answer"):
        Domain(data=pico.frame(), answer="sad").open("lost")


@pytest.mark.parametrize(
    ("overrides", "kind", "told"),
    [
        ([], "sentence", "domain.answer  is 'said', a column of free text, and sentence backbones write none"),
        ([], "decoder_classifier", "domain.answer  is 'said', a column of free text"),
        (["arms.spot.bridge=panda"], "causal", "arms.spot.bridge  is panda, which works on the scores of classes"),
        (["arms.spot.bridge=attempt"], "causal", "arms.spot.bridge  is attempt, which works on the scores of classes"),
        (["arms.spot.bridge=snapshots"], "causal", "is snapshots, which works on the scores of classes or mixes a"),
        (["training.target.choose_by=accuracy"], "causal", "training.target.choose_by  is accuracy, and free text has"),
        (["arms.spot.training={choose_by: macro_f1}"], "causal", "arms.spot.training.choose_by  is macro_f1"),
        (["prompt.init=labels"], "causal", "prompt.init  is labels, which reads label words"),
        (["prompt.init=design"], "causal", "prompt.init  is design, which reads label words"),
        (["tune={how: full}"], "causal", "tune  learns labels, and home is answered with free text"),
        (["pretrain={form: semi-supervised}"], "causal", "pretrain.form  is semi-supervised, which learns labels"),
        (["arms.spot.rounds={moves: [pseudo]}"], "causal", "arms.spot.rounds.moves  has pseudo, which labels rows"),
        (["domain.labels={a: b, c: d}"], "causal", "answer is 'said', and there are labels too"),
        (["domain.max_new_tokens=0"], "causal", "max_new_tokens is 0"),
        (["domain.match=words"], "causal", "domain.match  is the text 'words'; write one of: text, number"),
    ],
)
def test_what_asks_for_classes_is_refused_before_anything_loads(written, overrides, kind, told):
    with pytest.raises(RecipeError) as stop:
        written(*overrides, kind=kind)
    assert told in str(stop.value)


def test_a_wrong_answer_key_is_the_only_problem_told(written):
    with pytest.raises(RecipeError, match=r"has 1 problem:\n.*domain\.answer  is a list"):
        written("domain.answer=[said]")


def test_a_mixture_learns_from_sources_whose_answers_are_judged_in_two_ways(written, tmp_path):
    two = "sources={home: {where: {place: a}}, more: {where: {label: negative}, match: number}}"
    tree = written(two, "arms={mixed: {bridge: spot, how: mixture, top: 2}}", "seeds=[0]")
    assert len(study.run(tree, tmp_path / "out").records) == 1


def test_classes_beside_free_answers_are_told_apart(written):
    own = ["targets.away.answer=null", "targets.away.labels={negative: negative, positive: positive}"]
    with pytest.raises(RecipeError, match="has the classes negative, positive, but the source home has free text"):
        written(*own)
    written(*own, "other_classes=true")  # another task, as from one set of classes to another
    two = ["targets.more={where: {place: a}, answer: null, labels: {negative: negative, positive: positive}}"]
    with pytest.raises(RecipeError, match=r"targets.more  has classes, and the target away is answered with free text"):
        written(*two, "other_classes=true")


def test_how_answers_are_judged_is_not_read_where_there_are_none(written):
    overrides = ["domain.answer=null", "domain.labels={negative: negative, positive: positive}"]
    with pytest.raises(RecipeError, match=r"domain.max_new_tokens  is read of free answers, and these are classes"):
        written(*overrides)


@pytest.mark.parametrize("key", ["label=said", "classes={a: b}"])
def test_what_is_read_of_classes_is_told_where_answers_are_free(written, key):
    with pytest.raises(
        RecipeError, match=rf"has 1 problem:\n.*domain.{key.split('=')[0]}  is read of classes, and the"
    ):
        written(f"domain.{key}")


def test_no_label_beside_free_answers_is_no_mistake_nor_what_a_wrong_domain_may_read(written):
    assert written("domain.label=null").targets["away"].answer == "said"
    classed = ["sources.home.answer=null", "sources.home.labels={negative: bad, positive: good}"]
    with pytest.raises(RecipeError, match=r"has 1 problem:\n.*targets.away.validation"):
        written("domain.match=number", *classed, "targets.away.validation=wrong")


def test_a_recipe_says_how_answers_are_judged(written):
    told = recipes.explain(written("domain.match=number"))
    assert "answers are written, up to 4 tokens, and the number must be right" in told
    assert "12 answered rows to train on, all answered rows to choose by" in told


def test_a_recipe_without_free_answers_resolves_as_ever():
    told = json.dumps(recipes.read("quickstart").resolved())
    assert "max_new_tokens" not in told
    assert '"answer"' not in told
