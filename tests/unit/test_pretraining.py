"""Pretraining: what each objective asks and costs, that unlabelled rows count 0, and the stage in a study."""

import json
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from softbridge.batch import Rows
from softbridge.engine.loop import Training
from softbridge.engine.objectives import OBJECTIVES, Contrastive, MaskedTokens, NextToken, Spans, usual
from softbridge.engine.step import Work, backward
from softbridge.errors import RecipeError
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.series import load_series
from softbridge.prompts.soft import SoftPrompt
from softbridge.recipe import read
from softbridge.recipe.reading import resume
from softbridge.study import plan
from softbridge.study import run as run_study
from softbridge.study.texts import asked, measured, normalised, unlabelled
from tests import pico
from tests.dying import dying

ASKS = {
    "sentence": Contrastive(),
    "llama": NextToken(),
    "gpt2": NextToken(),
    "masked bert": MaskedTokens(),
    "masked roberta": MaskedTokens(),
    "masked modernbert": MaskedTokens(),
    "seq2seq t5": Spans(),
    "seq2seq bart": Spans(),
    "encoder_classifier bert": Contrastive(),
    "decoder_classifier llama": Contrastive(),
}


@pytest.fixture(params=ASKS, scope="module")
def pair(request):
    return pico.BACKBONES[request.param](), ASKS[request.param]


def rows_of(backbone, objective, count=6, seed=0):
    plain = unlabelled(backbone, pico.texts(count, seed)[0])
    return asked(backbone, objective, plain, [torch.Generator().manual_seed(i) for i in range(count)])


def bank_of(backbone, members=2, length=3):
    width = backbone.table.shape[1]
    starts = [0.1 * torch.randn(length, width, generator=torch.Generator().manual_seed(i)) for i in range(members)]
    return Bank({str(i): SoftPrompt(start) for i, start in enumerate(starts)})


def test_a_row_with_its_prompt_costs_the_same_alone_where_rows_do_not_answer_each_other(pair):
    backbone, objective = pair
    rows, bank = rows_of(backbone, objective), bank_of(backbone)
    owner = torch.tensor([0, 1, 0, 1, 1, 0])
    together = objective.losses(backbone, rows, bank(owner))
    assert together.shape == (6,)
    assert (together > 0).all()
    assert together.dtype == torch.float32
    alone = torch.cat([objective.losses(backbone, rows.take([i]), bank(owner[i : i + 1])) for i in range(6)])
    if objective.counts:
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    else:
        assert alone.tolist() == [0] * 6, "a row alone is its own only answer"


def test_every_prompt_of_a_bank_gets_the_gradient_that_it_gets_alone(pair):
    backbone, objective = pair
    rows, accelerator = rows_of(backbone, objective), Accelerator(cpu=True)
    owner = [0, 1, 0, 1, 1, 0]
    bank = bank_of(backbone)
    losses = backward(backbone, bank, Work(rows, owner, {}, objective=objective), 3, 1, accelerator)[0].tolist()
    for member in range(2):
        one = Bank({"it": bank_of(backbone)[member]})
        mine = [i for i, o in enumerate(owner) if o == member]
        work = Work(rows.take(mine), [0] * 3, {}, objective=objective)
        alone = backward(backbone, one, work, 3, 1, accelerator)[0].tolist()
        assert alone[0] == pytest.approx(losses[member], rel=1e-5)
        torch.testing.assert_close(bank[member].tokens.grad, one[0].tokens.grad, atol=1e-6, rtol=1e-4)
        assert one[0].tokens.grad.abs().max() > 0
    assert not any(p.requires_grad or p.grad is not None for p in backbone.model.parameters())


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_next_tokens_cost_what_the_model_itself_says(family):
    backbone = pico.BACKBONES[family]()
    rows = rows_of(backbone, NextToken(), 1)
    ids = torch.tensor([[*rows.ids[0], *rows.told[0]]])
    theirs = backbone.model(input_ids=ids, labels=ids).loss.item()
    assert NextToken().losses(backbone, rows, None).item() == pytest.approx(theirs, rel=1e-5)
    told = measured(backbone, NextToken(), rows, None, Accelerator(cpu=True))
    assert told["perplexity"] == pytest.approx(torch.tensor(theirs).exp().item(), rel=1e-4)


