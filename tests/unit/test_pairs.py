"""Pairs of a backbone with an arm, a template or a kind that cannot be: refused when the recipe is read, or at load."""

import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from softbridge import study
from softbridge.assets.table import ASSETS
from softbridge.backbones import probes
from softbridge.backbones.table import BACKBONES
from softbridge.domains.templates import Template
from softbridge.errors import BackboneError, DataError, RecipeError
from softbridge.prompts import files
from softbridge.recipe import pairs, read
from softbridge.study.predicting import predict
from tests import pico

RECIPE = """\
name: toy
seeds: [0, 1]
backbone: {name: MODEL, max_length: 32, precision: float32, attention: sdpa, device: cpu}
prompt: {length: 3}
domain:
  labels: {negative: negative, positive: positive}
  template: "{text}"
sources: {films: {data: films.csv}}
targets: {toys: {data: toys.csv}}
shots: 4
validation_shots: 2
training:
  source: {steps: 4, batch: 4, learning_rate: 0.05, evaluate_every: 2}
  target: {steps: 2, batch: 4, learning_rate: 0.05, evaluate_every: 2}
arms:
  reuse: {bridge: reuse}
  scratch: {bridge: scratch}
"""
NONE = "arms.bare={bridge: none}"
MASKED = "domain.template='{text} It was {mask}.'"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(["films", "toys"]):
        pico.frame(80, seed=seed).to_csv(f"{name}.csv")


def recipe(*overrides, architecture="BertForMaskedLM", **config):
    Path("model").mkdir(exist_ok=True)
    Path("model/config.json").write_text(json.dumps({"architectures": [architecture], **config}))
    Path("toy.yaml").write_text(RECIPE.replace("MODEL", "model"))
    return read("toy.yaml", overrides)


def problem(*overrides, **config):
    with pytest.raises(RecipeError) as caught:
        recipe(*overrides, **config)
    (line,) = caught.value.problems
    return line


def test_the_catalogue_says_what_its_models_are():
    assert {name: entry.backbone for name, entry in ASSETS.items() if entry.kind == "model"} == {
        "minilm-l6": "sentence",
        "smollm2-135m": "causal",
        "e5-small": "sentence",
        "bert-tiny-splade": "masked",
    }
    assert not any(entry.backbone for entry in ASSETS.values() if entry.kind == "data")


def test_what_fits_is_read():
    assert recipe(MASKED).targets["toys"].template.endswith("{mask}.")
    assert recipe(NONE, "backbone.kind=sentence").backbone.kind == "sentence"
    assert recipe("backbone.name=org/model", NONE, MASKED).backbone.name == "org/model"  # only the hub knows its kind


@pytest.mark.parametrize("kind", ["encoder_classifier", "decoder_classifier"])
def test_an_arm_without_a_trained_head_is_refused_on_a_classifier(kind):
    model = "BertModel" if kind == "encoder_classifier" else "LlamaForCausalLM"
    line = problem(NONE, f"backbone.kind={kind}", architecture=model)
    assert "arms.bare.bridge  is none, but the classes of " + kind in line
    assert line.endswith("; remove the arm")


@pytest.mark.parametrize("architecture", ["BertModel", "LlamaForCausalLM"])
def test_a_template_with_a_mask_is_refused_on_a_backbone_that_guesses_none(architecture):
    line = problem(MASKED, architecture=architecture)
    assert "domain.template  holds {mask}, and " in line


def test_a_kind_that_the_model_is_not_is_refused():
    assert "backbone.kind  is causal, but " in problem("backbone.kind=causal")
    assert problem("backbone.kind=masked", architecture="T5Model", is_encoder_decoder=True).endswith("; write seq2seq")
    line = problem("backbone={name: smollm2-135m, kind: encoder_classifier}")
    assert "speak for causal, which cannot be run as encoder_classifier" in line


def test_what_only_loading_shows_is_refused_then(monkeypatch):
    pico.save_backbone(Path("model"), "sentence")
    Path("toy.yaml").write_text(RECIPE.replace("MODEL", "model"))
    monkeypatch.setattr(pairs, "told", lambda spec: None)
    with pytest.raises(BackboneError, match=r"sources.films.template holds \{mask\}"):
        study.plan(read("toy.yaml", [MASKED]), Path("out"))


def test_the_mask_is_no_column_and_stands_once():
    template = Template.parse("{mask} {text}: {mask_}")
    assert template.slots == ("text", "mask_")
    assert template.fill({"text": ["a {mask}"], "mask_": ["b"]}) == ["{mask} a { mask }: b"]
    for text in ("{mask}", "{text} {mask} {mask}"):
        with pytest.raises(DataError):
            Template.parse(text)


@pytest.mark.parametrize("kind", ["masked", "seq2seq", "encoder_classifier", "decoder_classifier"])
def test_a_whole_study_runs_and_its_prompt_predicts(kind, monkeypatch):
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.0)
    pico.save_backbone(Path("model"), kind)
    Path("toy.yaml").write_text(RECIPE.replace("MODEL", "model"))
    named = [f"backbone.kind={kind}"] if kind.endswith("classifier") else []
    result = study.run(read("toy.yaml", [*named, *([MASKED] if kind == "masked" else [])]), Path("out"))
    by_arm = {record.arm: record for record in result.records}
    folder = Path("out") / by_arm["scratch"].members[0]["prompt"]
    card = files.load(folder).card
    assert (card.kind, card.layers) == (kind, AutoConfig.from_pretrained("model").num_hidden_layers)
    domain = read("toy.yaml").targets["toys"].open("toys")
    said = [label for label, _ in predict(folder, domain.test["text"][:])]
    right = [domain.classes[label] for label in domain.test["label"][:]]
    accuracy = sum(a == b for a, b in zip(said, right, strict=True)) / len(right)
    assert accuracy == pytest.approx(by_arm["scratch"].members[0]["best"]["test"]["accuracy"])
    heads = "head" in BACKBONES[kind].takes
    assert ("head" in files.load(folder).injection.parts) == heads
    assert (folder / "adapter_config.json").exists() != heads
