"""A saved prompt comes back bit for bit, is never half there, and is refused where it is not what its card says."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.prompts.card import SCHEMA, Card
from softbridge.prompts.files import load, save

CARD = Card(
    backbone="org/model",
    revision="abc",
    kind="causal",
    layers=2,
    heads=4,
    tokenizer="f00d",
    length=3,
    width=8,
    init="text",
    seed=1,
    parents=("movies", "books"),
    data={"news": "1234"},
    template="关于'{text}'的描述：",
    verbalizer={"positive": "good", "negative": "bad"},
    loss="cross_entropy",
    steps=16,
    optimiser={"name": "adamw", "learning_rate": 0.01, "patience": None},
    scores={"accuracy": 0.75},
    versions={"softbridge": "0.1.0"},
    settings={"temperature": 0.05},
)
PROMPT = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))


def edit(folder, **changes):
    """Write other fields into a saved card; None takes a field away."""
    found = json.loads((folder / "card.json").read_text()) | changes
    (folder / "card.json").write_text(json.dumps({k: v for k, v in found.items() if v is not None}))


def one(tokens):
    return Injection(tokens.unsqueeze(0))


def in_three_parts(caught):
    return all((caught.value.seen, caught.value.expected, caught.value.fix))


@pytest.fixture
def saved(tmp_path):
    save(tmp_path / "mine", one(PROMPT), CARD)
    return tmp_path / "mine"


def test_round_trip_is_exact(saved):
    found = load(saved)
    assert torch.equal(found.injection.tokens[0], PROMPT)
    assert found.card == CARD
    assert list(found.card.verbalizer) == ["positive", "negative"]
    assert "关于" in (saved / "card.json").read_text(encoding="utf-8")


def test_the_folder_holds_four_files_and_nothing_stands_beside_it(saved):
    names = {"prompt.safetensors", "card.json", "adapter_config.json", "adapter_model.safetensors"}
    assert {file.name for file in saved.iterdir()} == names
    assert list(saved.parent.iterdir()) == [saved]


def test_the_adapter_says_what_peft_needs(saved):
    config = json.loads((saved / "adapter_config.json").read_text())
    expected = {
        "peft_type": "PROMPT_TUNING",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "org/model",
        "revision": "abc",
        "num_virtual_tokens": 3,
        "token_dim": 8,
        "num_layers": 2,
        "num_attention_heads": 4,
        "num_transformer_submodules": 1,
        "inference_mode": True,
    }
    assert {key: config[key] for key in expected} == expected
    assert torch.equal(load_file(saved / "adapter_model.safetensors")["prompt_embeddings"], PROMPT)


def test_any_floating_type_and_layout_can_be_saved(tmp_path):
    learned = torch.nn.Parameter(PROMPT.T.contiguous().bfloat16()).T
    save(tmp_path / "a" / "b", one(learned), CARD)
    assert torch.equal(load(tmp_path / "a" / "b").injection.tokens[0], learned.detach().float())


def test_a_prompt_is_replaced_whole(saved):
    save(saved, one(2 * PROMPT), replace(CARD, steps=32))
    assert torch.equal(load(saved).injection.tokens[0], 2 * PROMPT)
    assert load(saved).card.steps == 32
    assert list(saved.parent.iterdir()) == [saved]


def test_a_failed_save_leaves_the_old_prompt(saved, monkeypatch):
    def broken(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files.adapters, "write", broken)
    with pytest.raises(OSError, match="no space"):
        save(saved, one(2 * PROMPT), CARD)
    assert torch.equal(load(saved).injection.tokens[0], PROMPT)
    assert list(saved.parent.iterdir()) == [saved]


def test_nothing_but_a_prompt_is_written_over(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(PromptError, match="not a saved prompt") as caught:
        save(tmp_path, one(PROMPT), CARD)
    assert in_three_parts(caught)
    assert (tmp_path / "thesis.tex").exists()
    with pytest.raises(PromptError, match="not a saved prompt"):
        save(tmp_path / "thesis.tex", one(PROMPT), CARD)


def test_an_empty_folder_can_be_saved_into(tmp_path):
    save(tmp_path, one(PROMPT), CARD)
    assert torch.equal(load(tmp_path).injection.tokens[0], PROMPT)


@pytest.mark.parametrize(
    ("prompt", "card", "says"),
    [
        (PROMPT[:2], CARD, "P=2 instead of 3"),
        (PROMPT, replace(CARD, width=9), "H=8 instead of 9"),
        (PROMPT / 0, CARD, "NaN or infinite"),
        (PROMPT, replace(CARD, kind="casual"), "did you mean 'causal'"),
    ],
)
def test_a_wrong_prompt_is_not_saved(prompt, card, says, tmp_path):
    with pytest.raises(PromptError, match=says) as caught:
        save(tmp_path / "mine", one(prompt), card)
    assert in_three_parts(caught)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["prompt.safetensors", "card.json"])
def test_a_missing_file_is_named(name, saved):
    (saved / name).unlink()
    with pytest.raises(PromptError, match=f"has no {name}") as caught:
        load(saved)
    assert in_three_parts(caught)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(PromptError, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["adapter_model.bin", "prompt.pt"])
def test_a_pickle_is_refused_with_its_reason(name, saved):
    (saved / "prompt.safetensors").unlink()
    torch.save({"prompt": PROMPT}, saved / name)
    with pytest.raises(PromptError, match=name) as caught:
        load(saved)
    assert "can run any code" in caught.value.expected
    with pytest.raises(PromptError, match=name):
        load(saved / name)


def test_a_pickle_beside_a_prompt_is_not_read(saved):
    (saved / "notes.pkl").write_bytes(b"not a pickle")
    assert torch.equal(load(saved).injection.tokens[0], PROMPT)


def test_a_cut_file_is_refused(saved):
    whole = (saved / "prompt.safetensors").read_bytes()
    (saved / "prompt.safetensors").write_bytes(whole[:-5])
    with pytest.raises(PromptError, match="cannot be read") as caught:
        load(saved)
    assert in_three_parts(caught)


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"tokens": PROMPT[:2].clone()}, "P=2 instead of 3"),
        ({"tokens": PROMPT / 0}, "NaN or infinite"),
        ({"prompt_embeddings": PROMPT}, "holds the tensors prompt_embeddings"),
    ],
)
def test_a_tensor_that_does_not_fit_its_card_is_refused(tensors, says, saved):
    save_file(tensors, saved / "prompt.safetensors")
    with pytest.raises(PromptError, match=says) as caught:
        load(saved)
    assert in_three_parts(caught)


def test_a_later_field_is_left_out(saved):
    edit(saved, mood="sunny")
    assert load(saved).card == CARD


def test_an_optional_field_may_be_missing(saved):
    edit(saved, settings=None, parents=None)
    assert load(saved).card == replace(CARD, settings={}, parents=())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schema": SCHEMA + 1}, f"schema {SCHEMA + 1}"),
        ({"schema": None}, "schema None"),
        ({"backbone": None, "heads": None}, "lacks backbone, heads"),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(changes, says, saved):
    edit(saved, **changes)
    with pytest.raises(PromptError, match=says) as caught:
        load(saved)
    assert in_three_parts(caught)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_card_is_refused(content, saved):
    (saved / "card.json").write_bytes(content)
    with pytest.raises(PromptError, match="the card is") as caught:
        load(saved)
    assert in_three_parts(caught)
