"""Large models: checkpointed blocks, few bits, several devices; what cannot be had is told in words."""

import pytest
import torch
from accelerate import Accelerator
from transformers.modeling_layers import GradientCheckpointingLayer

from softbridge.backbones import large, probes
from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.loading import load
from softbridge.batch import Rows
from softbridge.engine.step import Work, backward
from softbridge.errors import BackboneError
from softbridge.prompts.bank import Bank
from softbridge.prompts.late import Late
from softbridge.prompts.prefix import Prefix
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from tests import pico

PROMPTS = {"soft": Soft(4), "prefix": Prefix(4), "late": Late(4, block=1)}


def step(folder, prompt, **keys):
    """Return the gradient of one step, and how many values it kept for the way back."""
    backbone = load(
        BackboneSpec(str(folder), max_length=32, device="cpu", precision="float32", attention="sdpa", **keys)
    )
    backbone.bind(["negative", "positive"])
    bank = Bank({"it": prompt.build(backbone.space(), generator(0, "large"))})
    texts, labels = pico.texts(8, 0)
    rows = Rows(backbone.tokenise(texts), [int(label == "positive") for label in labels])
    kept = []
    work = Work(rows, [0] * 8, {}, texts)
    backward(backbone, bank, work, 8, 1, Accelerator(cpu=True))  # what is tried once is tried before
    bank.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
        backward(backbone, bank, work, 8, 1, Accelerator(cpu=True))
    return torch.cat([p.grad.flatten() for p in bank.parameters()]), sum(kept)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("kind", ["sentence", "causal", "seq2seq"])
def test_checkpointing_keeps_less_and_comes_to_the_same(kind, prompt, tmp_path):
    if kind == "seq2seq" and prompt != "soft":
        pytest.skip("its join is at the input only")
    pico.save_backbone(tmp_path, kind)
    (plain, all_of_it), (gradient, kept) = (step(tmp_path, PROMPTS[prompt], checkpointing=on) for on in (False, True))
    torch.testing.assert_close(gradient, plain, rtol=1e-5, atol=1e-6)
    assert kept < 0.8 * all_of_it


def test_dropout_stays_off_where_blocks_are_checkpointed(tmp_path):
    pico.save_backbone(tmp_path, "sentence")
    model = load(BackboneSpec(str(tmp_path), precision="float32", attention="sdpa", checkpointing=True)).model
    assert not any(part.training for part in model.modules() if isinstance(part, torch.nn.Dropout))
    assert not any(part.training for part in model.modules() if "Attention" in type(part).__name__)


def test_a_model_that_cannot_checkpoint_is_told():
    with pytest.raises(BackboneError, match="the blocks of Linear cannot"):
        large.checkpointed(torch.nn.Linear(1, 1))


def test_bits_without_their_package_are_told(monkeypatch, tmp_path):
    pico.save_backbone(tmp_path, "causal")
    monkeypatch.setattr(large.util, "find_spec", lambda name: None)
    with pytest.raises(BackboneError, match=r"softbridge\[bits\]"):
        load(BackboneSpec(str(tmp_path), bits=8))


def test_four_bits_on_a_cpu_would_learn_nothing_and_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackboneError, match="no gradient"):
        large.loading(BackboneSpec("model", bits=4))


def test_a_model_is_on_one_device_or_spread_over_all(monkeypatch, tmp_path):
    with pytest.raises(BackboneError, match="leave one of the two out"):
        BackboneSpec("model", device="cpu", device_map="auto")
    pico.save_backbone(tmp_path, "causal")
    monkeypatch.setattr(probes, "measure", lambda *_: pytest.fail("what is spread is not measured"))
    backbone = load(BackboneSpec(str(tmp_path), device_map="auto", max_length=32))
    backbone.bind(["negative", "positive"])
    assert backbone.score(backbone.batch(Rows([[5, 6]], [0])), None).shape == (1, 2)
    assert backbone.describe()["precision"] == "bfloat16"


def test_a_bfloat16_model_is_never_held_in_float32():
    assert large.loading(BackboneSpec("model", precision="bfloat16"))["dtype"] == torch.bfloat16
    assert large.loading(BackboneSpec("model"))["dtype"] == torch.float32


@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_checkpointing_changes_nothing_of_what_is_written(kind, tmp_path):
    pico.save_backbone(tmp_path, kind)
    written = []
    for on in (False, True):
        backbone = load(BackboneSpec(str(tmp_path), precision="float32", attention="sdpa", checkpointing=on))
        batch = backbone.batch(Rows(backbone.tokenise(pico.texts(4, 0)[0]), [0] * 4))
        written.append(backbone.generate(batch, None, max_new_tokens=6, do_sample=False))
        checkpointed = [part for part in backbone.model.modules() if isinstance(part, GradientCheckpointingLayer)]
        assert all(part.training == on for part in checkpointed)
    assert written[0] == written[1]
    assert any(written[0])
