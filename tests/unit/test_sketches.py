"""`softbridge new`: what is seen in data that nobody has described, and the recipe that is drafted for it."""

import csv
import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from softbridge.backbones.table import BACKBONES
from softbridge.cli.main import main
from softbridge.domains.sketches import classes_of, sketch
from softbridge.errors import DataError, RecipeError, SoftbridgeError
from softbridge.recipe import drafting, read
from softbridge.recipe.places import RENAMED
from softbridge.study import run as run_study
from tests import pico

ZH = [
    ("这个平板的屏幕很好", "好评"),
    ("电池太差，非常失望", "差评"),
    ("质量不错，很满意", "好评"),
    ("很慢，不推荐", "差评"),
]
EN = [("a fine phone", "1"), ("a dull phone, and slow", "0"), ("great screen", "1"), ("it broke at once", "0")]


def write(path, rows, header=("text", "label"), encoding="utf-8"):
    with Path(path).open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOFTBRIDGE_DATA", raising=False)


def test_chinese_in_another_encoding_is_read_and_told():
    found = sketch(write("zh.csv", ZH * 20, encoding="gb18030"))
    assert (found.language, found.encoding, found.counts) == ("zh", "gb18030", {"negative": 40, "positive": 40})
    assert found.classes == {"差评": "negative", "好评": "positive"}
    assert found.examples["negative"] == "很慢，不推荐"
    assert any("reads as gb18030" in warning for warning in found.warnings)
    assert any("repeat an earlier one" in warning for warning in found.warnings)


def test_troubles_are_told():
    rows = [("one fine phone", "0"), *[(f"text {i}", "1") for i in range(30)], ("", "1"), ("no label", "")]
    told = "\n".join(sketch(write("a.csv", rows)).warnings)
    for part in (
        "1 of 33 rows have no text",
        "1 rows have no label",
        "the classes are uneven: positive (30), negative (1)",
        "the smallest class has 1 rows",
        "labels 0 and 1 are taken for negative and positive",
    ):
        assert part in told
    clean = [(f"a film number {i}", ("bad", "good")[i % 2]) for i in range(100)]
    assert sketch(write("b.csv", clean)).warnings == ()


def test_what_is_no_class_and_no_column_is_refused():
    with pytest.raises(DataError, match="holds 60 different values"):
        sketch(write("a.csv", [(f"text {i}", str(i)) for i in range(60)]))
    with pytest.raises(DataError, match=r"no column 'txt' for the texts .--text.*did you mean 'text'"):
        sketch(write("a.csv", EN), text="txt")
    with pytest.raises(DataError, match="holds 1 different values"):
        sketch(write("a.csv", [("a", "x"), ("b", "x")]))


def test_classes_keep_their_names_where_nothing_is_known_of_them():
    assert classes_of(Counter({"sports": 2, "arts": 3}), "a.csv", "label") == {"arts": "arts", "sports": "sports"}
    assert classes_of(Counter({"1": 1, "5": 1}), "a.csv", "label") == {"1": "1", "5": "5"}
    assert classes_of(Counter({"Pos": 1, "NEG": 1}), "a.csv", "label") == {"NEG": "negative", "Pos": "positive"}


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize(
    "rows", [EN, ZH, [("ball games", "sports"), ("a painting", "arts")] * 2], ids=["en", "zh", "topics"]
)
def test_every_draft_is_a_recipe_that_can_be_read(kind, rows, tmp_path):
    source, target = (sketch(write(name, rows * 10)) for name in ("s.csv", "t.csv"))
    Path("my.yaml").write_text(drafting.draft("my", "org/model", kind, [source], [target], spelled=True))
    tree = read("my.yaml")
    assert tree.backbone.kind == kind
    assert tuple(tree.targets["t"].labels) == tuple(target.counts)
    assert ("no prompt" in tree.arms) == ("head" not in BACKBONES[kind].takes)
    assert ("{mask}" in tree.targets["t"].template) == (kind == "masked")


def test_sources_and_targets_of_two_languages_have_words_of_their_own():
    source, target = sketch(write("s.csv", EN * 20)), sketch(write("t.csv", ZH * 20))
    Path("my.yaml").write_text(drafting.draft("my", "google-bert/bert-base-chinese", "masked", [source], [target]))
    tree = read("my.yaml")
    assert tree.sources["s"].labels == {"negative": "terrible", "positive": "great"}
    assert tree.targets["t"].labels == {"negative": "差", "positive": "好"}


def test_classes_that_differ_are_refused():
    source, target = sketch(write("s.csv", EN)), sketch(write("t.csv", [("a", "x"), ("b", "y")]))
    with pytest.raises(DataError, match=r"s.csv has the classes negative, positive, and t.csv has x, y"):
        drafting.draft("my", "minilm-l6", "sentence", [source], [target])


