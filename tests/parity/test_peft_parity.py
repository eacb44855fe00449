"""A saved prompt folder is an ordinary PEFT adapter: PEFT's forward equals our join of the same prompt.

The join is written out here, a second time and by hand, so that it judges the folder and not the backbone room.
"""

import pytest
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from softbridge.injection import Injection
from softbridge.prompts.card import Card
from softbridge.prompts.files import load, save

V, H, P = 97, 32, 5
CONFIGS = {
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=V,
            hidden_size=H,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    ),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=V, n_embd=H, n_layer=2, n_head=4, n_positions=64)),
    "bert": lambda: BertModel(
        BertConfig(
            vocab_size=V,
            hidden_size=H,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
        )
    ),
}
ROWS = [[3, 14, 15, 92, 65], [35, 89, 79], [32, 38, 46, 26, 43, 38, 32]]
causal = pytest.mark.parametrize("name", ["llama", "gpt2"])
close = {"atol": 1e-5, "rtol": 0.0}


def build(name):
    """Return a tiny model with weights large enough that a wrong position or mask shows."""
    torch.manual_seed(0)
    model = CONFIGS[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    return model


def made(kind, folder, name="org/pico"):
    """Save a prompt of the embeddings' size, and return what loads from the folder."""
    prompt = 0.08 * torch.randn(P, H, generator=torch.Generator().manual_seed(1))
    save(folder, Injection(prompt.unsqueeze(0)), Card(name, None, kind, 2, 4, "f00d", P, H, "random", 1))
    return load(folder).injection.tokens[0]


def in_peft(base, folder):
    """Return the model with the adapter, as a user of PEFT would."""
    from peft import PeftModel

    return PeftModel.from_pretrained(base, folder).eval()


def padded(rows, side):
    """Return `[B, T]` ids and mask."""
    longest = max(map(len, rows))
    fill = [[0] * (longest - len(row)) for row in rows]
    ids = [row + f if side == "right" else f + row for row, f in zip(rows, fill, strict=True)]
    ones = [[1] * len(row) for row in rows]
    mask = [o + f if side == "right" else f + o for o, f in zip(ones, fill, strict=True)]
    return torch.tensor(ids), torch.tensor(mask)


def prompt_first(model, prompt, ids, mask):
    """Return the logits of `[prompt; text]`, positions counted from the prompt's first token."""
    states = torch.cat([prompt.expand(len(ids), -1, -1), model.get_input_embeddings()(ids)], dim=1)
    mask = torch.cat([mask.new_ones(len(ids), P), mask], dim=1)
    positions = torch.arange(P + ids.shape[1]).expand(len(ids), -1)
    return model(inputs_embeds=states, attention_mask=mask, position_ids=positions).logits


def prompt_after_padding(model, prompt, ids, mask):
    """Return the logits of `[padding; prompt; text]` for left-padded rows."""
    states, seen = [], []
    for row, there in zip(model.get_input_embeddings()(ids), mask, strict=True):
        start = int((there == 0).sum())
        states.append(torch.cat([row[:start], prompt, row[start:]]))
        seen.append(torch.cat([there[:start], there.new_ones(P), there[start:]]))
    seen = torch.stack(seen)
    positions = (seen.cumsum(1) - 1).clamp_min(0)
    return model(inputs_embeds=torch.stack(states), attention_mask=seen, position_ids=positions).logits


@causal
@torch.inference_mode()
def test_causal_rows_alone(name, tmp_path):
    model, prompt = build(name), made("causal", tmp_path)
    expected = [prompt_first(model, prompt, torch.tensor([row]), torch.ones(1, len(row))) for row in ROWS]
    peft = in_peft(model, tmp_path)
    for row, logits in zip(ROWS, expected, strict=True):
        torch.testing.assert_close(peft(input_ids=torch.tensor([row])).logits, logits, **close)


@causal
@torch.inference_mode()
def test_causal_rows_padded_on_the_right(name, tmp_path):
    model, prompt = build(name), made("causal", tmp_path)
    ids, mask = padded(ROWS, "right")
    expected = prompt_first(model, prompt, ids, mask)
    found = in_peft(model, tmp_path)(input_ids=ids, attention_mask=mask).logits
    there = torch.cat([mask.new_ones(len(ids), P), mask], dim=1).bool()
    torch.testing.assert_close(found[there], expected[there], **close)


@causal
@torch.inference_mode()
def test_our_left_padded_join_is_peft_s_row_alone(name, tmp_path):
    """PEFT itself puts the prompt before the padding, so its own left-padded rows are another function."""
    model, prompt = build(name), made("causal", tmp_path)
    ids, mask = padded(ROWS, "left")
    ours = prompt_after_padding(model, prompt, ids, mask)[:, -1]
    peft = in_peft(model, tmp_path)
    alone = torch.cat([peft(input_ids=torch.tensor([row])).logits[:, -1] for row in ROWS])
    torch.testing.assert_close(ours, alone, **close)
    theirs = peft(input_ids=ids, attention_mask=mask).logits[:, -1]
    assert (theirs - alone).abs().max() > 1e-3, "PEFT mends left padding: say so in the docs"


@torch.inference_mode()
def test_sentence_encoder_up_to_the_order_of_the_slots(tmp_path):
    model, prompt = build("bert"), made("sentence", tmp_path)
    ids, mask = padded(ROWS, "right")
    text = model.get_input_embeddings()(ids)
    slots = torch.cat([text[:, :1], prompt.expand(len(ids), -1, -1), text[:, 1:]], dim=1)
    seen = torch.cat([mask[:, :1], mask.new_ones(len(ids), P), mask[:, 1:]], dim=1)
    positions = torch.tensor([P, *range(P), *range(P + 1, P + ids.shape[1])])
    ours = model(inputs_embeds=slots, attention_mask=seen, position_ids=positions.expand(len(ids), -1))
    peft = in_peft(model, tmp_path)(input_ids=ids, attention_mask=mask)
    there = seen.bool()
    torch.testing.assert_close(ours.last_hidden_state[there], peft.last_hidden_state[:, positions][there], **close)
    in_slot_order = model(inputs_embeds=slots, attention_mask=seen).last_hidden_state
    assert (in_slot_order - ours.last_hidden_state)[there].abs().max() > 1e-3, "the positions do not matter here"
    # What pools slot 0 reads [CLS] in ours, and a virtual token in PEFT.
    assert (peft.pooler_output - ours.pooler_output).abs().max() > 1e-3


@pytest.mark.parametrize("name", CONFIGS)
@torch.inference_mode()
def test_the_prompt_is_heard(name, tmp_path):
    """Guard the parity tests: they would also pass if both sides dropped the prompt."""
    model = build(name)
    made("sentence" if name == "bert" else "causal", tmp_path)
    ids = torch.tensor(ROWS[:1])
    without = model(input_ids=ids)[0][:, -1]
    assert (in_peft(model, tmp_path)(input_ids=ids)[0][:, -1] - without).abs().max() > 1e-3


@torch.inference_mode()
def test_auto_peft_finds_the_base_model_by_the_card(tmp_path):
    from peft import AutoPeftModelForCausalLM

    model = build("llama")
    model.save_pretrained(tmp_path / "base")
    made("causal", tmp_path / "prompt", name=str(tmp_path / "base"))
    ids = torch.tensor(ROWS[:1])
    found = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "prompt").eval()(input_ids=ids).logits
    torch.testing.assert_close(found, in_peft(model, tmp_path / "prompt")(input_ids=ids).logits, **close)


@torch.inference_mode()
def test_what_peft_saves_again_is_the_same_prompt(tmp_path):
    from safetensors.torch import load_file

    prompt = made("causal", tmp_path / "prompt")
    in_peft(build("llama"), tmp_path / "prompt").save_pretrained(tmp_path / "again")
    again = load_file(tmp_path / "again" / "adapter_model.safetensors")
    assert list(again) == ["prompt_embeddings"]
    assert torch.equal(again["prompt_embeddings"], prompt)
