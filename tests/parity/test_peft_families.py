"""A prompt saved for a masked or an encoder-decoder backbone is a PEFT adapter that computes the backbone's scores."""

import pytest
import torch

from softbridge.batch import Rows
from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts import adapters, files
from softbridge.prompts.card import Card
from tests import pico

P = 3
ROWS = [" ".join(pico.PLAIN[:14]) + " {mask} good", "bad w4 {mask}"]
close = {"atol": 1e-5, "rtol": 1e-5}


def card(backbone):
    config = backbone.config
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    return Card("org/pico", None, backbone.kind, layers, heads, "f00d", P, 32, "random", 0)


def prompt():
    return Injection(0.5 * torch.randn(1, P, 32, generator=torch.Generator().manual_seed(0)))


def in_peft(backbone, folder):
    from peft import PeftModel

    files.save(folder, prompt(), card(backbone))
    return PeftModel.from_pretrained(backbone.model, folder).eval()


@pytest.mark.parametrize("model", [pico.masked_bert, pico.roberta, pico.modernbert])
@torch.inference_mode()
def test_masked(model, tmp_path):
    backbone = pico.of_kind("masked", model())
    batch = backbone.batch(Rows(backbone.tokenise(ROWS), [0, 0]))
    ours = backbone.score(batch, prompt().pick(torch.tensor([0, 0])))
    plain = backbone.score(batch, None)
    found = in_peft(backbone, tmp_path / "it")(input_ids=batch.input_ids, attention_mask=batch.mask).logits
    place = P + (batch.input_ids == backbone.tokenizer.mask_token_id).int().argmax(1)
    theirs = found[torch.arange(2), place][:, [told[0] for told in backbone.answers]]
    torch.testing.assert_close(theirs, ours, **close)
    assert (ours - plain).abs().max() > 1e-3


@pytest.mark.parametrize("model", [pico.t5, pico.bart])
@torch.inference_mode()
def test_seq2seq(model, tmp_path):
    backbone = pico.of_kind("seq2seq", model())
    batch = backbone.batch(Rows(backbone.tokenise([row.replace("{mask} ", "") for row in ROWS]), [0, 0]))
    ours = backbone.score(batch, prompt().pick(torch.tensor([0, 0])))
    plain = backbone.score(batch, None)
    opening = torch.tensor([backbone.opening] * 2)
    peft = in_peft(backbone, tmp_path / "it")
    found = peft(input_ids=batch.input_ids, attention_mask=batch.mask, decoder_input_ids=opening).logits
    torch.testing.assert_close(found[:, -1][:, [told[0] for told in backbone.answers]], ours, **close)
    assert (ours - plain).abs().max() > 1e-3
    assert peft.active_peft_config.num_transformer_submodules == 1
    assert files.load(tmp_path / "it").injection.tokens.shape == (1, P, 32)


@pytest.mark.parametrize("family", ["encoder_classifier bert", "decoder_classifier llama"])
def test_a_classifier_s_prompt_is_saved_without_an_adapter(family, tmp_path):
    backbone = pico.BACKBONES[family]()
    made = Injection(prompt().tokens, head=torch.ones(1, 2, 32), head_bias=torch.ones(1, 2))
    files.save(tmp_path / "it", made, card(backbone))
    assert sorted(file.name for file in (tmp_path / "it").iterdir()) == ["card.json", "prompt.safetensors"]
    assert "another classifier" in adapters.refusal(made, card(backbone))
    with pytest.raises(PromptError):
        adapters.write(tmp_path / "it", made, card(backbone))