@pytest.mark.parametrize("family", ["masked bert", "masked roberta", "masked modernbert"])
def test_masked_tokens_cost_what_the_model_itself_says(family):
    backbone = pico.BACKBONES[family]()
    rows = rows_of(backbone, MaskedTokens(rate=0.4), 1)
    labels = torch.tensor(rows.told).masked_fill(torch.tensor(rows.told) < 0, -100)
    theirs = backbone.model(input_ids=torch.tensor(rows.ids), labels=labels).loss.item()
    assert MaskedTokens().losses(backbone, rows, None).item() == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("family", ["seq2seq t5", "seq2seq bart"])
def test_spans_cost_what_the_model_itself_says(family):
    backbone = pico.BACKBONES[family]()
    rows = rows_of(backbone, Spans(rate=0.4), 1)
    theirs = backbone.model(input_ids=torch.tensor(rows.ids), labels=torch.tensor(rows.told)).loss.item()
    assert Spans().losses(backbone, rows, None).item() == pytest.approx(theirs, rel=1e-5)


def test_perplexity_counts_tokens_and_not_rows():
    backbone = pico.causal()
    rows = rows_of(backbone, NextToken(), 5)
    each = NextToken().losses(backbone, rows, None).double()
    tokens = torch.tensor([len(told) for told in rows.told]).double()
    told = measured(backbone, NextToken(), rows, None, Accelerator(cpu=True))
    assert told["loss"] == pytest.approx(each.mean().item(), rel=1e-6)
    assert told["perplexity"] == pytest.approx(((each * tokens).sum() / tokens.sum()).exp().item(), rel=1e-6)


# Semi-supervised


@pytest.mark.parametrize("normalise", ["all", "labelled"])
def test_rows_without_a_label_add_exactly_nothing(normalise):
    backbone, accelerator = pico.sentence(), Accelerator(cpu=True)
    texts, names = pico.texts(8, 0)
    labels = [backbone.words.index(name) for name in names]
    some = [y if i in (1, 4) else -1 for i, y in enumerate(labels)]
    rows = Rows(backbone.tokenise(texts), some)

    def gradient(work, batch):
        bank = bank_of(backbone, 1)
        losses = backward(backbone, bank, work, batch, 1, accelerator)[0].tolist()
        return losses[0], bank[0].tokens.grad

    loss, found = gradient(normalised(normalise)(Work(rows, [0] * 8, {}), 0), 8)
    alone, wanted = gradient(Work(rows.take([1, 4]), [0, 0], {}), 8 if normalise == "all" else 2)
    assert torch.equal(found, wanted)
    assert loss == alone
    other = Rows([*rows.ids[:2], *reversed(rows.ids[2:4]), rows.ids[4], *rows.ids[5:]], some)
    assert torch.equal(gradient(normalised(normalise)(Work(other, [0] * 8, {}), 0), 8)[1], wanted)


def test_a_step_without_any_label_moves_nothing():
    backbone = pico.sentence()
    rows = Rows(backbone.tokenise(pico.texts(4, 0)[0]), [-1] * 4)
    bank = bank_of(backbone, 1)
    work = normalised("all")(Work(rows, [0] * 4, {}), 0)
    assert backward(backbone, bank, work, 4, 1, Accelerator(cpu=True))[0].tolist() == [0.0]
    assert bank[0].tokens.grad is None


# The stage

RECIPE = """
name: texts
seeds: [0, 1]
backbone: {{name: model, max_length: 24, precision: float32, attention: sdpa, device: cpu}}
prompt: {{kind: {prompt}, length: 3}}
domain: {{labels: {{negative: negative, positive: positive}}, validation: 16}}
sources: {{a: {{data: a.csv}}}}
targets: {{b: {{data: b.csv}}}}
shots: 4
validation_shots: 4
training: {{source: {{steps: 2, batch: 4}}, target: {{steps: 2, batch: 4}}}}
pretrain: {pretrain}
arms: {{scratch: {{bridge: scratch}}, spot: {{bridge: spot}}, none: {{bridge: none}}}}
"""
SELF = "{held_out: 8, training: {steps: 6, batch: 4, learning_rate: 0.05, evaluate_every: 2}}"
SEMI = "{form: semi-supervised, normalise: labelled, labelled: 6, training: {steps: 4, batch: 8, evaluate_every: 2}}"


