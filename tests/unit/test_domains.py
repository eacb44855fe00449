"""A domain: its rows opened into splits that share no text, or an error that says what to do."""

import json
import re

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from softbridge.domains.domain import Domain
from softbridge.domains.fingerprints import fingerprint
from softbridge.domains.splits import choose, divide, separate
from softbridge.domains.templates import Template
from softbridge.errors import DataError

WORDS = {"negative": "bad", "positive": "good"}
GOLDEN_ROWS = [1, 2, 4, 13, 14, 17]
GOLDEN_FINGERPRINT = "0e3ba931f47f85b2ace198a00d04082f9711197deba34bbaaddf4a0a347be827"
ROWS = pd.DataFrame(
    {
        "text": [f"text {i}, with a comma" for i in range(40)],
        "label": ["positive", "negative"] * 20,
        "domain": ["books"] * 20 + ["dvd"] * 20,
    }
)
MEMORY = Dataset.from_pandas(ROWS)


def opened(data=MEMORY, labels=WORDS, **keys):
    return Domain(data, labels, **keys).open("toy")


def refusal(data=MEMORY, **keys):
    with pytest.raises(DataError) as caught:
        opened(data, **keys)
    error = caught.value
    assert error.seen.startswith("domain 'toy': ")
    assert error.expected
    assert error.fix
    return str(error)


def texts(rows):
    return list(rows["text"][:])


# Columns, templates, labels


def test_columns_template_and_classes_are_mapped():
    data = Dataset.from_dict({"评论": [f"房间{i}" for i in range(20)], "stars": [1.0, 5.0] * 10})
    domain = opened(
        data,
        template="关于'{text}'的描述：",
        columns={"text": "评论", "label": "stars"},
        classes={"1": "negative", "5": "positive"},
    )
    assert {f"关于'房间{i}'的描述：" for i in range(20)} == {
        text for rows in (domain.train, domain.validation, domain.test) for text in texts(rows)
    }
    # The i-th text has an odd i where it has five stars.
    assert all(
        int(re.search(r"\d+", text)[0]) % 2 == label
        for text, label in zip(texts(domain.train), domain.train["label"][:], strict=True)
    )


def test_whole_number_keys_of_classes_are_read_as_text():
    numbered = MEMORY.remove_columns("label").add_column("label", [1, 0] * 20)
    assert opened(numbered, classes={0: "negative", 1: "positive"}).fingerprint == opened().fingerprint


def test_hub_class_labels_read_by_name_and_minus_one_as_unlabelled():
    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    data = Dataset.from_dict(
        {"text": [f"t {i}" for i in range(22)], "label": [0, 1] * 10 + [-1, -1]}, features=features
    )
    assert opened(data).sizes() == {"train": 14, "validation": 2, "test": 4, "unlabelled": 2}


def test_where_keeps_matching_rows_only():
    assert sum(opened(where={"domain": "dvd"}).sizes().values()) == 20
    message = refusal(where={"domain": "dvdd"})
    assert "did you mean 'dvd'" in message
    assert "books (20), dvd (20)" in message


def test_a_missing_column_names_those_there_are():
    message = refusal(template="{txt}")
    assert "no column 'txt' for the slot {txt} (did you mean 'text'?)" in message
    assert "text, label, domain" in message
    assert "no column 'labels' for the label (did you mean 'label'?)" in refusal(label="labels")


def test_a_column_of_lists_is_refused():
    assert "list<" in refusal(MEMORY.add_column("words", [["a"]] * 40), template="{words}")


@pytest.mark.parametrize(
    "template", ["{text.__class__}", "{text[0]}", "{text!r}", "{text:>9}", "{}", "{text", "no slot", "{{text}}"]
)
def test_a_template_is_names_in_braces_and_nothing_else(template):
    with pytest.raises(DataError):
        Template.parse(template)


def test_a_cell_is_never_read_as_a_template():
    assert Template.parse("{{x}} {a}").fill({"a": ["{b}"]}) == ["{x} {b}"]


