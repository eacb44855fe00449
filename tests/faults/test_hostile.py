"""Hostile input: what comes out is what a file holds, or a `SoftbridgeError`; nothing in it is executed."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from softbridge import recipe as recipes
from softbridge.assets.unpack import unpack
from softbridge.domains.domain import Domain
from softbridge.domains.readers import read
from softbridge.domains.templates import Template
from softbridge.errors import AssetError, DataError, PromptError, RecipeError, SoftbridgeError
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.prompts.card import Card
from softbridge.prompts.importing import take
from softbridge.reports import html, tables
from tests.unit.test_records import study

MANY = int(os.environ.get("SOFTBRIDGE_FUZZ", "40"))
fuzz = settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck), derandomize=MANY == 40)

# --- recipes ------------------------------------------------------------------------------------------------------

WORDS = [
    "name",
    "seeds",
    "backbone",
    "prompt",
    "kind",
    "length",
    "domain",
    "labels",
    "template",
    "columns",
    "classes",
    "where",
    "data",
    "sources",
    "targets",
    "shots",
    "training",
    "source",
    "target",
    "steps",
    "batch",
    "learning_rate",
    "arms",
    "bridge",
    "none",
    "scratch",
    "spot",
    "reuse",
    "budget",
    "combined",
    "soft",
    "precision",
    "float32",
    "quickstart",
    "minilm-l6",
    "vader/movies",
    "hub:a/b",
    "nan",
    ".inf",
    "1e999",
    "-1",
    "0",
    "3e-4",
    "null",
    "true",
    "~",
    "[]",
    "{}",
    "!!python/object",
    "{text}",
    "{mask}",
    "../..",
    "/etc/passwd",
]
scalars = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(max_size=4),
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


tried = itertools.count()


@pytest.fixture(autouse=True)
def counted(record_property):
    """Tell how many inputs a test tried."""
    before = next(tried)
    yield
    record_property("inputs", next(tried) - before - 1)


def right_or_told(attempt, kind=SoftbridgeError):
    """Return what an attempt returns, or None where it ended with an error in three parts."""
    next(tried)
    try:
        return attempt()
    except kind as error:
        told = error
    assert all(told.args)
    return None


def as_recipe(folder: Path, text: str | bytes):
    file = folder / "fuzzed.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return right_or_told(lambda: recipes.read(file), RecipeError)


@fuzz
@given(
    text=st.lists(
        st.sampled_from(
            [
                *WORDS,
                ": ",
                "\n",
                "  ",
                "- ",
                "[",
                "]",
                "{",
                "}",
                ", ",
                "&a ",
                "*a ",
                "#",
                "'",
                '"',
                "|",
                ">",
                "? ",
                "!!x ",
                "%",
                "\t",
                "---",
            ]
        ),
        max_size=60,
    ).map("".join)
    | st.text()
    | st.binary()
)
@example(text="[" * 20_000)
@example(text="{a: " * 5_000)
@example(text="- " * 5_000)
@example(text="9" * 5_000)
@example(text="name: " + "9" * 5_000)
@example(text="&a [*a]")
@example(
    text="a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
)
@example(text="<<: {name: x}")
@example(text="name: !!python/object/apply:os.system ['touch hacked']")
@example(text="? [a, b]\n: c")
@example(text="name: 0o9\n")
@example(text="name: 2024-99-99")
@example(text="name: .nan\nseeds: [.inf]")
@example(text="seeds: [1e400, 1_000]")
@example(text=b"\xff\xfename: x")
def test_a_recipe_is_read_or_refused(tmp_path_factory, text):
    as_recipe(tmp_path_factory.getbasetemp(), text)
    assert not Path("hacked").exists()


@fuzz
@given(tree=trees, data=st.data())
def test_a_recipe_with_one_part_replaced_is_read_or_refused(tmp_path_factory, tree, data):
    whole = recipes.read("quickstart").resolved()
    places = [()]

    def walk(value, place):
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            places.append((*place, key))
            walk(inner, places[-1])

    walk(whole, ())
    place = data.draw(st.sampled_from(places[1:]))
    inside = whole
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = tree
    as_recipe(tmp_path_factory.getbasetemp(), json.dumps(whole, default=str))


# --- data ---------------------------------------------------------------------------------------------------------

cells = st.text(max_size=8) | st.sampled_from(
    ["positive", "negative", "", '"', "a,b", "x\ny", "\ufeff", "\0", "{mask}", "=1+1"]
)


def as_domain(file: Path):
    def attempt():
        tables = read(str(file))
        Domain(str(file), labels={"negative": "bad", "positive": "good"}).open("fuzzed")
        return tables

    return right_or_told(attempt, DataError)


@fuzz
@given(
    content=st.binary(max_size=200)
    | st.lists(st.lists(cells, max_size=3).map(",".join), max_size=6)
    .map("\n".join)
    .map(lambda t: ("text,label\n" + t).encode("utf-8", "surrogatepass")),
    ending=st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet"]),
)
@example(content=b"", ending="csv")
@example(content=b"\x00" * 50, ending="csv")
@example(content=b"[" * 100_000, ending="json")
@example(content=b'{"text": ' * 50_000, ending="jsonl")
@example(content=b'{"text": NaN, "label": Infinity}', ending="jsonl")
@example(content=b'{"text": ' + b"9" * 5000 + b"}", ending="jsonl")
@example(content=b'{"text": "\\ud800", "label": "positive"}', ending="jsonl")
@example(content=b'{"": 1, "text": {"a": [1]}}', ending="jsonl")
@example(content=b"PAR1" + b"\x00" * 40 + b"PAR1", ending="parquet")
def test_rows_are_read_or_refused(tmp_path_factory, content, ending):
    file = tmp_path_factory.getbasetemp() / f"fuzzed.{ending}"
    file.write_bytes(content)
    as_domain(file)


values = st.recursive(
    scalars.filter(lambda v: not isinstance(v, bytes)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@fuzz
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["text", "label", "other"]), values, max_size=3) | values, max_size=6
    ),
    lines=st.booleans(),
)
@example(rows=[{"": None, "\0": None}], lines=True)
@example(rows=[{"\0": None}], lines=False)
def test_json_is_read_or_refused(tmp_path_factory, rows, lines):
    file = tmp_path_factory.getbasetemp() / ("fuzzed.jsonl" if lines else "fuzzed.json")
    file.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows))
    as_domain(file)


def changed(content: bytes, cuts: list[tuple[int, bytes]]) -> bytes:
    """Return bytes with some of them replaced."""
    held = bytearray(content)
    for place, new in cuts:
        held[place % len(held) : place % len(held) + len(new)] = new
    return bytes(held)


changes = st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4)


@fuzz
@given(cuts=changes)
@example(cuts=[(205, b"\x80")])
@example(cuts=[(205, b"\0")])
def test_a_damaged_parquet_file_is_read_or_refused(tmp_path_factory, cuts):
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["good", "bad"] * 20, "label": ["positive", "negative"] * 20}), sink)
    file = tmp_path_factory.getbasetemp() / "damaged.parquet"
    file.write_bytes(changed(sink.getvalue(), cuts))
    as_domain(file)


@fuzz
@given(
    text=st.text()
    | st.lists(
        st.sampled_from(
            ["{", "}", "{text}", "{mask}", "{text.__class__}", "{text!r}", "{0}", "{}", "{text:>{w}}", "%s", "x"]
        ),
        max_size=6,
    ).map("".join),
    cell=cells,
)
def test_a_template_fills_or_is_refused(text, cell):
    template = right_or_told(lambda: Template.parse(text), DataError)
    if template:
        (filled,) = template.fill({slot: [cell] for slot in template.slots})
        assert "<class" not in filled


# --- prompts ------------------------------------------------------------------------------------------------------

CARD = Card("org/model", None, "causal", 2, 2, "ab12", 3, 4, "random", 0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts") / "whole"
    files.save(folder, Injection(torch.ones(1, 3, 4)), CARD)
    return folder


def rewritten(saved: Path, name: str, content: bytes) -> Path:
    folder = saved.with_name("fuzzed")
    folder.mkdir(exist_ok=True)
    for file in saved.iterdir():
        (folder / file.name).write_bytes(content if file.name == name else file.read_bytes())
    return folder


@fuzz
@given(key=st.sampled_from([*vars(CARD), "other"]), value=trees)
@example(key="block", value="x")
@example(key="length", value=-1)
@example(key="parents", value=7)
@example(key="verbalizer", value=[1])
@example(key="schema", value=True)
def test_a_card_is_read_or_refused(saved, key, value):
    facts = json.loads(CARD.to_json()) | {key: value}
    folder = rewritten(saved, "card.json", json.dumps(facts, default=str).encode())
    held = right_or_told(lambda: files.load(folder), PromptError)
    if held:
        str(held.card)
        held.card.to_json()


@fuzz
@given(content=st.binary(max_size=60))
@example(content=b"[" * 100_000)
@example(content=b"\xff")
def test_a_card_of_any_bytes_is_read_or_refused(saved, content):
    right_or_told(lambda: files.load(rewritten(saved, "card.json", content)), PromptError)


@fuzz
@given(cuts=changes, name=st.sampled_from(["prompt.safetensors", "adapter_model.safetensors", "adapter_config.json"]))
@example(cuts=[(0, b"\xff" * 8)], name="prompt.safetensors")
def test_damaged_tensors_are_read_or_refused(saved, cuts, name):
    folder = rewritten(saved, name, changed((saved / name).read_bytes(), cuts))
    right_or_told(lambda: files.load(folder), PromptError)
    right_or_told(lambda: take(folder), PromptError)
    right_or_told(lambda: take(folder / "prompt.safetensors"), PromptError)


@fuzz
@given(config=trees, key=st.sampled_from(["peft_type", "num_virtual_tokens", "token_dim", "num_attention_heads", None]))
@example(config={"num_virtual_tokens": "x", "peft_type": "PROMPT_TUNING"}, key=None)
@example(config=0, key="num_attention_heads")
def test_an_adapter_s_configuration_is_read_or_refused(saved, config, key):
    facts = json.loads((saved / "adapter_config.json").read_text())
    told = (
        config if key is None else facts | {key: config, "peft_type": "PREFIX_TUNING" if key != "peft_type" else config}
    )
    folder = rewritten(saved, "adapter_config.json", json.dumps(told, default=str).encode())
    right_or_told(lambda: take(folder), PromptError)


class Bomb:
    def __reduce__(self):
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("name", ["prompt.bin", "a.pt", "a.pkl", "adapter_model.bin"])
def test_no_pickle_is_executed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3}')
    for attempt in (lambda: take(tmp_path / name), lambda: take(tmp_path), lambda: files.load(tmp_path)):
        assert right_or_told(attempt, PromptError) is None
    torch.save(Bomb(), tmp_path / "checkpoint.pt")
    from softbridge.engine import checkpoint

    assert right_or_told(lambda: checkpoint.read(tmp_path / "checkpoint.pt")) is None
    assert not (tmp_path / "hacked").exists()


# --- archives -----------------------------------------------------------------------------------------------------


def tar(entries: dict[str, bytes], **kinds: bytes) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return sink.getvalue()


def packed(entries: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return sink.getvalue()


NAMES = st.sampled_from(
    ["a/b", "../x", "/x", "a/../../x", "C:\\x", "..\\x", "a\\..\\..\\x", "a//b", ".", "a/\0b", "a" * 300]
)


@fuzz
@given(
    names=st.lists(NAMES | st.text(min_size=1, max_size=6), max_size=3),
    form=st.sampled_from([tar, packed]),
    cuts=st.just([]) | changes,
)
@example(names=["3\x890Uu"], form=tar, cuts=[(879, b"\r")])
@example(names=[], form=packed, cuts=[(334, b"\x01")])
def test_an_archive_writes_inside_its_folder_or_is_refused(tmp_path_factory, names, form, cuts):
    base = tmp_path_factory.mktemp("archive")
    try:
        content = form({"a/good": b"x", **dict.fromkeys(names, b"y")})
    except (ValueError, IndexError):
        return  # Python itself does not write such an archive
    (base / "archive").write_bytes(changed(content, cuts) if cuts else content)
    (base / "work").mkdir()
    right_or_told(lambda: unpack(base / "archive", "a", base / "work"), AssetError)
    assert {file.name for file in base.iterdir()} == {"archive", "work"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    (tmp_path / "archive").write_bytes(tar({"a/good": b"x"}, link=kind))
    with pytest.raises(AssetError, match="link or a device"):
        unpack(tmp_path / "archive", "a", tmp_path / "work")


@pytest.mark.parametrize("form", [tar, packed])
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, form):
    (tmp_path / "archive").write_bytes(form({"a/bomb": bytes(50_000_000)}))
    with pytest.raises(AssetError, match="unpacks to more than"):
        unpack(tmp_path / "archive", "a", tmp_path / "work")
    assert sum(file.stat().st_size for file in (tmp_path / "work").rglob("*") if file.is_file()) < 20_000_000


# --- reports ------------------------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def poisoned(value, keys=False):
    """Return a record's part with markup in every text, and in every key that is a name."""
    if isinstance(value, dict):
        return {key: poisoned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


def test_a_page_escapes_every_text_of_a_record():
    from dataclasses import replace

    records = []
    for made in study():
        facts = {name: poisoned(value) for name, value in vars(made).items()}
        kept = {"status": made.status, "created": made.created, "recipe_digest": made.recipe_digest}
        losses = [{**line, "name": plain["name"]} for line, plain in zip(facts["losses"], made.losses, strict=True)]
        records.append(replace(made, **{**facts, **kept, "losses": losses}))
    page = html.page(records)
    assert "&lt;script&gt;" in page
    assert EVIL not in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<img" not in page
    assert "<script" not in tables.markdown(records)
