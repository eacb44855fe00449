"""Recipes: what is read, and what is refused, to the letter."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from softbridge.errors import RecipeError, SoftbridgeError
from softbridge.prompts.table import PROMPTS
from softbridge.recipe import citations, explain, find, heading, read, shelf
from softbridge.recipe.document import parse

GOOD = """\
name: mine
seeds: [0, 1]
backbone: {name: minilm-l6, max_length: 40}
prompt: {kind: soft, length: 8}
domain:
  labels: {negative: bad, positive: good}
sources:
  movies: {data: vader/movies}
targets:
  news:
    data: vader/news
shots: 32
training:
  source: {steps: 80, learning_rate: 3e-4}
  target:
    steps: 16
    batch: 8
arms:
  no prompt: {bridge: none}
  spot: {bridge: spot, training: {learning_rate: 1e-2}}
  scratch: {bridge: scratch, budget: combined}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOFTBRIDGE_DATA", raising=False)


def write(text: str, name: str = "my.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def changed(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(write(text), overrides)
    return list(caught.value.problems)


def test_every_part_gets_its_type_and_every_default_is_filled_in():
    recipe = read(write(GOOD))
    assert recipe.name == "mine"
    assert recipe.seeds == (0, 1)
    assert recipe.backbone.max_length == 40
    assert recipe.backbone.precision == "auto"
    assert (recipe.prompt.name, recipe.prompt.length, recipe.prompt.init) == ("soft", 8, "vocabulary")
    assert recipe.sources["movies"].labels == {"negative": "bad", "positive": "good"}
    assert recipe.targets["news"].template == "{text}"
    assert (recipe.shots, recipe.validation_shots) == (32, None)
    assert list(recipe.arms) == ["no prompt", "spot", "scratch"]
    assert recipe.arms["scratch"].budget == "combined"


def test_a_number_with_an_exponent_is_a_number():
    recipe = read(write(GOOD))
    assert recipe.training.source.learning_rate == 0.0003
    assert recipe.arms["spot"].plan.learning_rate == 0.01


def test_words_that_older_yaml_took_for_switches_and_times_are_words():
    assert parse("{a: no, b: on, c: 1:30, d: 2020-01-01}", "x").values == {
        "a": "no",
        "b": "on",
        "c": "1:30",
        "d": "2020-01-01",
    }


def test_an_arm_overrides_the_plan_of_the_target_and_leaves_the_rest():
    recipe = read(write(GOOD))
    spot, target = recipe.arms["spot"].plan, recipe.training.target
    assert (spot.steps, spot.batch) == (target.steps, target.batch) == (16, 8)
    assert dataclasses.replace(spot, learning_rate=target.learning_rate) == target
    assert recipe.arms["scratch"].plan == target


def test_a_domain_overrides_the_shared_domain():
    text = changed(("    data: vader/news", '    data: vader/news\n    template: "News: {text}"'))
    recipe = read(write(text))
    assert recipe.targets["news"].template == "News: {text}"
    assert recipe.sources["movies"].template == "{text}"


def test_the_tree_cannot_be_changed():
    recipe = read(write(GOOD))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.shots = 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            [("    steps: 16", "    step: 16")],
            ["my.yaml:16  training.target.step  is no key here; write steps"],
            id="misspelt key",
        ),
        pytest.param(
            [("shots: 32", "shot: 32")],
            ["my.yaml:12  shot  is no key here; write shots"],
            id="misspelt top key",
        ),
        pytest.param(
            [("{bridge: spot,", "{bridge: spto,")],
            ["my.yaml:20  arms.spot.bridge  there is no bridge 'spto'; write spot"],
            id="unknown bridge",
        ),
        pytest.param(
            [("kind: soft", "kind: hard")],
            [f"my.yaml:4  prompt.kind  there is no prompt 'hard'; write one of: {', '.join(PROMPTS)}"],
            id="unknown prompt",
        ),
        pytest.param(
            [("max_length: 40", "max_length: 40, kind: sentense")],
            ["my.yaml:3  backbone.kind  is the text 'sentense'; write sentence"],
            id="unknown backbone kind",
        ),
        pytest.param(
            [("max_length: 40", "max_length: 40, precision: float23")],
            ["my.yaml:3  backbone.precision  is the text 'float23'; write float32"],
            id="unknown precision",
        ),
        pytest.param(
            [("name: minilm-l6", "name: minilm-l7")],
            [
                "my.yaml:3  backbone.name  'minilm-l7' is no model of the catalogue, no folder, and no hub id "
                "(did you mean 'minilm-l6'?); write one of: minilm-l6, smollm2-135m, e5-small, bert-tiny-splade, or a "
                "folder, or org/name"
            ],
            id="missing model",
        ),
        pytest.param(
            [("name: minilm-l6", "name: ./bert")],
            [
                "my.yaml:3  backbone.name  './bert' is no model of the catalogue, no folder, and no hub id; write one "
                "of: minilm-l6, smollm2-135m, e5-small, bert-tiny-splade, or a folder, or org/name"
            ],
            id="missing folder of a model",
        ),
        pytest.param(
            [("    batch: 8", "    batch: eight")],
            ["my.yaml:17  training.target.batch  is the text 'eight'; write a whole number"],
            id="word for a number",
        ),
        pytest.param(
            [("    batch: 8", "    batch: 8.5")],
            ["my.yaml:17  training.target.batch  is the number 8.5; write a whole number"],
            id="broken number for a whole one",
        ),
        pytest.param(
            [("    batch: 8", "    batch: true")],
            ["my.yaml:17  training.target.batch  is true; write a whole number"],
            id="switch for a number",
        ),
        pytest.param(
            [("learning_rate: 3e-4", "learning_rate: .nan")],
            ["my.yaml:14  training.source.learning_rate  is the number nan; write a finite number"],
            id="no number",
        ),
        pytest.param(
            [("    batch: 8", "    batch: 0")],
            ["my.yaml:17  training.target.batch  is 0; raise batch"],
            id="number out of range",
        ),
        pytest.param(
            [("length: 8", "length: 8, init: text")],
            ["my.yaml:4  prompt.init  is 'text' but there is no text; add text: '...'"],
            id="a setting without its companion",
        ),
        pytest.param(
            [("seeds: [0, 1]", "seeds: [0, 1, 0, -2]")],
            [
                "my.yaml:2  seeds.2  is 0 a second time; give every member a seed of its own",
                "my.yaml:2  seeds.3  is -2; write a whole number from 0",
            ],
            id="seeds",
        ),
        pytest.param(
            [("seeds: [0, 1]", "seeds: []")],
            ["my.yaml:2  seeds  is empty; add at least one"],
            id="no seeds",
        ),
        pytest.param(
            [("shots: 32", "shots: 0")],
            ["my.yaml:12  shots  is 0; write how many rows per class, from 1; or null for all rows"],
            id="no shots",
        ),
        pytest.param(
            [("shots: 32", "shots: [8, 0, 8, null]")],
            [
                "my.yaml:12  shots.1  is 0; write how many rows per class, from 1; or null for all rows",
                "my.yaml:12  shots.2  is 8 a second time; write it once",
            ],
            id="several shots, one too few and one twice",
        ),
        pytest.param(
            [("shots: 32", "shots: []")],
            ["my.yaml:12  shots  is empty; write how many rows per class; or null for all rows"],
            id="a list of no shots",
        ),
        pytest.param(
            [("{bridge: scratch,", "{bridge: scratch, each: true,")],
            ["my.yaml:21  arms.scratch.each  is true, but the bridge scratch reads no source; remove each"],
            id="each source of none",
        ),
        pytest.param(
            [("{bridge: spot,", "{bridge: spot, each: true, source: movies,")],
            ["my.yaml:20  arms.spot.each  is true, and source names movies alone; remove one of the two"],
            id="each source of one",
        ),
        pytest.param(
            [("    data: vader/news", "    data: vader/movies"), ("{bridge: spot,", "{bridge: spot, source: movies,")],
            [
                "my.yaml:20  arms.spot.source  reads movies alone, which is the own data of the target news; "
                "name another source, or remove the arm"
            ],
            id="a target's own data, named",
        ),
        pytest.param(
            [("    data: vader/news", "    data: vader/movies"), ("{bridge: spot,", "{bridge: spot, each: true,")],
            [
                "my.yaml:20  arms.spot.bridge  reads movies alone, which is the own data of the target news; "
                "name another source, or remove the arm"
            ],
            id="a target's own data, unnamed",
        ),
        pytest.param(
            [("backbone: {name: minilm-l6, max_length: 40}", "backbone: minilm-l6")],
            ["my.yaml:3  backbone  is the text 'minilm-l6'; write a mapping"],
            id="text for a section",
        ),
        pytest.param(
            [("backbone: {name: minilm-l6, max_length: 40}\n", "")],
            ["my.yaml:1  backbone  is missing; add backbone: ..."],
            id="missing section",
        ),
        pytest.param(
            [("{name: minilm-l6, max_length: 40}", "{max_length: 40}")],
            ["my.yaml:3  backbone.name  is missing; add name: ..."],
            id="missing key",
        ),
        pytest.param(
            [("  movies: {data: vader/movies}", "  movies: {}")],
            ["my.yaml:8  sources.movies.data  is missing; add data: ..."],
            id="missing data",
        ),
        pytest.param(
            [("{bridge: spot,", "{source: movies,")],
            [
                "my.yaml:20  arms.spot.bridge  is missing; add bridge: ...",
            ],
            id="arm without a bridge",
        ),
        pytest.param(
            [("{bridge: spot,", "{bridge: spot, source: movie,")],
            ["my.yaml:20  arms.spot.source  there is no source 'movie'; write movies"],
            id="arm from an unknown source",
        ),
        pytest.param(
            [("{bridge: spot,", "{bridge: spot, sources: [news],")],
            ["my.yaml:20  arms.spot.sources.0  there is no source 'news'; write one of: movies"],
            id="arm restricted to an unknown source",
        ),
        pytest.param(
            [("sources:\n  movies: {data: vader/movies}\n", "")],
            [
                "my.yaml:18  arms.spot.bridge  is spot, which needs a source, and there is none; "
                "add a domain under sources, or remove the arm"
            ],
            id="no source",
        ),
        pytest.param(
            [
                ("  movies: {data: vader/movies}", "  movies: {data: vader/movies}\n  tweets: {data: vader/tweets}"),
                ("{bridge: none}", "{bridge: reuse}"),
            ],
            [
                "my.yaml:20  arms.no prompt.source  is missing, and there are several sources: movies, tweets; "
                "add source: movies"
            ],
            id="undecided source",
        ),
        pytest.param(
            [("{bridge: none}", "{bridge: none, budget: combined}")],
            [
                "my.yaml:19  arms.no prompt.budget  is combined, but the bridge none trains nothing; "
                "remove budget, or choose a bridge that trains"
            ],
            id="budget that nothing is spent of",
        ),
        pytest.param(
            [("{bridge: none}", "{bridge: none, brige: x}")],
            ["my.yaml:19  arms.no prompt.brige  is no key here; write bridge"],
            id="misspelt key of an arm",
        ),
        pytest.param(
            [("{learning_rate: 1e-2}", "{learning_rte: 1e-2}")],
            ["my.yaml:20  arms.spot.training.learning_rte  is no key here; write learning_rate"],
            id="misspelt key of an arm's plan",
        ),
        pytest.param(
            [("    data: vader/news", "    data: vader/news\n    labels: {positive: good, negative: bad}")],
            [
                "my.yaml:12  targets.news.labels  has the classes positive, negative, but the source movies has "
                "negative, positive; give both the same class names in the same order, or write other_classes: true "
                "for another task"
            ],
            id="classes in another order",
        ),
        pytest.param(
            [("labels: {negative: bad, positive: good}", "labels: {positive: good}")],
            ["my.yaml:6  domain.labels  the domain has 1 classes; name the classes in `labels`"],
            id="one class",
        ),
        pytest.param(
            [("labels: {negative: bad, positive: good}", "labels: {negative: 0, positive: good}")],
            ["my.yaml:6  domain.labels.negative  is the number 0; write text in quotes"],
            id="number for a label word",
        ),
        pytest.param(
            [("    data: vader/news", "    data: vader/news\n    template: text")],
            [
                "my.yaml:12  targets.news.template  the template 'text' cannot be used: there is no slot, so that all "
                "rows would read the same; mend the template; write {{ and }} for braces, and map an odd column name "
                "with `columns`"
            ],
            id="template without a slot",
        ),
        pytest.param(
            [("    data: vader/news", "    data: vader/news\n    label: null")],
            [
                "my.yaml:12  targets.news.label  is null, but prompts are learned and scored with labels; "
                "name the column that holds the labels"
            ],
            id="target without labels",
        ),
        pytest.param(
            [("name: mine", "name: a/b")],
            ["my.yaml:1  name  is 'a/b'; write a name that can be a folder's: letters, digits, blanks, . _ -"],
            id="name that is no folder's",
        ),
        pytest.param(
            [("shots: 32", "shots: 32\nname: again")],
            ["my.yaml:13  name  stands here a second time, after line 1; keep one of the two"],
            id="duplicate key",
        ),
        pytest.param(
            [("shots: 32", "shots: !!python/object:os.system 32")],
            [
                "my.yaml:12  shots  has the tag tag:yaml.org,2002:python/object:os.system; "
                "remove the tag; a recipe holds plain values"
            ],
            id="tag",
        ),
        pytest.param(
            [("seeds: [0, 1]", "seeds: [0, 1")],
            ["my.yaml:3  recipe  is not YAML: expected ',' or ']', but got ':'; mend the line or the one above"],
            id="syntax",
        ),
        pytest.param(
            [("  spot:", "\tspot:")],
            [
                "my.yaml:20  recipe  is not YAML: found character '\\t' that cannot start any token; "
                "mend the line or the one above"
            ],
            id="tabulator",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_fix(changes, expected):
    assert problems(changed(*changes)) == expected


def test_a_data_file_that_is_not_there_is_told_with_the_places_looked_at(tmp_path):
    assert problems(changed(("data: vader/news", "data: vader/nwes"))) == [
        f"my.yaml:11  targets.news.data  'vader/nwes' is no file in {tmp_path}, none in SOFTBRIDGE_DATA, and no data "
        "of the catalogue (did you mean 'vader/news'?); mend the name, or write hub:org/name"
    ]


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    text = changed(
        ("seeds: [0, 1]", "seeds: [1, 1]"),
        ("name: minilm-l6", "nmae: minilm-l6"),
        ("    batch: 8", "    batch: eight"),
        ("{bridge: scratch, budget", "{bridge: scratch, bugdet"),
    )
    assert problems(text) == [
        "my.yaml:2  seeds.1  is 1 a second time; give every member a seed of its own",
        "my.yaml:3  backbone.nmae  is no key here; write name",
        "my.yaml:17  training.target.batch  is the text 'eight'; write a whole number",
        "my.yaml:21  arms.scratch.bugdet  is no key here; write budget",
    ]


def test_what_is_wrong_in_one_field_does_not_hide_another():
    text = changed(
        ("max_length: 40", "max_length: 2, temperature: 0, device: 3"),
        (
            "{steps: 80, learning_rate: 3e-4}",
            "{steps: eighty, learning_rate: -1, warmup: 2, batch: 0, choose_by: 5, patience: 3}",
        ),
        ("    batch: 8", "    batch: eight"),
        ("learning_rate: 1e-2", "learning_rate: 0"),
        ("data: vader/news", "encoding: 8\n    template: text"),
        (
            "{bridge: scratch, budget: combined}",
            "{bridge: mpt, strength: -1, noise: [], pace: 0}\ntune: {rank: 0, training: {batch: 0}}",
        ),
    )
    assert problems(text) == [
        "my.yaml:3  backbone.device  is the number 3; write one of: auto, cpu, cuda, mps",
        "my.yaml:3  backbone.temperature  is 0.0; write temperature: 0.05",
        "my.yaml:3  backbone.max_length  is 2; write max_length: 128",
        "my.yaml:10  targets.news.data  is missing; add data: ...",
        "my.yaml:11  targets.news.encoding  is the number 8; write text in quotes",
        "my.yaml:12  targets.news.template  the template 'text' cannot be used: there is no slot, so that all rows "
        "would read the same; mend the template; write {{ and }} for braces, and map an odd column name with `columns`",
        "my.yaml:15  training.source.steps  is the text 'eighty'; write a whole number",
        "my.yaml:15  training.source.choose_by  is the number 5; write one of: loss, accuracy, macro_f1, matthews, "
        "last",
        "my.yaml:15  training.source.batch  is 0; raise batch",
        "my.yaml:15  training.source.learning_rate  is -1.0; write a number above 0",
        "my.yaml:15  training.source.warmup  is 2.0; write a share from 0 to 1",
        "my.yaml:18  training.target.batch  is the text 'eight'; write a whole number",
        "my.yaml:21  arms.spot.training.learning_rate  is 0.0; write a number above 0",
        "my.yaml:22  arms.scratch.noise  is a list; write a number",
        "my.yaml:22  arms.scratch.strength  is -1.0; write strength: 0.9",
        "my.yaml:22  arms.scratch.pace  is 0.0; write pace: 1.3333",
        "my.yaml:23  tune.training.batch  is 0; raise batch",
        "my.yaml:23  tune.rank  is 0; raise rank",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "word"])
