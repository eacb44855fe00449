"""What each kind of backbone promises of its scores, against the models' own forward passes."""

from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from softbridge.backbones import loading, probes
from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.loading import kind_of, load
from softbridge.batch import Rows
from softbridge.errors import BackboneError
from softbridge.injection import Injection
from tests import pico

MASKED = {"bert": pico.masked_bert, "roberta": pico.roberta, "modernbert": pico.modernbert}
SEQ2SEQ = {"t5": pico.t5, "t5 untied": lambda: pico.t5(tied=False), "bart": pico.bart}
TEXTS = ["w1 w2 good w3", "bad w4"]
close = {"atol": 1e-5, "rtol": 1e-5}


def scored(backbone, texts=TEXTS, prompt=None):
    return backbone.score(backbone.batch(Rows(backbone.tokenise(texts), [0] * len(texts))), prompt)


def virtual(count, length=3, width=32, **parts):
    states = 0.3 * torch.randn(1, length, width, generator=torch.Generator().manual_seed(0))
    return Injection(tokens=states.expand(count, -1, -1), **parts)


# Masked


@pytest.mark.parametrize("model", MASKED.values(), ids=MASKED)
def test_masked_scores_are_the_model_s_own_at_the_mask(model):
    backbone = pico.of_kind("masked", model())
    got = scored(backbone, ["w1 w2 {mask} w3"])
    ids = torch.tensor(
        [[1, *backbone.word_ids("w1 w2"), backbone.tokenizer.mask_token_id, *backbone.word_ids("w3"), 2]]
    )
    want = backbone.model(input_ids=ids).logits[:, 3, [backbone.word_ids(word)[0] for word in backbone.words]]
    torch.testing.assert_close(got, want, **close)


@pytest.mark.parametrize("model", MASKED.values(), ids=MASKED)
def test_masked_reads_the_mask_of_a_prompt_that_stands_first(model):
    """Up to the order of its slots the join is `[prompt; [CLS]; text]`, also where attention is local."""
    backbone = pico.of_kind("masked", model())
    (ids,) = backbone.tokenise([" ".join(pico.PLAIN[:20]) + " {mask} w3"])
    made = virtual(1)
    got = backbone.score(backbone.batch(Rows([ids], [0])), made)
    text = backbone.embed(torch.tensor([ids]))
    logits = backbone.model(inputs_embeds=torch.cat([made.tokens, text], dim=1)).logits
    place = 3 + ids.index(backbone.tokenizer.mask_token_id)
    torch.testing.assert_close(got, logits[:, place, [backbone.word_ids(w)[0] for w in backbone.words]], **close)


@pytest.mark.parametrize("model", MASKED.values(), ids=MASKED)
def test_a_class_of_several_tokens_reads_as_many_masks(model):
    words = ("bad poor", "good", "fine great")
    backbone = pico.of_kind("masked", model(), words)
    got = scored(backbone, ["w1 {mask} w3", "w1 w2 {mask}"])
    mask = backbone.tokenizer.mask_token_id
    want = torch.zeros(2, 3)
    for i, (left, right) in enumerate([("w1", "w3"), ("w1 w2", "")]):
        for c, word in enumerate(words):
            told, start = backbone.word_ids(word), [1, *backbone.word_ids(left)]
            ids = torch.tensor([[*start, *[mask] * len(told), *backbone.word_ids(right), 2]])
            chances = backbone.model(input_ids=ids).logits[0].log_softmax(-1)
            want[i, c] = sum(chances[len(start) + j, token] for j, token in enumerate(told))
    torch.testing.assert_close(got, want, **close)
    assert scored(backbone, ["w1 {mask} w3"], virtual(1)).isfinite().all()


def test_a_text_without_a_mask_gets_one_at_its_end_and_a_spelled_one_is_text():
    backbone = pico.of_kind("masked", pico.masked_bert())
    mask = backbone.tokenizer.mask_token_id
    plain, spelled = backbone.tokenise(["w1 w2", "w1 [MASK] w2 {mask} w3"])
    assert plain == [1, *backbone.word_ids("w1 w2"), mask, 2]
    assert spelled == [1, *backbone.word_ids("w1 w2"), mask, *backbone.word_ids("w3"), 2]
    with pytest.raises(BackboneError, match="2 masks"):
        backbone.tokenise(["{mask} w1 {mask}"])


def test_a_long_text_is_cut_far_from_the_mask():
    backbone = pico.of_kind("masked", pico.masked_bert(), max_length=12)
    every = " ".join(pico.PLAIN)
    for text, kept in [
        (f"{every} {{mask}}", "w31 w32 w33 w34 w35 w36 w37 w38 w39 [MASK]"),
        (f"{{mask}} {every}", "[MASK] w0 w1 w2 w3 w4 w5 w6 w7 w8"),
        (f"{every} {{mask}} w5", "w32 w33 w34 w35 w36 w37 w38 w39 [MASK] w5"),
        (f"{every} {{mask}} {every}", "w35 w36 w37 w38 w39 [MASK] w0 w1 w2 w3"),
    ]:
        (ids,) = backbone.tokenise([text])
        assert backbone.tokenizer.decode(ids[1:-1]) == kept


