"""Feeds: token ids with special tokens, and an endless stateless order of rows."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from softbridge.domains.feeds import Feed, tokenise
from softbridge.errors import DataError


@pytest.fixture
def tokenizer():
    words = {word: i for i, word in enumerate(["[CLS]", "[SEP]", "[UNK]", "good", "film", "好"])}
    inner = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")


def test_texts_become_ids_with_special_tokens(tokenizer):
    assert tokenise(["good film", "好", "odd"], tokenizer, 10) == [[0, 3, 4, 1], [0, 5, 1], [0, 2, 1]]
    assert tokenise([], tokenizer, 10) == []


def test_long_texts_are_cut_on_the_tokenizers_side(tokenizer):
    assert tokenise(["good good film film"], tokenizer, 4) == [[0, 3, 3, 1]]
    tokenizer.truncation_side = "left"
    assert tokenise(["good good film film"], tokenizer, 4) == [[0, 4, 4, 1]]


@pytest.mark.parametrize(("n_rows", "batch"), [(10, 4), (10, 10), (3, 8), (1, 3)])
def test_every_epoch_reads_every_row_once(n_rows, batch):
    feed = Feed(n_rows, batch, seed=5)
    endless = [row for step in range(3 * n_rows) for row in feed.rows_at(step)]
    epochs = [endless[start : start + n_rows] for start in range(0, len(endless), n_rows)]
    assert all(sorted(epoch) == list(range(n_rows)) for epoch in epochs)
    assert all(len(feed.rows_at(step)) == batch for step in range(5))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(Feed(20, 20, seed).rows_at(step)) for seed in range(3) for step in range(3)}
    assert len(orders) == 9


def test_a_step_is_known_from_its_number_alone():
    feed = Feed(7, 3, seed=0)
    forwards = [feed.rows_at(step) for step in range(9)]
    assert [Feed(7, 3, seed=0).rows_at(step) for step in reversed(range(9))] == forwards[::-1]


@pytest.mark.parametrize(("n_rows", "batch"), [(0, 4), (4, 0)])
def test_nothing_to_read_is_refused(n_rows, batch):
    with pytest.raises(DataError):
        Feed(n_rows, batch, seed=0)
