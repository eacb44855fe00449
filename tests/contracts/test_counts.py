"""Speed as counts, which no busy machine changes: products of matrices, values made, the head's rows, padding."""

import random

import pytest
import torch
from accelerate import Accelerator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from softbridge.backbones import base
from softbridge.backbones.attention import register
from softbridge.backbones.packed import GROUP_PLACES
from softbridge.batch import STEP, Rows, cut
from softbridge.engine.step import Work, backward
from softbridge.evaluation.passes import passes
from softbridge.prompts.bank import Bank
from softbridge.prompts.late import Late
from softbridge.prompts.soft import Soft
from softbridge.seeding import generator
from tests import pico

LENGTH, TEXT, BATCH = 6, 2 * STEP, 8


class Made(TorchDispatchMode):
    """Add up the values that operations make anew."""

    def __init__(self):
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        self.values += sum(t.numel() for t in torch.utils._pytree.tree_leaves(made) if isinstance(t, torch.Tensor))
        return made


def step(backbone, kind, members=1):
    """Return what makes one training step of a bank over rows of one length."""
    backbone.model.set_attn_implementation(register())
    draw = generator(0, "counts")
    bank = Bank({str(i): kind.build(backbone.space(), draw) for i in range(members)})
    ids = torch.randint(6, len(pico.WORDS), (members * BATCH, TEXT), generator=draw).tolist()
    every = range(len(ids))
    work = Work(Rows(ids, [i % 2 for i in every]), [i // BATCH for i in every], {}, [str(i) for i in every])
    accelerator = Accelerator(cpu=True)
    return lambda: backward(backbone, bank, work, BATCH, 1, accelerator)


def products(run):
    """Return the floating-point operations of a step's products of matrices."""
    run()  # what is made once is made before
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def weights(backbone):
    """Return how many weights of the blocks meet each position."""
    body = backbone.model.base_model
    blocks = next(m for m in body.modules() if isinstance(m, torch.nn.ModuleList))
    return sum(m.weight.numel() for m in blocks.modules() if isinstance(m, torch.nn.Linear))


def needed(backbone, positions, seen, blocks=2):
    """Return forward and gradient of the products with weights and of attention; none with respect to weights."""
    config = backbone.config
    attention = 3 * 4 * positions * seen * config.num_attention_heads * (32 // config.num_attention_heads) * blocks
    return 4 * weights(backbone) * positions * blocks // config.num_hidden_layers + attention


@pytest.mark.parametrize("kind", ["sentence", "llama"])
def test_a_step_multiplies_no_more_than_it_needs(kind):
    backbone = pico.BACKBONES[kind]()
    places = BATCH * TEXT + LENGTH if kind == "llama" else BATCH * (LENGTH + TEXT)  # a causal prompt stands there once
    assert products(step(backbone, Soft(LENGTH))) < 1.01 * needed(backbone, places, LENGTH + TEXT)


@pytest.mark.parametrize("kind", ["sentence", "llama"])
def test_a_bank_multiplies_no_more_than_its_members_alone(kind):
    one, four = (products(step(pico.BACKBONES[kind](), Soft(LENGTH), members)) for members in (1, 4))
    assert four <= 1.01 * 4 * one


def test_a_late_prompt_multiplies_nothing_below_its_block():
    backbone = pico.causal()
    above = needed(backbone, BATCH * TEXT + LENGTH, LENGTH + TEXT, blocks=1)
    assert products(step(backbone, Late(LENGTH, block=1))) < 1.01 * above


def wide(vocabulary):
    """Return a pico causal model of a vocabulary's size."""
    torch.manual_seed(0)
    sizes = {**pico.SIZES, "vocab_size": vocabulary, "num_key_value_heads": 2}
    return pico.causal(LlamaForCausalLM(LlamaConfig(**sizes, pad_token_id=0, bos_token_id=1, eos_token_id=2)).eval())


def test_neither_time_nor_memory_of_a_step_grows_with_the_vocabulary():
    seen = []
    for vocabulary in (len(pico.WORDS), 40 * len(pico.WORDS)):
        run = step(wide(vocabulary), Soft(LENGTH))
        flops = products(run)
        with Made() as made:
            run()
        seen.append((flops, made.values))
    assert seen[0] == seen[1]


def test_the_count_of_values_made_would_see_all_logits():
    with Made() as made:
        wide(2000).model(torch.ones(BATCH, TEXT, dtype=torch.long))
    assert made.values > BATCH * TEXT * 2000


@pytest.mark.parametrize("kind", ["sentence", "llama", "seq2seq t5"])
def test_rows_of_unlike_length_that_fit_into_one_pass_take_one(kind):
    backbone, ran = pico.BACKBONES[kind](), []
    bank = Bank({"0": Soft(LENGTH).build(backbone.space(), generator(0, "counts"))})
    assert backbone.unpadded(bank[0].bake(), TEXT) == (kind != "seq2seq t5")
    backbone.model.base_model.register_forward_hook(lambda *_: ran.append(1))
    rows = Rows([list(range(6, 6 + n)) for n in (3, 20, 5, 9)], [0, 1, 0, 1])
    work = Work(rows, [0] * 4, {}, list("abcd"))
    backward(backbone, bank, work, 4, 1, Accelerator(cpu=True))
    assert len(ran) == 1
    backward(backbone, bank, work, 4, 2, Accelerator(cpu=True))
    assert len(ran) >= 1 + 2


def test_packed_rows_fill_a_pass_by_their_own_tokens_and_padded_ones_by_the_longest(monkeypatch):
    rows = Rows([[7] * n for n in (500, 20, 20, 20)], [0] * 4)
    prompt = Soft(LENGTH).build(pico.causal().space(), generator(0, "counts")).bake()
    for backbone in (pico.causal(), pico.sentence()):
        assert passes(backbone, rows, prompt, [0] * 4) == [[1, 2, 3, 0]]
    assert passes(pico.causal(), rows, None, [0] * 4) == [[1, 2, 3, 0]]
    assert passes(pico.sentence(), rows, None, [0] * 4) == [[1, 2, 3], [0]], "without a prompt an encoder pads"
    assert passes(pico.BACKBONES["seq2seq t5"](), rows, prompt, [0] * 4) == [[1, 2, 3], [0]]
    monkeypatch.setattr(base, "GROUP_PLACES", {})  # as on a GPU, where attention pads a pass's rows
    for backbone in (pico.causal(), pico.sentence()):
        assert passes(backbone, rows, prompt, [0] * 4) == [[1, 2, 3], [0]]


def test_an_encoder_s_pass_holds_each_row_s_own_prompt():
    rows = Rows([[7] * 24] * 64, [0] * 64)
    prompt = Soft(40).build(pico.sentence().space(), generator(0, "counts")).bake()
    assert [len(group) for group in passes(pico.sentence(), rows, prompt, [0] * 64)] == [16] * 4


def test_a_pass_of_packed_rows_holds_each_member_s_prompt_once():
    rows = Rows([[7] * 20] * 64, [0] * 64)
    prompt = Soft(100).build(pico.causal().space(), generator(0, "counts")).bake()
    assert [len(group) for group in passes(pico.causal(), rows, prompt, range(64))] == [8] * 8
    assert [len(group) for group in passes(pico.causal(), rows, prompt, [i // 32 for i in range(64)])] == [46, 18]


@pytest.mark.parametrize("kind", ["sentence", "llama"])
def test_what_is_padded_is_not_multiplied_with_weights(kind):
    backbone, draw, ran = pico.BACKBONES[kind](), random.Random(0), []
    lengths = [min(72, max(5, round(draw.lognormvariate(3.1, 0.5)))) for _ in range(32)]  # as film reviews are
    assert backbone.packs  # which is tried at first
    backbone.model.base_model.register_forward_pre_hook(
        lambda module, given, told: ran.append(told["inputs_embeds"].shape[:2].numel()), with_kwargs=True
    )
    bank = Bank({"0": Soft(LENGTH).build(backbone.space(), generator(0, "counts"))})
    rows = Rows([[draw.randrange(6, 30) for _ in range(n)] for n in lengths], [0] * 32)
    backward(backbone, bank, Work(rows, [0] * 32, {}, [""] * 32), 32, 1, Accelerator(cpu=True))
    assert sum(ran) == sum(lengths) + LENGTH * (len(ran) if kind == "llama" else 32)


def test_padding_is_a_small_share_of_attention():
    draw = random.Random(0)
    lengths = [20 + min(72, max(5, round(draw.lognormvariate(3.1, 0.5)))) for _ in range(32)]  # as film reviews are
    paid = sum(len(group) * max(lengths[i] for i in group) for group in cut(lengths, GROUP_PLACES["cpu"]))
    assert paid < 1.2 * sum(lengths)
    assert 32 * max(lengths) > 1.3 * sum(lengths), "without sorting there would be more"