def test_a_label_word_is_what_stands_in_a_text_of_a_byte_level_vocabulary():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    trainer = trainers.BpeTrainer(special_tokens=special, vocab_size=57, show_progress=False)
    made.train_from_iterator(["it was good", "it was bad", "good", "bad"] * 50, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    backbone = pico.of_kind("masked", pico.roberta())
    backbone.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"
    )
    backbone.bind(["good", " bad"])
    assert [backbone.tokenizer.decode(told) for told in backbone.answers] == [" good", " bad"]
    assert backbone.answers[0] == backbone.word_ids("it was good")[-1:] != backbone.word_ids("good")[-1:]
    assert backbone.tokenizer.decode(backbone.around_mask("it was {mask}.")[1:-1]).startswith("it was[MASK]")


def test_a_tokenizer_without_a_mask_is_refused():
    with pytest.raises(BackboneError, match="no mask token"):
        pico.KINDS["masked"](pico.masked_bert(), pico.tokenizer(True), BackboneSpec("pico"))


# Sequence to sequence


@pytest.mark.parametrize("words", [("negative", "positive"), ("bad poor", "good")])
@pytest.mark.parametrize("model", SEQ2SEQ.values(), ids=SEQ2SEQ)
def test_seq2seq_scores_are_the_decoder_s_log_likelihood(model, words):
    backbone = pico.of_kind("seq2seq", model(), words)
    made = virtual(1)
    for text in TEXTS:
        (ids,) = backbone.tokenise([text])
        got = backbone.score(backbone.batch(Rows([ids], [0])), made).log_softmax(-1)
        states = torch.cat([made.tokens, backbone.embed(torch.tensor([ids]))], dim=1)
        want = torch.zeros(1, 2)
        for c, word in enumerate(words):
            target = backbone.tokenizer(text_target=word)["input_ids"]  # with its special tokens, as models learn it
            logits = backbone.model(inputs_embeds=states, labels=torch.tensor([target])).logits[0].log_softmax(-1)
            told = backbone.word_ids(word)
            start = target.index(told[0])
            want[0, c] = sum(logits[start + j, token] for j, token in enumerate(told))
        torch.testing.assert_close(got, want.log_softmax(-1), **close)


def test_the_decoder_opens_as_it_was_trained_to():
    assert pico.of_kind("seq2seq", pico.t5()).opening == [0]
    assert pico.of_kind("seq2seq", pico.bart()).opening == [2, 1]


def test_a_scaled_table_is_told_as_the_first_block_reads_it():
    backbone = pico.of_kind("seq2seq", pico.bart())
    torch.testing.assert_close(backbone.space().table, backbone.embed(torch.arange(57)), **close)
    assert not torch.allclose(backbone.space().table, backbone.table)


# Classifiers


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert"])
def test_an_encoder_classifier_reads_no_virtual_token(family, pooling):
    backbone = pico.of_kind("encoder_classifier", MASKED[family]().base_model, pooling=pooling)
    made = virtual(1, head=torch.randn(1, 2, 32), head_bias=torch.randn(1, 2))
    (ids,) = backbone.tokenise([" ".join(pico.PLAIN[:12])])
    got = backbone.score(backbone.batch(Rows([ids], [0])), made)
    text = backbone.embed(torch.tensor([ids]))
    hidden = backbone.model(inputs_embeds=torch.cat([made.tokens, text], dim=1)).last_hidden_state[:, 3:]
    vector = hidden.mean(1) if pooling == "mean" else hidden[:, 0]
    torch.testing.assert_close(got, vector @ made.head[0].T + made.head_bias, **close)


@pytest.mark.parametrize("model", [pico.llama, pico.gpt2])
def test_a_decoder_classifier_reads_the_text_s_last_token(model):
    backbone = pico.of_kind("decoder_classifier", model().base_model)
    made = virtual(2, head=torch.randn(2, 2, 32), head_bias=torch.randn(2, 2))
    got = scored(backbone, TEXTS, made)
    for i, ids in enumerate(backbone.tokenise(TEXTS)):
        states = torch.cat([made.tokens[:1], backbone.embed(torch.tensor([ids]))], dim=1)
        last = backbone.model(inputs_embeds=states).last_hidden_state[0, -1]
        torch.testing.assert_close(got[i], made.head[i] @ last + made.head_bias[i], **close)


@pytest.mark.parametrize("family", ["encoder_classifier bert", "decoder_classifier llama"])
def test_a_classifier_wants_a_head_of_its_classes(family):
    backbone = pico.BACKBONES[family]()
    assert backbone.space().head == 32
    with pytest.raises(BackboneError, match="no linear head"):
        scored(backbone, TEXTS, virtual(2))
    wrong = virtual(2, head=torch.zeros(2, 3, 32), head_bias=torch.zeros(2, 3))
    with pytest.raises(BackboneError, match="3 classes over 32 features"):
        scored(backbone, TEXTS, wrong)
    alone = replace(wrong, tokens=None, head=wrong.head[:, :2], head_bias=wrong.head_bias[:, :2])
    assert scored(backbone, TEXTS, alone).shape == (2, 2)