def make(folder, pretrain=SELF, kind="sentence", prompt="soft"):
    pico.save_backbone(folder / "model", kind)
    for name, seed in (("a", 0), ("b", 1)):
        pico.frame(120, seed).to_csv(folder / f"{name}.csv", index=False)
    text = RECIPE.format(pretrain=pretrain, prompt=prompt)
    if kind.endswith("classifier"):
        text = text.replace("name: model", f"name: model, kind: {kind}").replace(", none: {bridge: none}", "")
    (folder / "my.yaml").write_text(text)
    return read(folder / "my.yaml")


def result(out, name="pretrain"):
    (folder,) = (out / "stages").glob(f"{name}-*")
    return folder, json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize(
    ("kind", "pretrain", "prompt"),
    [
        ("sentence", SELF, "soft"),
        ("causal", SELF, "prefix"),
        ("masked", SELF, "residual"),
        ("seq2seq", SELF, "soft"),
        ("encoder_classifier", SELF, "soft"),
        ("decoder_classifier", SELF, "soft"),
        ("sentence", SEMI, "soft"),
        ("encoder_classifier", SEMI, "p_tuning_v2"),
    ],
)
def test_pretrained_prompts_start_sources_and_scratch(tmp_path, kind, pretrain, prompt):
    recipe, out = make(tmp_path, pretrain, kind, prompt), tmp_path / "out"
    assert resume(recipe.resolved(), "there") == recipe
    records = {record.arm: record for record in run_study(recipe, out).records}
    folder, found = result(out)
    assert [member["seed"] for member in found["members"]] == [0, 1]
    begun = files.load(folder / "prompts" / "seed1-best").injection
    for stage in ("extract-a", "adapt-b-scratch"):
        start = load_series(next((out / "stages").glob(f"{stage}-*")) / "prompts" / "seed1-looks.safetensors")[0]
        for name, part in begun.parts.items():
            if name not in ("head", "head_bias") or pretrain is SEMI:
                torch.testing.assert_close(getattr(start, name), part, atol=1e-5, rtol=1e-5)
    spot = records["spot"]
    told = next(loss for loss in spot.losses if loss["stage"] == "pretrain")
    assert told["name"] == ("L_pre/self-supervised" if pretrain is SELF else "L_pre/semi-supervised/labelled")
    assert told["values"][-1][1] == told["last"]
    assert spot.budget["pretrain_steps"] == recipe.pretrain.plan.steps
    assert [stage["kind"] for stage in spot.cost["stages"]] == ["pretrain", "extract", "adapt", "evaluate"]
    assert spot.budget["rows_seen"] > found["rows_seen"]
    if "none" in records:
        assert "pretrain_steps" not in records["none"].budget
    assert all(stage.finished for stage in plan(recipe, out))
    card = files.load(folder / "prompts" / "seed0-best").card
    assert card.loss.startswith("L_pre/")
    if told["term"] in ("next_token", "masked_tokens", "spans"):
        before, after = told["perplexity"]
        assert after < before


def test_n_counts_all_rows_and_the_labelled_ones_are_told(tmp_path):
    make(tmp_path, SEMI)
    run_study(read(tmp_path / "my.yaml"), tmp_path / "out")
    _, found = result(tmp_path / "out")
    domains = {name: read(tmp_path / "my.yaml").sources[name].open(name) for name in ("a",)}
    rows = 2 * len(domains["a"].train)
    assert found["members"][0]["rows"] == rows
    assert found["labelled"] == 2 * 6 + 2 * 4, "6 a class of the source, the target's 4 shots a class"


def test_no_label_of_a_target_beyond_its_shots_and_no_test_row_is_read(tmp_path, monkeypatch):
    from softbridge.study import texts

    seen = []
    partly = texts.partly
    monkeypatch.setattr(texts, "partly", lambda *args: seen.append(partly(*args)) or seen[-1])
    recipe = make(tmp_path, SEMI)
    run_study(recipe, tmp_path / "out")
    backbone = pico.sentence(max_length=24)
    test = {tuple(ids) for name in "ab" for ids in backbone.tokenise(opened(recipe, name).test["text"][:])}
    few = opened(recipe, "b")
    for rows, looked in seen:
        assert test.isdisjoint(tuple(ids) for ids in (*rows.ids, *looked.ids))
        target = {tuple(ids) for ids in backbone.tokenise(few.train["text"][:])}
        labelled = [y for ids, y in zip(rows.ids, rows.labels, strict=True) if tuple(ids) in target and y >= 0]
        assert len(labelled) == 8