def test_names_with_odd_letters_stay_yaml():
    rows = [("yes: really #1", "no"), ("a", 'it: "is"')] * 15
    there, found = (sketch(write(name, rows, header=("text", "label"))) for name in ("on.csv", "no.csv"))
    Path("my.yaml").write_text(drafting.draft("my", "minilm-l6", "sentence", [there], [found]))
    assert set(read("my.yaml").targets["no"].labels) == {"no", 'it: "is"'}


def test_the_hubs_old_names_are_read_as_its_ids():
    assert drafting.kind_for("bert-base-chinese") == ("masked", True)
    assert drafting.kind_for("e5-small-multilingual") == ("sentence", False)
    with pytest.raises(SoftbridgeError, match="no backbone named 'mask'"):
        drafting.kind_for("minilm-l6", "mask")
    there, found = sketch(write("s.csv", EN * 10)), sketch(write("t.csv", EN * 10))
    Path("my.yaml").write_text(drafting.draft("my", "bert-base-chinese", "masked", [there], [found]))
    assert read("my.yaml").backbone.name == RENAMED["bert-base-chinese"]


def call(capsys, *words, status=0):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    assert ended.value.code == status, out + err
    return out + err


def test_new_writes_a_recipe_that_runs(capsys, tmp_path):
    pico.save_backbone(tmp_path / "model")
    for name, seed in (("source", 0), ("target", 1)):
        pico.frame(120, seed).to_csv(f"{name}.csv", index=False)
    said = call(
        capsys, "new", "--source", "source.csv", "--target", "target.csv", "--backbone", "model", "--out", "sub/my.yaml"
    )
    assert "sub/my.yaml  (edit it, then: softbridge check sub/my.yaml)" in said
    assert "source.csv: 120 texts, language en, negative 60, positive 60" in said
    small = [
        "training.source.steps=2",
        "training.target.steps=2",
        "seeds=[0]",
        "prompt.length=2",
        "backbone.max_length=16",
    ]
    tree = read("sub/my.yaml", [*small, "backbone.precision=float32", "backbone.attention=sdpa"])
    assert tree.targets["target"].data == str(tmp_path / "target.csv")
    assert len(run_study(tree, tmp_path / "out").records) == 5
    assert "is there already" in call(
        capsys, "new", "--source", "source.csv", "--target", "target.csv", "--out", "sub/my.yaml", status=2
    )


def test_new_tells_of_shared_texts_languages_and_a_guessed_kind(capsys):
    write("s.csv", EN * 10)
    write("t.csv", [*ZH * 10, ("a fine phone", "好评")])
    said = call(capsys, "new", "--source", "s.csv", "--target", "t.csv", "--backbone", "bert-base-chinese")
    assert "1 texts stand in both s.csv and t.csv" in said
    assert "s.csv is en and t.csv is zh: the backbone must know both" in said
    assert "bert-base-chinese is taken for a masked model by its name alone" in said
    assert Path("s_to_t.yaml").read_text().startswith("# From s.csv to t.csv: softbridge run s_to_t.yaml\n")


def test_new_speaks_of_a_mistake_in_three_parts(capsys):
    write("s.csv", EN)
    said = call(capsys, "new", "--source", "s.csv", "--target", "nowhere.csv", status=2)
    assert "there is no data named 'nowhere.csv'" in said
    assert "to do:" in said
    assert not list(Path().glob("*.yaml"))


def test_design_ranks_texts_and_says_what_they_rest_on(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    pico.save_backbone(tmp_path / "model")
    for name, seed in (("source", 0), ("target", 1)):
        pico.frame(120, seed).to_csv(f"{name}.csv", index=False)
    said = call(capsys, "design", "source.csv", "target.csv", "--backbone", "model", "--length", "4", "--top", "3")
    assert "candidates" in said
    assert "all domains, class_tfidf" in said or "source, " in said
    one = call(capsys, "design", "source.csv", "--backbone", "model", "--length", "4", "--template", "{terms}")
    assert "these are its commonest words" in one
    assert "--by is best" in call(capsys, "design", "source.csv", "--by", "best", status=2)


def test_a_broken_draft_would_be_seen(tmp_path):
    """The check behind `new` can fail: a draft with a key that is none is no recipe."""
    found = sketch(write("s.csv", EN * 10))
    text = drafting.draft("my", "minilm-l6", "sentence", [found], [dataclasses.replace(found)])
    Path("my.yaml").write_text(text.replace("shots:", "shotss:", 1))
    with pytest.raises(RecipeError, match="shotss  is no key here"):
        read("my.yaml")
