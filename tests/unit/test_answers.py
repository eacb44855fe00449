"""Answers of free text: what they cost, how they are written, and when they are right."""

import math
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from peft import PromptTuningConfig, get_peft_model

from softbridge.batch import Rows
from softbridge.domains.answers import Answer
from softbridge.engine.loop import Member, Training
from softbridge.engine.plan import Plan
from softbridge.engine.step import Work, backward
from softbridge.errors import BackboneError
from softbridge.evaluation.answers import costs, exact_match
from softbridge.evaluation.evaluator import evaluate
from softbridge.injection import shared
from softbridge.prompts.bank import Bank
from softbridge.prompts.soft import Soft
from softbridge.prompts.table import PROMPTS
from softbridge.seeding import generator
from softbridge.study.gradients import row_gradients
from softbridge.study.judging import judge_on
from tests import pico

TEXTS = ["good w1 w2 w3 fine", "bad", "w4 w5 awful"]
ANSWERS = ["w7 w8", "w9", "w1 w2 w3 w4"]


def rows_of(backbone, texts=TEXTS, answers=ANSWERS):
    return Rows(backbone.tokenise(texts), [0] * len(texts), backbone.answer_ids(answers))


def prompt_of(kind, backbone, seed=0):
    made = PROMPTS[kind](length=3).build(backbone.space(), generator(seed, "answers"))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(seed, "noise")))
    return made.bake()


def test_the_loss_is_what_peft_and_the_model_itself_say():
    backbone, model = pico.causal(), pico.llama()
    prompt = prompt_of("soft", backbone)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, token_dim=32, num_layers=2)
    theirs = get_peft_model(model, config)
    with torch.no_grad():
        theirs.prompt_encoder["default"].embedding.weight.copy_(prompt.tokens[0])
    rows = rows_of(backbone)
    for i in range(len(rows)):
        ids, told = torch.tensor([[*rows.ids[i], *rows.told[i]]]), len(rows.told[i])
        labels = torch.where(torch.arange(ids.shape[1]) < ids.shape[1] - told, -100, ids)
        with torch.no_grad():
            wanted = theirs(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
            ours = costs(backbone, rows.take([i]), shared(prompt, ids)) / told
        assert rows.told[i][-1] == 2, "the end is asked for too"
        assert ours.item() == pytest.approx(wanted.item(), abs=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "seq2seq t5", "seq2seq bart"])
@pytest.mark.parametrize("kind", [None, "soft", "dept"])
def test_neither_padding_nor_the_rows_beside_change_a_loss(family, kind):
    backbone = pico.BACKBONES[family]()
    prompt = None if kind is None else prompt_of(kind, backbone)
    rows = rows_of(backbone)
    with torch.no_grad():
        whole = costs(backbone, rows, prompt and prompt.pick(torch.zeros(3, dtype=torch.long)))
        each = [costs(backbone, rows.take([i]), prompt) for i in range(3)]
    assert whole.tolist() == pytest.approx([one.item() for one in each], rel=1e-4)


@pytest.mark.parametrize("family", ["seq2seq t5", "seq2seq bart"])
def test_an_encoder_decoder_costs_what_it_says_itself(family):
    backbone = pico.BACKBONES[family]()
    rows = rows_of(backbone, TEXTS[:1], ANSWERS[:1])
    with torch.no_grad():
        theirs = backbone.model(torch.tensor(rows.ids), labels=torch.tensor(rows.told)).loss.item()
        assert costs(backbone, rows, None).item() / len(rows.told[0]) == pytest.approx(theirs, rel=1e-4)


def test_a_step_divides_by_the_tokens_of_its_rows():
    backbone = pico.causal()
    bank = Bank({"it": Soft(length=3).build(backbone.space(), generator(0, "step"))})
    work = Work(rows_of(backbone), [0, 0, 0], {})
    work = replace(work, divisors=work.tokens)
    assert work.tokens == {0: 3 + 2 + 5}
    found = backward(backbone, bank, work, 32, 1, Accelerator(cpu=True))[0].item()
    judged = evaluate(backbone, bank, [work.rows])[0]
    assert found == pytest.approx(judged["loss"], rel=1e-5)
    assert judged["perplexity"] == pytest.approx(math.exp(found), rel=1e-4)
    assert bank[0].tokens.grad.abs().sum() > 0


def test_answers_count_in_how_many_rows_gradients_are_taken_at_once():
    backbone = pico.causal()
    rows = Rows(backbone.tokenise(TEXTS), [0] * 3, [[5] * 400] * 3)
    found = list(row_gradients(backbone, prompt_of("soft", backbone), rows))
    assert [len(part) for part in found] == [2, 1], "1024 positions hold two answers of 400 tokens"


def test_members_in_one_bank_learn_what_they_learn_alone():
    backbone, rows = pico.causal(), [rows_of(pico.causal(), answers=some) for some in (ANSWERS, ANSWERS[::-1])]

    def trained(members):
        made = [
            Member(f"m{i}", i, Soft(length=3).build(backbone.space(), generator(i, "bank")), rows[i]) for i in members
        ]
        judge = judge_on(backbone, [rows[i] for i in members], plan, Accelerator(cpu=True))
        return Training(backbone, made, plan, judge, Accelerator(cpu=True)).run()

    plan = Plan(steps=6, batch=2, evaluate_every=2)
    together, alone = trained([0, 1]), [trained([i])[0] for i in (0, 1)]
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one.last.tokens, other.last.tokens, atol=1e-5)
        assert set(one.history[0]["validation"]) == {"loss", "perplexity"}
    assert not torch.allclose(alone[0].last.tokens, alone[1].last.tokens, atol=1e-2)


