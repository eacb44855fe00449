"""A backbone that trains before its prompts: on text or on labels; whole, by low-rank additions, or from scratch."""

import json
from dataclasses import replace

import pytest
import torch

from softbridge.backbones.base import BackboneSpec
from softbridge.batch import Rows
from softbridge.errors import BackboneError, RecipeError, StudyError
from softbridge.evaluation.evaluator import probabilities, scores
from softbridge.prompts import files
from softbridge.recipe import read
from softbridge.recipe.reading import resume
from softbridge.study import plan
from softbridge.study import run as run_study
from softbridge.study.materials import load_backbone
from softbridge.study.predicting import predict
from softbridge.study.tuning import Tuning
from tests import pico
from tests.dying import dying

RECIPE = """
name: shaped
seeds: [0, 1]
backbone: {{name: model, max_length: 24, precision: float32, attention: sdpa, device: cpu}}
prompt: {{kind: soft, length: 3}}
domain: {{labels: {{negative: negative, positive: positive}}, validation: 16}}
sources: {{a: {{data: a.csv}}, c: {{data: c.csv}}}}
targets: {{b: {{data: b.csv}}}}
shots: 4
validation_shots: 4
training: {{source: {{steps: 2, batch: 4}}, target: {{steps: 2, batch: 4}}}}
{sections}
arms: {{spot: {{bridge: spot}}, none: {{bridge: none}}}}
"""
STEPS = "training: {steps: 60, batch: 16, evaluate_every: 6, learning_rate: 0.005}"
FULL = f"tune: {{{STEPS}}}"
LORA = f"tune: {{how: lora, rank: 4, alpha: 8, {STEPS.replace('0.005', '0.02')}}}"
TEXT = f"pretrain: {{trains: backbone, held_out: 8, {STEPS.replace('0.005', '0.002')}}}"


def make(folder, sections, kind="sentence"):
    pico.save_backbone(folder / "model", kind)
    for name, seed in (("a", 0), ("b", 1), ("c", 2)):
        pico.frame(120, seed).to_csv(folder / f"{name}.csv", index=False)
    text = RECIPE.format(sections=sections)
    if kind.endswith("classifier"):
        text = text.replace("name: model", f"name: model, kind: {kind}").replace(", none: {bridge: none}", "")
    (folder / "my.yaml").write_text(text)
    return read(folder / "my.yaml")


def stage(out, name):
    (folder,) = (out / "stages").glob(f"{name}-*")
    return folder, json.loads((folder / "result.json").read_text())


def trained(folder, kind):
    return load_backbone(
        BackboneSpec(str(folder / "model"), kind=kind, max_length=24, precision="float32", device="cpu")
    )


@pytest.mark.parametrize(
    ("kind", "sections"),
    [
        ("sentence", FULL),
        ("causal", LORA),
        *(
            pytest.param(kind, how, marks=pytest.mark.slow)
            for how, kinds in (
                (FULL, ("causal", "masked", "seq2seq", "encoder_classifier", "decoder_classifier")),
                (LORA, ("sentence", "encoder_classifier")),
            )
            for kind in kinds
        ),
    ],
)
def test_a_tuned_backbone_is_saved_whole_and_the_study_goes_on_with_it(tmp_path, kind, sections):
    recipe, out = make(tmp_path, sections, kind), tmp_path / "out"
    assert resume(recipe.resolved(), "there") == recipe
    records = {record.arm: record for record in run_study(recipe, out).records}
    folder, found = stage(out, "tune")
    look = next(seen for seen in found["members"][0]["history"] if seen["step"] == found["members"][0]["best_step"])
    assert look["validation"]["loss"] < found["members"][0]["history"][0]["validation"]["loss"]
    assert not (folder / "best.safetensors").exists()
    assert all(f"model/{name}" in found["files"] for name in ("config.json", "model.safetensors"))
    again = trained(folder, kind)
    if not kind.endswith("classifier"):  # whose head is trained anew beside each prompt
        domains = [recipe.sources[name].open(name) for name in recipe.tune.sources or ("a", "c")]
        again.bind(domains[0].words)
        texts = [text for domain in domains for text in domain.validation["text"][:]]
        labels = [y for domain in domains for y in domain.validation["label"][:]]
        (chances,) = probabilities(again, None, [Rows(again.tokenise(texts), labels)])
        assert scores(chances, labels)["loss"] == pytest.approx(look["validation"]["loss"], rel=1e-4)
    spot = records["spot"]
    assert spot.backbone["trained"] == [f"tune ({'full' if sections is FULL else 'lora'})"]
    assert spot.backbone["name"] == recipe.backbone.name
    assert spot.budget["tune_steps"] == 60
    assert spot.losses[0]["stage"] == "tune"
    assert {loss["name"] for loss in spot.losses} == {"L_fine"}
    (prompt,) = (out / "stages").glob("adapt-b-spot-*/prompts/seed0-best")
    assert files.load(prompt).card.backbone == str((folder / "model").absolute())
    texts = recipe.targets["b"].open("b").test["text"][:]
    said = [label for label, _ in predict(prompt, texts)]
    right = [("negative", "positive")[y] for y in recipe.targets["b"].open("b").test["label"][:]]
    accuracy = sum(a == b for a, b in zip(said, right, strict=True)) / len(right)
    assert accuracy == pytest.approx(spot.members[0]["best"]["test"]["accuracy"])
    assert all(stage.finished for stage in plan(recipe, out))