def test_what_is_no_mapping_is_no_recipe(text):
    assert problems(text)[0].startswith("my.yaml:1  recipe  is ")


def test_a_file_that_is_not_utf8_is_told_with_its_line():
    Path("my.yaml").write_bytes(b"name: mine\n# caf\xe9\n")
    with pytest.raises(RecipeError, match=r"my\.yaml:2  recipe  is not UTF-8; save the file as UTF-8"):
        read("my.yaml")


def test_an_override_replaces_a_value_and_is_read_as_yaml():
    overrides = ["shots=null", "arms.no prompt.bridge=scratch", "training.source.learning_rate=5e-3", "seeds=[4, 5]"]
    recipe = read(write(GOOD), overrides)
    assert recipe.shots is None
    assert recipe.arms["no prompt"].bridge.name == "scratch"
    assert recipe.training.source.learning_rate == 0.005
    assert recipe.seeds == (4, 5)


def test_an_override_reaches_a_name_that_holds_a_dot():
    text = changed(("  news:", "  news.2014:"))
    assert read(write(text), ["targets.news.2014.test=0.5"]).targets["news.2014"].test == 0.5


def test_a_wrong_override_is_told_as_one():
    assert problems(GOOD, "shotss=3") == ["--set 'shotss=3'  shotss  is no key here; write shots"]
    assert problems(GOOD, "shots=few") == [
        "--set 'shots=few'  shots  is the text 'few'; write a whole number or a list"
    ]
    assert problems(GOOD, "shots") == ["--set 'shots'  shots  is no setting; write path=value, as in shots=16"]


