"""Readers: the same rows from every place and format, and a readable error from every broken one."""

import datasets
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from softbridge.domains import readers
from softbridge.domains.encodings import fitting
from softbridge.domains.readers import read
from softbridge.errors import DataError

ROWS = {"text": ['a, "quoted"', "two\nlines", "好书 é"], "label": ["positive", "negative", ""]}
FRAME = pd.DataFrame(ROWS)
MEMORY = Dataset.from_dict(ROWS)


def rows(*arguments, **keys):
    return read(*arguments, **keys)["train"].to_dict()


def refusal(*arguments, **keys):
    with pytest.raises(DataError) as caught:
        read(*arguments, **keys)
    assert caught.value.expected
    assert caught.value.fix
    return str(caught.value)


@pytest.fixture
def write(tmp_path):
    def write(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        return str(path)

    return write


# Formats


SAVE = {
    "csv": lambda path: FRAME.to_csv(path, index=False),
    "tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "json": lambda path: FRAME.to_json(path, orient="records", indent=1),
    "parquet": lambda path: FRAME.to_parquet(path),
    "folder": lambda path: MEMORY.save_to_disk(path),
}


@pytest.mark.parametrize("form", SAVE)
def test_every_format_gives_the_same_rows(form, tmp_path):
    path = tmp_path / f"rows.{form}"
    SAVE[form](path)
    assert rows(str(path)) == ROWS


def test_a_changed_file_is_read_anew(write):
    assert rows(write("a.csv", "text\none\n")) == {"text": ["one"]}
    assert rows(write("a.csv", "text\ntwo\n")) == {"text": ["two"]}


def test_csv_cells_keep_their_text(write):
    path = write("a.csv", "text,label,n\nNA,01,1.0\nnull,00,\n")
    assert rows(path) == {"text": ["NA", "null"], "label": ["01", "00"], "n": ["1.0", ""]}


def test_json_keys_that_are_missing_are_null_and_line_separators_stay(write):
    path = write("a.jsonl", '{"text": "a\u2028b"}\n\n{"label": 1, "text": "c"}\n')
    assert rows(path) == {"text": ["a\u2028b", "c"], "label": [None, 1]}


def test_a_document_longer_than_pythons_csv_limit_is_read(write):
    assert len(rows(write("a.csv", f"text\n{'x' * 200_000}\n"))["text"][0]) == 200_000


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text,label\n", "has no rows"),
        ("a.csv", "text,label\na,x\nb,c,x\nd\n", "2 rows that do not fit its header: line 3 has 3, line 4 has 1"),
        ("a.csv", 'text,label\n"never closed,x\n', "line 2: unexpected end of data"),
        ("a.csv", "text,text,label\na,b,c\n", "several columns named 'text'"),
        ("a.csv", "text;label\na;x\n", "separated by ';'"),
        ("a.jsonl", "", "has no rows"),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "line 2 is not JSON"),
        ("a.jsonl", '{"text": "a"}\n3\n', "line 2 is '3'"),
        ("a.json", '[{"text": "a"}, 3]', "item 2 is '3'"),
        ("a.jsonl", '{"label": 1}\n{"label": "x"}\n', "does not make a table"),
        ("a.jsonl", '{"text": "\\ud83d"}\n', "does not make a table"),
        ("a.parquet", "no", "a parquet file"),
        ("a.xlsx", "no", "ends in '.xlsx'"),
    ],
)
def test_a_broken_file_says_what_is_wrong(write, name, content, words):
    assert words in refusal(write(name, content))


# Places


def test_hub_names_reach_load_dataset(monkeypatch):
    asked = []

    def load_dataset(name, config=None, revision=None):
        asked.append((name, config, revision))
        return DatasetDict(train=MEMORY)

    monkeypatch.setattr(readers, "load_dataset", load_dataset)
    assert rows("hub:org/name:fr@abc") == rows("hub:org/name") == ROWS
    assert asked == [("org/name", "fr", "abc"), ("org/name", None, None)]


def test_an_unreachable_hub_is_a_readable_error(monkeypatch):
    def load_dataset(*_, **__):
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'org/nmae' doesn't exist")

    monkeypatch.setattr(readers, "load_dataset", load_dataset)
    assert "org/nmae cannot be had" in refusal("hub:org/nmae")


def test_own_splits_keep_their_names_and_a_single_one_is_no_split():
    assert set(read(DatasetDict(train=MEMORY, test=MEMORY))) == {"train", "test"}
    assert set(read(DatasetDict(test=MEMORY))) == {"train"}


def test_an_asset_is_resolved_to_its_folder(tmp_path):
    FRAME.to_parquet(tmp_path / "data.parquet")
    assert rows("vader/movies", resolve={"vader/movies": tmp_path}.get) == ROWS
    assert "no data named 'vader/books'" in refusal("vader/books", resolve={}.get)


def test_the_data_folder_is_searched_first(tmp_path, monkeypatch):
    for place in ("team", "here"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "rows.csv").write_text(f"text\n{place}\n")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("SOFTBRIDGE_DATA", raising=False)
    assert rows("rows.csv") == {"text": ["here"]}
    monkeypatch.setenv("SOFTBRIDGE_DATA", str(tmp_path / "team"))
    assert rows("rows.csv") == {"text": ["team"]}
    assert rows(str(tmp_path / "here" / "rows.csv")) == {"text": ["here"]}
    assert "did you mean 'rows.csv'" in refusal("row.csv")


def test_a_folder_of_something_else_is_refused(tmp_path):
    assert "save_to_disk" in refusal(str(tmp_path))


@pytest.mark.parametrize("data", [["a list"], FRAME])
def test_other_objects_are_refused(data):
    assert "Dataset.from_pandas" in refusal(data)


# Encodings


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("这本书质量很好，推荐购买", "gb18030"), ("un café très agréable", "cp1252"), ("plain", "utf-16")],
)
def test_a_wrong_encoding_names_the_one_that_works(write, text, encoding):
    path = write("a.csv", f"text\n{text}\n", encoding)
    message = refusal(path)
    assert f"{encoding} reads line" in message
    assert f"write `encoding: {encoding}`" in message
    assert rows(path, encoding=encoding) == {"text": [text]}


def test_the_message_shows_how_each_encoding_reads_the_line(write):
    assert "gb18030 reads line 3 as '好书'" in refusal(write("a.csv", "text\nplain\n好书\n差评\n", "gb18030"))


def test_utf8_read_in_a_one_byte_encoding_is_noticed(write):
    assert "is written in utf-8, not in latin-1" in refusal(write("a.csv", "text\ncafé\n"), encoding="latin-1")


def test_an_unknown_encoding_is_refused(write):
    assert "no encoding named 'utf-88'" in refusal(write("a.csv", "text\na\n"), encoding="utf-88")


def test_a_byte_order_mark_is_no_part_of_the_header(write):
    assert rows(write("a.csv", "text\na\n", "utf-8-sig")) == {"text": ["a"]}


def test_fitting_encodings_begin_with_utf8_where_it_fits():
    assert fitting(b"ascii")[0] == "utf-8"
    assert "utf-8" not in fitting("é".encode("latin-1"))