def test_unknown_labels_are_named_with_their_rows():
    message = refusal(Dataset.from_dict({"text": ["a", "b", "c"], "label": ["positive", "nice", "nice"]}))
    assert "the label 'nice' in row 2, 3 (counted from 1)" in message
    assert "nice (2)" in message


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"labels": {"positive": "good"}}, "has 1 classes"),
        ({"labels": {"negative": "x", "positive": "x "}}, "share the label words 'x'"),
        ({"labels": {"negative": "x", "positive": " "}}, "no label words"),
        ({"classes": {"1": "postive"}}, "did you mean 'positive'"),
        ({"labels": {**WORDS, "neutral": "so so"}}, "no row of the class neutral: negative"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(keys, words):
    assert words in refusal(**keys)


def test_null_and_blank_labels_join_the_unlabelled_pool():
    labels = [None, " ", *ROWS.label[2:]]
    domain = opened(Dataset.from_dict({"text": texts(MEMORY), "label": labels}))
    assert texts(domain.unlabelled) == texts(MEMORY)[:2]
    assert domain.unlabelled["label"][:] == [-1, -1]


def test_not_a_number_is_no_label():
    data = Dataset.from_dict({"text": [f"t {i}" for i in range(21)], "label": [1.0, 5.0] * 10 + [float("nan")]})
    assert opened(data, classes={"1": "negative", "5": "positive"}).sizes()["unlabelled"] == 1


def test_a_domain_without_labels_is_all_pool():
    domain = opened(MEMORY.remove_columns("label"), {}, label=None)
    assert domain.sizes() == {"train": 0, "validation": 0, "test": 0, "unlabelled": 40}
    assert len(domain.pool(None, 0)) == 40


def test_blank_rows_are_left_out_and_reported():
    data = Dataset.from_dict({"text": ["  ", None, *texts(MEMORY)[2:]], "label": list(ROWS.label)})
    domain = opened(data, template="Review: {text}")
    assert sum(domain.sizes().values()) == 38
    assert domain.notes == ("2 rows with an empty text left out",)
    assert "no row is left" in refusal(Dataset.from_dict({"text": [" "], "label": ["positive"]}))


def test_an_asset_is_opened_by_its_name(tmp_path):
    ROWS.to_parquet(tmp_path / "data.parquet")
    domain = Domain("vader/movies", WORDS).open("movies", resolve={"vader/movies": tmp_path}.get)
    assert domain.fingerprint == opened().fingerprint


# Splits


def test_own_validation_rows_are_learned_from_where_none_are_asked_for():
    parts = ["train"] * 6 + ["dev"] * 4 + ["test"] * 2
    splits, notes = divide([0, 1] * 6, parts, validation=0, test=0.2, seed=0)
    assert (splits["train"], splits["validation"], splits["test"]) == (list(range(10)), [], [10, 11])
    assert notes == ["no validation is asked for: its 4 rows are train rows"]
    assert divide([0, 1] * 6, parts, validation=0.1, test=0.2, seed=0)[0]["validation"] == [6, 7, 8, 9]


def test_splits_are_disjoint_stratified_and_seeded():
    domain = opened()
    rows = [set(texts(part)) for part in (domain.train, domain.validation, domain.test)]
    assert [len(part) for part in rows] == [28, 4, 8]
    assert len(set.union(*rows)) == 40
    assert sum(domain.test["label"][:]) == 4
    assert domain.fingerprint == opened().fingerprint != opened(split_seed=1).fingerprint


def test_a_skewed_class_keeps_its_share():
    labels = [0] * 90 + [1] * 10
    splits, _ = divide(labels, ["train"] * 100, validation=0.1, test=0.2, seed=3)
    assert {name: sum(labels[row] for row in splits[name]) for name in ("train", "validation", "test")} == {
        "train": 7,
        "validation": 1,
        "test": 2,
    }


def test_own_splits_are_honoured_and_the_missing_one_is_carved():
    own = DatasetDict(train=MEMORY.select(range(30)), test=MEMORY.select(range(30, 40)))
    domain = opened(own)
    assert texts(domain.test) == texts(MEMORY)[30:]
    assert domain.sizes() == {"train": 27, "validation": 3, "test": 10, "unlabelled": 0}
    column = MEMORY.add_column("part", ["Train"] * 30 + ["test"] * 10)
    assert opened(column, split="part").fingerprint == domain.fingerprint


def test_an_own_test_split_without_labels_is_replaced_and_reported():
    bare = MEMORY.select(range(30, 40)).remove_columns("label").add_column("label", [None] * 10)
    domain = opened(DatasetDict(train=MEMORY.select(range(30)), test=bare, extra=MEMORY.select(range(3))))
    assert domain.sizes() == {"train": 21, "validation": 3, "test": 6, "unlabelled": 10}
    assert domain.notes == (
        "the data's own test has no labelled row; another was carved from train",
        "own splits left out, being none of train, validation, test: extra (3)",
    )


def test_no_rows_for_train_is_refused():
    assert "the data's own splits are: all (40)" in refusal(MEMORY.add_column("part", ["all"] * 40), split="part")
    assert "no labelled row is left for train" in refusal(test=40)
    assert "test is 1.5" in refusal(test=1.5)


def test_a_shared_text_stays_in_the_latest_use():
    same = ["a", "b", "c", "a ", "b", "a", "d"]
    splits = {"test": [0], "validation": [1, 3], "train": [2, 4, 5], "unlabelled": [6]}
    apart, notes = separate(same, splits)
    assert apart == {"test": [0], "validation": [1], "train": [2], "unlabelled": [6]}
    assert notes == [
        "1 text stood in both validation and test; 1 row removed from validation",
        "1 text stood in both train and validation; 1 row removed from train",
        "1 text stood in both train and test; 1 row removed from train",
    ]


def test_shared_texts_are_counted_in_the_notes_and_in_the_error():
    own = DatasetDict(train=MEMORY, test=MEMORY.select(range(4)))
    assert "4 texts stood in both train and test; 4 rows removed from train" in opened(own, validation=0).notes
    assert "40 texts stood in both train and test" in refusal(DatasetDict(train=MEMORY, test=MEMORY), validation=0)


# A few rows per class


def test_few_takes_k_of_each_class_and_the_pool_takes_the_rest():
    domain = opened()
    train, validation = domain.few(5, seed=1, validation_shots=2)
    assert sorted(train["label"][:]) == [0] * 5 + [1] * 5
    assert sorted(validation["label"][:]) == [0, 0, 1, 1]
    pool = domain.pool(5, seed=1)
    assert set(pool["label"][:]) == {-1}
    assert sorted(texts(pool) + texts(train)) == sorted(texts(domain.train))


def test_few_is_seeded_and_grows():
    domain = opened()
    three, five, other = (set(texts(domain.few(k, seed)[0])) for k, seed in ((3, 0), (5, 0), (5, 1)))
    assert three < five
    assert five != other
    assert [len(rows) for rows in domain.few(None, 0)] == [28, 4]


def test_fewer_rows_than_k_gives_the_counts():
    with pytest.raises(
        DataError, match=r"domain 'toy': 15 rows per class are asked of train.*negative 14, positive 14"
    ):
        opened().few(15, 0)
    with pytest.raises(DataError, match="validation_shots: 2"):
        opened().few(1, 0, validation_shots=3)
    with pytest.raises(DataError, match="-1 rows"):
        opened().few(-1, 0)


def test_draws_are_the_same_on_every_machine():
    # Golden: a change here changes which rows every published run was trained on.
    assert choose([0, 1] * 10, ["a", "b"], shots=3, seed=0, split="train") == GOLDEN_ROWS
    assert opened().fingerprint == GOLDEN_FINGERPRINT


def test_fingerprints_see_order_text_and_label():
    rows = [{"text": "a", "label": 0}, {"text": "b", "label": 1}]
    variants = [
        rows,
        rows[::-1],
        [rows[0]],
        [{"text": "a", "label": 1}, rows[1]],
        [{"text": "ab", "label": 0}, rows[1]],
    ]
    assert len({fingerprint(Dataset.from_list(variant)) for variant in variants}) == len(variants)
    domain = opened()
    assert set(domain.fingerprints) == set(domain.sizes())
    assert json.dumps(dict(domain.fingerprints))