# Loading


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "causal"),
        ({"architectures": ["GPT2LMHeadModel"]}, "causal"),
        ({"architectures": ["RobertaForMaskedLM"]}, "masked"),
        ({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}, "seq2seq"),
        ({"architectures": ["BartModel"], "is_encoder_decoder": True}, "seq2seq"),
        ({"architectures": ["T5EncoderModel"], "is_encoder_decoder": True}, "sentence"),
        ({"architectures": ["BertModel"]}, "sentence"),
    ],
)
def test_a_kind_is_read_from_the_configuration(names, kind):
    assert kind_of(names) == kind


@pytest.mark.parametrize("names", [["BertForSequenceClassification"], ["LlamaForSequenceClassification"], None, []])
def test_a_classifier_is_never_guessed(names):
    with pytest.raises(ValueError, match="tells none of the kinds"):
        kind_of({"architectures": names})


def spec(folder, **keys):
    return BackboneSpec(str(folder), **{"max_length": 32, "precision": "float32", "attention": "sdpa", **keys})


SAVED = {
    "masked": pico.modernbert,
    "seq2seq": pico.t5,
    "encoder_classifier": pico.bert,
    "decoder_classifier": pico.llama,
}


@pytest.mark.parametrize("kind", SAVED)
def test_a_folder_loads_as_its_kind(kind, tmp_path):
    pico.save_backbone(tmp_path, kind)
    backbone = load(spec(tmp_path, kind=kind if kind.endswith("classifier") else None))
    assert backbone.kind == backbone.spec.kind == kind
    backbone.bind(["negative", "positive"])
    width = backbone.space().head
    made = virtual(2, **({"head": torch.ones(2, 2, width), "head_bias": torch.ones(2, 2)} if width else {}))
    model = SAVED[kind]()
    same = pico.of_kind(kind, model.base_model if kind == "decoder_classifier" else model)
    torch.testing.assert_close(scored(backbone, TEXTS, made), scored(same, TEXTS, made), **close)


@pytest.mark.parametrize(
    ("saved", "asked", "says"),
    [
        ("sentence", "masked", "weights that its files lack"),
        ("sentence", "seq2seq", "speak for sentence, which cannot be run as seq2seq"),
        ("seq2seq", "causal", "speak for seq2seq"),
        ("causal", "encoder_classifier", "speak for causal"),
        ("masked", "decoder_classifier", "speak for masked"),
    ],
)
def test_a_model_is_not_run_as_what_it_is_not(saved, asked, says, tmp_path):
    pico.save_backbone(tmp_path, saved)
    with pytest.raises(BackboneError, match=says):
        load(spec(tmp_path, kind=asked))


@pytest.mark.parametrize("kind", ["sentence", "causal"])
def test_a_model_that_was_tried_in_bfloat16_is_exact_where_float32_is_chosen(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(probes, "CLEARLY_FASTER", 0.0)
    monkeypatch.setattr(probes, "fast_bfloat16", lambda device: True)
    pico.save_backbone(tmp_path, kind)
    tried = loading.load(BackboneSpec(str(tmp_path), device="cpu", max_length=32))
    asked = loading.load(
        BackboneSpec(str(tmp_path), device="cpu", max_length=32, precision="float32", attention="sdpa")
    )
    assert "bfloat16" in tried.chosen
    assert tried.model.dtype == torch.float32
    assert tried.fingerprint() == asked.fingerprint()
    for one, other in zip(tried.model.buffers(), asked.model.buffers(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("placed", [{"device": "cpu"}, {"device_map": "auto"}])
@pytest.mark.parametrize("attention", ["sdpa", "eager", "matmul"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_asked_for_is_run_where_it_would_not_be_tried(precision, attention, placed, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "fast_bfloat16", lambda device: False)
    pico.save_backbone(tmp_path)
    keys = {"max_length": 32, "precision": precision, "attention": attention, **placed}
    backbone = loading.load(BackboneSpec(str(tmp_path), **keys))
    told = backbone.describe()
    assert (told["precision"], told["attention"].removeprefix("softbridge_")) == (precision, attention)
    backbone.bind(["negative", "positive"])
    assert backbone.score(backbone.batch(Rows([[5, 6], [7]], [0, 0])), None).isfinite().all()


def test_rotary_frequencies_stay_exact_in_bfloat16(tmp_path):
    pico.save_backbone(tmp_path, "causal")
    exact, small = (
        loading.load(BackboneSpec(str(tmp_path), device="cpu", max_length=32, precision=precision, attention="sdpa"))
        for precision in ("float32", "bfloat16")
    )
    assert small.model.dtype == torch.bfloat16
    assert torch.equal(small.model.model.rotary_emb.inv_freq, exact.model.model.rotary_emb.inv_freq)


@pytest.mark.parametrize("kind", ["masked", "seq2seq"])
def test_precision_and_attention_are_measured_for_it(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.0)
    pico.save_backbone(tmp_path, kind)
    backbone = loading.load(BackboneSpec(str(tmp_path), device="cpu", max_length=32))
    assert backbone.chosen.startswith("measured")
