"""Prompts that PEFT and others made give the same scores here; what is no prompt is refused."""

import pickle

import pytest
import torch
from peft import (
    LoraConfig,
    MultitaskPromptTuningConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file

from softbridge.batch import Rows
from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts.card import Card
from softbridge.prompts.importing import take
from softbridge.prompts.interop import from_peft, to_peft
from tests import pico

TASK = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 3}
CONFIGS = {
    "prompt tuning": lambda: PromptTuningConfig(**TASK),
    "p-tuning": lambda: PromptEncoderConfig(**TASK, encoder_hidden_size=16),
    "p-tuning, lstm": lambda: PromptEncoderConfig(
        **TASK, encoder_hidden_size=16, encoder_reparameterization_type="LSTM"
    ),
    "prefix": lambda: PrefixTuningConfig(**TASK),
    "prefix, projected": lambda: PrefixTuningConfig(**TASK, prefix_projection=True, encoder_hidden_size=16),
    "multitask": lambda: MultitaskPromptTuningConfig(**TASK, num_tasks=2),
}


def filled(model):
    """Give what PEFT trains values large enough to be heard."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "prompt_encoder" in name:
                parameter.normal_(std=0.5, generator=torch.Generator().manual_seed(len(name)))
    return model.eval()


@pytest.mark.parametrize("form", CONFIGS)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_adapter_of_peft_scores_here_as_it_does_there(form, family, tmp_path):
    backbone = pico.causal() if family == "llama" else pico.causal(pico.gpt2())
    peft = filled(get_peft_model(pico.causal().model if family == "llama" else pico.gpt2(), CONFIGS[form]()))
    peft.save_pretrained(tmp_path)
    task = {"task_ids": torch.tensor([1])} if form == "multitask" else {}
    texts, _ = pico.texts(3, 1)
    rows, words = Rows(backbone.tokenise(texts), [0] * 3), [ids[0] for ids in backbone.answers]
    made = take(tmp_path, task=1)
    ours = backbone.score(backbone.batch(rows), made.pick(torch.zeros(3, dtype=torch.long)))
    for i, ids in enumerate(rows.ids):
        with torch.inference_mode():
            theirs = peft(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), **task).logits
        torch.testing.assert_close(ours[i].detach(), theirs[0, -1, words], atol=1e-5, rtol=1e-4)
    assert (ours - backbone.score(backbone.batch(rows), None)).abs().max() > 1e-2


@pytest.mark.parametrize("form", ["prompt tuning", "prefix", "p-tuning"])
def test_a_live_peft_model_goes_in_and_comes_out_again(form):
    peft = filled(get_peft_model(pico.llama(), CONFIGS[form]()))
    made = from_peft(peft)
    card = Card("org/pico", None, "causal", 2, 4, "f00d", 3, 32, "taken from PEFT", 0)
    again = to_peft(pico.llama(), made, card)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        expected = peft(input_ids=ids).logits
        torch.testing.assert_close(again(input_ids=ids).logits, expected, atol=1e-5, rtol=1e-4)


def test_a_prompt_that_peft_has_not_is_not_handed_back():
    card = Card("org/pico", None, "causal", 2, 4, "f00d", 3, 32, "late", 0, block=1)
    with pytest.raises(PromptError, match="before block 1"):
        to_peft(pico.llama(), Injection(torch.ones(1, 3, 32), block=1), card)


def test_a_t5_table_of_twice_the_length_is_its_first_half(tmp_path):
    peft = filled(get_peft_model(pico.t5(), PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)))
    peft.save_pretrained(tmp_path)
    table = load_file(tmp_path / "adapter_model.safetensors")["prompt_embeddings"]
    assert table.shape == (6, 32), "PEFT keeps P rows now: the note on T5 can go"
    assert torch.equal(take(tmp_path).tokens[0], table[:3])


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"soft": t}, lambda t: t.unsqueeze(0), torch.nn.Parameter])
def test_a_pickle_of_tensors_is_read_without_running_anything(wrap, tmp_path):
    table = torch.randn(3, 8)
    torch.save(wrap(table), tmp_path / "task_prompt")
    assert torch.equal(take(tmp_path / "task_prompt").tokens[0], table)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle ran code",))


def test_a_pickle_of_anything_else_is_refused(tmp_path):
    (tmp_path / "prompt.bin").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(PromptError, match="more than tensors"):
        take(tmp_path / "prompt.bin")
    torch.save({"it": Evil()}, tmp_path / "prompt.pt")
    with pytest.raises(PromptError, match="more than tensors"):
        take(tmp_path / "prompt.pt")


def test_what_is_no_prompt_is_told(tmp_path):
    get_peft_model(pico.llama(), LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"])).save_pretrained(tmp_path)
    with pytest.raises(PromptError, match="type LORA"):
        take(tmp_path)
    with pytest.raises(PromptError, match="no adapter_config"):
        take(tmp_path.parent)
    save_file({"a": torch.ones(2, 3), "b": torch.ones(2, 3)}, tmp_path / "two.safetensors")
    with pytest.raises(PromptError, match=r"a \[2, 3\], b \[2, 3\]"):
        take(tmp_path / "two.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "two.safetensors").read_bytes()[:-3])
    with pytest.raises(PromptError, match="cannot be read"):
        take(tmp_path / "cut.safetensors")
    with pytest.raises(PromptError, match="there is no file or folder"):
        take(tmp_path / "nowhere.safetensors")
    for content in (b"text,label\nfine,good\n", b"", b"\x80\x02", b"(lp0\n."):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(PromptError, match=r"cannot be read|more than tensors|holds the tensors none"):
            take(tmp_path / "table.csv")