def opened(recipe, name):
    return {**recipe.sources, **recipe.targets}[name].open(name)


@pytest.mark.parametrize("pretrain", [SELF, SEMI], ids=["self", "semi"])
@pytest.mark.parametrize("after", [0, 2])
def test_a_killed_pretraining_ends_as_an_uninterrupted_one(tmp_path, pretrain, after):
    recipe = make(tmp_path, pretrain)
    run_study(recipe, tmp_path / "whole")
    with dying(Training, after):
        run_study(recipe, tmp_path / "killed")
    run_study(recipe, tmp_path / "killed")
    (folder, one), (other, two) = result(tmp_path / "whole"), result(tmp_path / "killed")
    assert [m["history"] for m in one["members"]] == [m["history"] for m in two["members"]]
    for seed in (0, 1):
        first, second = (files.load(f / "prompts" / f"seed{seed}-best").injection for f in (folder, other))
        assert torch.equal(first.tokens, second.tokens)


def test_texts_of_its_own_and_some_of_the_domains(tmp_path):
    pico.frame(60, 7).to_csv(tmp_path / "plain.csv", index=False)
    recipe = make(tmp_path, "{domain: {data: plain.csv, label: null}, held_out: 8, training: {steps: 2, batch: 4}}")
    assert resume(recipe.resolved(), "there") == recipe
    run_study(recipe, tmp_path / "out")
    folder, found = result(tmp_path / "out")
    assert found["members"][0]["rows"] == 60 - 8
    assert list(files.load(folder / "prompts" / "seed0-best").card.data) == ["pretrain.domain"]
    some = replace(recipe, pretrain=replace(recipe.pretrain, texts=("b",)))
    assert plan(some, tmp_path / "out")[0].digest != plan(recipe, tmp_path / "out")[0].digest


def test_the_table_lists_each_objective_under_its_name_and_every_kind_has_one():
    from softbridge.backbones.table import BACKBONES

    assert all(cls.name == name and cls.bibtex and cls.reference for name, cls in OBJECTIVES.items())
    assert {kind: usual(kind).name for kind in BACKBONES}["masked"] == "masked_tokens"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{objective: spans}", r"pretrain\.objective  is spans, which sentence backbones cannot be asked for"),
        ("{objective: spams}", "there is no objective 'spams'; write spans"),
        ("{objective: contrastive, rate: 2}", r"pretrain\.rate  is 2"),
        ("{texts: [c]}", r"pretrain\.texts\.0  there is no domain 'c'"),
        ("{normalise: labelled}", r"pretrain\.normalise  is not read where form is self-supervised"),
        ("{form: semi-supervised, objective: spans}", r"pretrain\.objective  is not read where"),
        ("{form: semi-supervised, trains: backbone}", "reads labels of the target b"),
        ("{training: {choose_by: accuracy}}", r"choose_by  is accuracy, and a text has no classes"),
        ("{scratch: {}}", r"pretrain\.scratch  makes a new backbone"),
        ("{held_out: 0}", r"pretrain\.held_out  is 0"),
        ("{steps: 3}", r"pretrain\.steps  is no key here"),
        ("{}\nsource_backbone: {name: model, max_length: 20}", "pretrain  trains on one model"),
    ],
)
def test_what_cannot_be_is_refused_when_the_recipe_is_read(tmp_path, wrong, told):
    with pytest.raises(RecipeError, match=told):
        make(tmp_path, wrong)


@pytest.mark.parametrize(
    "kind", ["sentence", "causal", "masked", "seq2seq", "encoder_classifier", "decoder_classifier"]
)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_pair_of_objective_and_backbone_is_read_or_refused(tmp_path, kind, name):
    if kind in OBJECTIVES[name].kinds:
        assert make(tmp_path, f"{{objective: {name}}}", kind).pretrain.objective.name == name
    else:
        with pytest.raises(RecipeError, match=f"is {name}, which {kind} backbones cannot be asked for"):
            make(tmp_path, f"{{objective: {name}}}", kind)