def test_a_file_beside_the_recipe_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "rows.csv").write_text("text,label\n")
    file = write(changed(("data: vader/news", "data: rows.csv")), "paper/my.yaml")
    monkeypatch.chdir("/")
    assert read(tmp_path / file).targets["news"].data == str(tmp_path / "paper" / "rows.csv")


def test_a_file_of_the_shared_data_folder_keeps_its_name(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("text,label\n")
    monkeypatch.setenv("SOFTBRIDGE_DATA", str(tmp_path / "data"))
    assert read(write(changed(("data: vader/news", "data: rows.csv")))).targets["news"].data == "rows.csv"


def test_hub_names_are_left_to_the_hub():
    text = changed(("data: vader/news", "data: hub:org/news:en@abc"), ("name: minilm-l6", "name: org/model"))
    recipe = read(write(text))
    assert recipe.targets["news"].data == "hub:org/news:en@abc"
    assert recipe.backbone.name == "org/model"


def test_a_model_folder_beside_the_recipe_is_found(tmp_path):
    (tmp_path / "model").mkdir()
    assert read(write(changed(("name: minilm-l6", "name: ./model")))).backbone.name == str(tmp_path / "model")


def test_a_resolved_recipe_reads_back_as_itself():
    labels = '{"no": "3e-4", "null": "a: b #c", "关于": " good\\n", "0": "2020-01-01"}'
    recipe = read(write(changed(("{negative: bad, positive: good}", labels))))
    recipe.write(Path("again.yaml"))
    again = read("again.yaml")
    assert again == recipe
    assert again.digest == recipe.digest
    assert list(again.targets["news"].labels) == ["no", "null", "关于", "0"]
    assert json.loads(json.dumps(recipe.resolved())) == recipe.resolved()


def test_the_digest_follows_the_meaning_and_not_the_writing():
    base = read(write(GOOD)).digest
    assert (
        read(write("# a comment\n" + changed(("3e-4", "0.0003"), ("seeds: [0, 1]", "seeds: [0, 0x1]")))).digest == base
    )
    assert read(write(GOOD), ["shots=33"]).digest != base
    assert read(write(changed(("budget: combined", "budget: target")))).digest != base


@pytest.mark.parametrize("name", ["quickstart", "quickstart_causal"])
def test_the_packaged_recipes_are_right_and_say_what_they_show(name):
    assert read(name).name == name
    assert f"softbridge run {name}" in heading(find(name))
    assert find(name) == shelf()[name]


def test_an_unknown_recipe_is_answered_with_the_nearest():
    with pytest.raises(SoftbridgeError, match="did you mean 'quickstart'"):
        read("quickstrat")
    write(GOOD)
    with pytest.raises(SoftbridgeError, match=r"no recipe file myy\.yaml \(did you mean 'my\.yaml'\?\)"):
        read("myy.yaml")


def test_a_recipe_is_explained_in_words():
    text = explain(read(write(GOOD)))
    assert text.startswith("mine: 1 source, 1 target, 3 arms, 2 seeds\n")
    assert "arm no prompt: bridge none; not trained on the target" in text
    assert "arm spot: bridge spot" in text
    assert "32 labelled rows per class to train on, all labelled rows to choose by" in text


def test_each_work_is_cited_once_with_its_reasons():
    entries = citations(read(write(GOOD)))
    reasons = {entry.partition("{")[2].partition(",")[0]: why for entry, why in entries.items()}
    assert reasons["hutto2014vader"] == ["the data vader/movies", "the data vader/news"]
    assert reasons["lester2021power"] == ["the prompt soft", "the bridge scratch"]
    assert reasons["vu2022spot"] == ["the bridge spot"]
    assert "" not in entries


MATRIX = [
    ("shots: 32", "shots: [8, 32]"),
    ("  movies: {data: vader/movies}", "  movies: {data: vader/movies}\n  tweets: {data: vader/tweets}"),
    ("{bridge: spot,", "{bridge: spot, each: true,"),
    ("  no prompt: {bridge: none}", "  mixed: {bridge: attempt, each: true, sources: [tweets]}"),
]


def test_each_source_is_an_arm_and_each_number_of_shots_a_recipe():
    recipe = read(write(changed(*MATRIX)))
    alone = {part.name: part for arm in recipe.arms.values() for part in arm.apart(recipe.sources)}
    assert list(alone) == ["mixed from tweets", "spot from movies", "spot from tweets", "scratch"]
    assert (alone["spot from tweets"].bridge.source, alone["spot from tweets"].sources) == ("tweets", ("tweets",))
    assert (alone["spot from tweets"].family, alone["scratch"].family) == ("spot", None)
    assert alone["spot from movies"].plan == recipe.arms["spot"].plan
    assert [one.shots for one in recipe.by_shots()] == [8, 32]
    few = changed(*MATRIX[1:], ("shots: 32", "shots: 8"))
    assert recipe.by_shots()[0].digest == read(write(few, "few.yaml")).digest, "as if 8 were written alone"


def test_a_resolved_matrix_reads_back_and_other_recipes_keep_their_digest():
    recipe = read(write(changed(*MATRIX)))
    again = read(write(recipe.to_yaml(), "again.yaml"))
    assert again == recipe
    assert again.digest == recipe.digest
    assert "each" not in read(write(GOOD)).resolved()["arms"]["spot"]
    assert "8 labelled rows per class and, once more, 32 labelled rows per class to train on" in explain(recipe)
    assert "from each source alone" in explain(recipe)