def test_a_trained_steps_loss_is_of_tokens_too():
    backbone = pico.causal()
    rows, plan = rows_of(backbone), Plan(steps=1, batch=3, evaluate_every=1)
    member = Member("it", 0, Soft(length=3).build(backbone.space(), generator(0, "step")), rows)
    judge = judge_on(backbone, [rows], plan, Accelerator(cpu=True))
    before, after = Training(backbone, [member], plan, judge, Accelerator(cpu=True)).run()[0].history
    assert after["train_loss"] == pytest.approx(before["validation"]["loss"], rel=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "seq2seq t5"])
def test_what_is_written_is_compared_row_by_row(family):
    backbone = pico.BACKBONES[family]()
    prompt, rows = prompt_of("soft", backbone), rows_of(backbone)
    told = [
        backbone.tokenizer.decode(
            backbone.generate(backbone.batch(rows.take([i])), prompt, max_new_tokens=4, do_sample=False)[0],
            skip_special_tokens=True,
        )
        for i in range(3)
    ]
    assert len(set(told)) > 1, "the rows are answered differently, so that an exchange would be seen"
    for wanted, share in ((told, 1.0), (told[1:] + told[:1], None), ([told[0], "none", told[2].upper()], 2 / 3)):
        expected = (
            sum(a.lower() == b.lower() for a, b in zip(told, wanted, strict=True)) / 3 if share is None else share
        )
        for positions in (1, 1000):
            found = exact_match(backbone, prompt, rows, wanted, Answer(max_new_tokens=4), positions)
            assert found == pytest.approx(expected)


@pytest.mark.parametrize("family", ["llama", "seq2seq bart"])
@pytest.mark.parametrize("own", [{"repetition_penalty": 9.0}, {"no_repeat_ngram_size": 1}])
def test_what_a_models_files_ask_of_its_writing_changes_no_score(family, own, monkeypatch):
    backbone = pico.BACKBONES[family]()
    rows = rows_of(backbone)

    def written():
        told = backbone.generate(backbone.batch(rows), None, do_sample=False, num_beams=1, max_new_tokens=12)
        return backbone.tokenizer.batch_decode(told, skip_special_tokens=True)

    wanted = written()
    for key, value in own.items():
        monkeypatch.setattr(backbone.model.generation_config, key, value)
    assert written() != wanted
    assert exact_match(backbone, None, rows, wanted, Answer(max_new_tokens=12), 1000) == 1


def test_an_untrained_model_that_writes_its_end_at_once_writes_nothing(monkeypatch):
    backbone = pico.causal()
    monkeypatch.setattr(backbone.model.generation_config, "min_length", 100)
    rows = rows_of(backbone)
    head = backbone.model.get_output_embeddings()
    before = head.weight.detach().clone()
    with torch.no_grad():
        states = backbone.hidden(backbone.batch(rows).input_ids, backbone.batch(rows).mask, None)[:, -1]
        head.weight[backbone.end] = 100 * states.sum(0)
    try:
        assert exact_match(backbone, None, rows, ["", "", "x"], Answer(max_new_tokens=3), 1000) == pytest.approx(2 / 3)
    finally:
        head.weight.data.copy_(before)


@pytest.mark.parametrize(
    ("written", "wanted", "right"),
    [
        ("The answer is: 72", "48 + 24 = 72 clips. #### 72", True),
        ("$1,250.00 in all.", "#### 1250", True),
        ("12,5", "#### 125", False),
        ("10-3 = 7.0", "#### 7", True),
        ("x = -4", "#### -4", True),
        ("−4", "#### -4", True),
        ("5-4", "#### -4", False),
        ("-$20", "#### -20", True),
        ("50%", "#### 50", True),
        (".5", "0.50", True),
        ("seventy-two", "#### 72", False),
        ("", "#### 72", False),
        ("72. Question: 8", "#### 72", False),
        ("007", "#### 7", True),
    ],
)
def test_the_number_that_an_answer_ends_with_is_compared(written, wanted, right):
    assert Answer("number").right(written, wanted) is right


def test_texts_are_compared_without_case_and_white_space():
    assert Answer().right(" New\n York ", "new york")
    assert not Answer().right("New York.", "new york")


def test_an_answer_stands_behind_a_blank_and_before_its_end():
    backbone = pico.causal()
    seen = []
    backbone.word_ids = lambda text: seen.append(text) or [7, 8]
    assert backbone.answer_ids(["72", "七十二"]) == [[7, 8, 2], [7, 8, 2]]
    assert seen == [" 72", "七十二"]
    backbone.spec, backbone.word_ids = replace(backbone.spec, max_length=4), lambda text: [7] * 9
    assert backbone.answer_ids(["72"]) == [[7] * 4], "an answer that is cut does not end there"


def test_a_kind_that_writes_no_text_says_so():
    with pytest.raises(BackboneError, match="writes no text"):
        pico.BACKBONES["sentence"]().answer_ids(["72"])