def test_low_rank_additions_are_merged_as_peft_applies_them(tmp_path):
    from peft import PeftModel

    recipe = make(tmp_path, LORA)
    run_study(recipe, tmp_path / "out")
    folder, found = stage(tmp_path / "out", "tune")
    ids = torch.tensor([[1, 8, 20, 30, 2]])
    whole = trained(folder, "sentence").model
    base = load_backbone(BackboneSpec(str(tmp_path / "model"), precision="float32", device="cpu")).model
    plain = base(ids).last_hidden_state
    peft = PeftModel.from_pretrained(base, folder / "adapter")
    torch.testing.assert_close(whole(ids).last_hidden_state, peft(ids).last_hidden_state, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(whole(ids).last_hidden_state, plain, atol=1e-4)
    assert found["parameters"] == 2 * 2 * 4 * (32 + 32), "two blocks, query and value, rank 4"


@pytest.mark.parametrize("kind", ["sentence", "causal", "masked", "seq2seq"])
def test_a_backbone_is_pretrained_on_text(tmp_path, kind):
    recipe, out = make(tmp_path, TEXT, kind), tmp_path / "out"
    records = run_study(recipe, out).records
    _, found = stage(out, "pretrain")
    assert len(found["members"]) == 1, "one backbone for all seeds"
    told = next(loss for loss in records[0].losses if loss["stage"] == "pretrain")
    assert told["name"] == "L_pre/self-supervised"
    if kind != "sentence":
        assert told["perplexity"][1] < told["perplexity"][0]
    assert {record.arm: record.budget["pretrain_steps"] for record in records} == {"spot": 60, "none": 60}


def test_a_new_backbone_of_another_size_learns_from_scratch_and_is_tuned(tmp_path):
    sections = TEXT.replace("held_out", "scratch: {num_hidden_layers: 1, hidden_size: 16}, held_out") + "\n" + FULL
    recipe, out = make(tmp_path, sections, "causal"), tmp_path / "out"
    assert resume(recipe.resolved(), "there") == recipe
    assert recipe.pretrain.plan.learning_rate == 0.002
    records = run_study(recipe, out).records
    assert records[0].backbone["trained"] == ["pretrain (scratch)", "tune (full)"]
    model = trained(stage(out, "tune")[0], "causal").model
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (1, 16)
    assert records[0].backbone["parameters"] == sum(p.numel() for p in model.parameters())
    wrong = replace(recipe, pretrain=replace(recipe.pretrain, scratch={"hidden_sizes": 16}))
    with pytest.raises(BackboneError, match="has no hidden_sizes"):
        run_study(wrong, tmp_path / "wrong")


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param(FULL, id="full", marks=pytest.mark.slow),
        pytest.param(LORA, id="lora"),
        pytest.param(TEXT, id="text", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("after", [1])
def test_a_killed_tuning_ends_as_an_uninterrupted_one(tmp_path, sections, after):
    recipe = make(tmp_path, sections)
    first = run_study(recipe, tmp_path / "whole").records
    with dying(Tuning, after):
        run_study(recipe, tmp_path / "killed")
    second = run_study(recipe, tmp_path / "killed").records
    assert [json.dumps([r.members, r.losses]) for r in first] == [json.dumps([r.members, r.losses]) for r in second]


def test_the_step_that_validation_chose_is_the_one_that_is_saved(tmp_path):
    high = FULL.replace("0.005", "0.5")  # overshoots
    run_study(make(tmp_path, high), tmp_path / "out")
    _, found = stage(tmp_path / "out", "tune")
    member = found["members"][0]
    seen = {look["step"]: look["validation"]["loss"] for look in member["history"]}
    assert member["best_step"] == min(seen, key=seen.get)


def test_tuning_and_not_tuning_are_studies_of_their_own_in_one_folder(tmp_path):
    recipe = make(tmp_path, FULL)
    ours = {s.name: s.digest for s in plan(recipe, tmp_path / "out")}
    bare = {s.name: s.digest for s in plan(replace(recipe, tune=None), tmp_path / "out")}
    assert "tune-a+c" in ours
    assert set(bare) == set(ours) - {"tune-a+c"}
    assert not set(ours.values()) & set(bare.values())
    longer = replace(recipe, prompt=replace(recipe.prompt, length=4), seeds=(0, 1, 2))
    assert {s.name: s.digest for s in plan(longer, tmp_path / "out")}["tune-a+c"] == ours["tune-a+c"]


def test_no_target_is_among_what_tunes(tmp_path):
    recipe = make(tmp_path, FULL)
    (tmp_path / "b.csv").replace(tmp_path / "d.csv")
    pico.frame(120, 0).to_csv(tmp_path / "b.csv", index=False)  # the rows of a under another name
    with pytest.raises(StudyError, match="tune reads all labels of the target b"):
        run_study(recipe, tmp_path / "out")
    text = (tmp_path / "my.yaml").read_text()
    (tmp_path / "same.yaml").write_text(text.replace("{data: c.csv}", "{data: b.csv}"))
    with pytest.raises(RecipeError, match="tune  reads all labels of b, which is a target too"):
        read(tmp_path / "same.yaml")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("tune: {how: half}", r"tune\.how  is the text 'half'"),
        ("tune: {rank: 0}", r"tune\.rank  is 0"),
        ("tune: {sources: [e]}", r"tune\.sources\.0  there is no source 'e'"),
        ("tune: {steps: 4}", r"tune\.steps  is no key here"),
        (f"{FULL}\nsource_backbone: {{name: model, max_length: 20}}", "tune  trains on one model"),
    ],
)
def test_what_cannot_be_is_refused_when_the_recipe_is_read(tmp_path, wrong, told):
    with pytest.raises(RecipeError, match=told):
        make(tmp_path, wrong)
