"""The recipes of papers: each reads, plans, and runs to its end on pico models, with rows of the hub's own columns.

The hub is replaced at its edge: `load_dataset` gives rows with the features that the hub's data sets have, and a hub id
is a pico model whose vocabulary holds the recipe's label words.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from softbridge import recipe as recipes
from softbridge import study
from softbridge.backbones.loading import load
from softbridge.cli.main import main
from softbridge.domains import readers
from softbridge.prompts import files
from softbridge.prompts.shelves import prompts_under
from softbridge.reports import baselines
from softbridge.study import materials
from tests import pico

RECIPES, PUBLISHED = recipes.papers()
NLI = ["entailment", "neutral", "contradiction"]
PAIR = ["entailment", "not_entailment"]
TRUTH = ["False", "True"]
FEELING = ["negative", "positive"]
KINDS = ["Company", "EducationalInstitution", "Artist", "Athlete", "OfficeHolder", "MeanOfTransportation", "Building"]
KINDS += ["NaturalPlace", "Village", "Animal", "Plant", "Album", "Film", "WrittenWork"]
# The columns and classes of the hub's data sets, by the name that a recipe gives; -1 is a class label that is not told.
HUB = {
    "nyu-mll/glue:mnli": (["premise", "hypothesis"], "label", NLI),
    "nyu-mll/glue:qqp": (["question1", "question2"], "label", ["not_duplicate", "duplicate"]),
    "nyu-mll/glue:qnli": (["question", "sentence"], "label", PAIR),
    "nyu-mll/glue:sst2": (["sentence"], "label", FEELING),
    "nyu-mll/glue:mrpc": (["sentence1", "sentence2"], "label", ["not_equivalent", "equivalent"]),
    "nyu-mll/glue:rte": (["sentence1", "sentence2"], "label", PAIR),
    "nyu-mll/glue:cola": (["sentence"], "label", ["unacceptable", "acceptable"]),
    "aps/super_glue:boolq": (["question", "passage"], "label", TRUTH),
    "aps/super_glue:cb": (["premise", "hypothesis"], "label", ["entailment", "contradiction", "neutral"]),
    "aps/super_glue:copa": (["premise", "choice1", "choice2", "question"], "label", ["choice1", "choice2"]),
    "aps/super_glue:multirc": (["paragraph", "question", "answer"], "label", TRUTH),
    "aps/super_glue:rte": (["premise", "hypothesis"], "label", PAIR),
    "aps/super_glue:wic": (["word", "sentence1", "sentence2"], "label", TRUTH),
    "aps/super_glue:wsc.fixed": (["text", "span1_text", "span2_text"], "label", TRUTH),
    "fancyzhx/dbpedia_14": (["title", "content"], "label", KINDS),
    "fancyzhx/yelp_polarity": (["text"], "label", ["1", "2"]),
    "fancyzhx/ag_news": (["text"], "label", ["World", "Sports", "Business", "Sci/Tech"]),
    "community-datasets/yahoo_answers_topics": (
        ["question_title", "question_content"],
        "topic",
        [
            "Society & Culture",
            "Science & Mathematics",
            "Health",
            "Education & Reference",
            "Computers & Internet",
            "Sports",
            "Business & Finance",
            "Entertainment & Music",
            "Family & Relationships",
            "Politics & Government",
        ],
    ),
    "stanfordnlp/imdb": (["text"], "label", ["neg", "pos"]),
    "stanfordnlp/snli": (["premise", "hypothesis"], "label", NLI),
    "allenai/scitail:snli_format": (["sentence1", "sentence2"], "gold_label", ("entailment", "neutral")),
    "meta-math/MetaMathQA": (["query"], "response", ("w1 fine w2 The answer is: 3", "w3 w4 The answer is: 1,204")),
    "openai/gsm8k:main": (["question"], "answer", ("w1 good w2 #### 3", "w5 #### 1204")),
    "SetFit/sst5": (
        ["text"],
        "label_text",
        ("very negative", "negative", "neutral", "positive", "very positive"),
    ),
}
ROWS = 12  # a class
QUICK = ("spot", "peft_gsm8k")


def hub(name, config=None, revision=None):
    """Return rows as the hub's data set has them; a tuple of classes stands for a column of plain text."""
    columns, label, classes = HUB[f"{name}:{config}" if config else name]
    told = ClassLabel(names=classes) if isinstance(classes, list) else Value("string")
    features = Features({**{column: Value("string") for column in columns}, label: told})

    def split(start, count, hidden=False):
        rows = range(start, start + count * len(classes))
        cells = {
            c: [f"{pico.GOOD[i % 5]} w{i % 40} w{(i * 7 + j) % 40} {c} {i}" for i in rows]
            for j, c in enumerate(columns)
        }
        unknown = -1 if isinstance(classes, list) else None
        values = [
            unknown if hidden else (i % len(classes) if isinstance(classes, list) else classes[i % len(classes)])
            for i in rows
        ]
        return Dataset.from_dict({**cells, label: values}, features=features)

    return DatasetDict(train=split(0, ROWS), validation=split(1000, 4), test=split(2000, 2, hidden=True))


def pico_model(folder, kind, words):
    """Save a pico model whose vocabulary holds the words."""
    vocabulary = [*dict.fromkeys([*pico.WORDS, *words]), "[MASK]"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    form = "[CLS] $A [SEP]" if kind == "masked" else "$A [SEP]"
    made.post_processor = processors.TemplateProcessing(single=form, special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, mask_token="[MASK]", eos_token="[SEP]", **special)
    size = {"vocab_size": len(vocabulary), "pad_token_id": 0, "eos_token_id": 2}
    if kind == "masked":
        config = RobertaConfig(**pico.SIZES, **size, bos_token_id=1, max_position_embeddings=700)
        model = RobertaForMaskedLM(config)
    elif kind == "causal":
        model = LlamaForCausalLM(LlamaConfig(**pico.SIZES, **size, bos_token_id=1))
    else:
        shape = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
        model = T5ForConditionalGeneration(T5Config(**shape, **size))
    for part in (model.eval(), tokenizer):
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def world(monkeypatch, tmp_path):
    """Stand in for the hub: its rows, and a pico model in the place of each of its models."""
    monkeypatch.setattr(readers, "load_dataset", hub)

    def loaded(spec):
        return load(
            replace(spec, name=str(tmp_path / "model"), precision="float32", attention="sdpa"), hub_id=spec.name
        )

    monkeypatch.setattr(materials, "load_backbone", loaded)

    def prepare(name):
        tree = recipes.read(RECIPES[name], [*SHORT, *(["domain.max_new_tokens=8"] if "gsm8k" in name else [])])
        domains = [*tree.sources.values(), *tree.targets.values()]
        pico_model(
            tmp_path / "model", tree.backbone.kind, [w for d in domains for v in d.labels.values() for w in v.split()]
        )
        return tree

    return prepare


SHORT = [
    "seeds=[0]",
    "domain.test=0.2",
    "domain.validation=0.2",
    *(f"training.{side}.{key}" for side in ("source", "target") for key in ("steps=2", "batch=2", "evaluate_every=1")),
]


@pytest.mark.parametrize("name", RECIPES)
def test_every_domain_of_a_paper_opens_with_the_hubs_columns(world, name):
    tree = world(name)
    for domains in (tree.sources, tree.targets):
        for key, domain in domains.items():
            opened = domain.open(key)
            assert set(opened.train["label"]) == set(range(len(opened.groups))), key
            assert opened.answer is None or all(opened.train["answer"]), key
            assert "{" not in opened.train["text"][0].replace("{mask}", ""), key


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in RECIPES if n not in QUICK)]
)
def test_a_paper_runs_to_its_end(world, tmp_path, name):
    tree = world(name)
    asked = recipes.read(RECIPES[name])
    some = dict(list(tree.targets.items())[:2])
    few = {"shots": 2, "validation_shots": 2} if tree.shots else {}
    tree = replace(tree, targets=some, **few)
    planned = study.plan(tree, tmp_path / "out")
    assert not any(stage.finished for stage in planned)
    result = study.run(tree, tmp_path / "out")
    assert all(stage.finished for stage in study.plan(tree, tmp_path / "out"))
    assert {record.target for record in result.records} == set(some)
    assert {record.bridge.get("family") or record.arm for record in result.records} == set(tree.arms)
    cards = prompts_under(tmp_path / "out" / "stages")
    for folder, card in cards.items():
        tokens = files.load(folder).injection.tokens
        assert tokens is None or tokens.shape == (1, asked.prompt.length, 32)
        assert card.backbone == asked.backbone.name
    sides = {"adapt": asked.training.target} | ({"extract": asked.training.source} if asked.sources else {})
    for start, plan in sides.items():
        learned = [
            card for folder, card in cards.items() if folder.parents[1].name.startswith(start) and card.optimiser
        ]
        assert learned
        for key in ("optimiser", "learning_rate", "weight_decay", "schedule", "warmup", "clip", "choose_by"):
            assert {card.optimiser[key] for card in learned} == {getattr(plan, key)}, (start, key)


def test_published_numbers_name_what_the_recipes_have():
    numbers = baselines.published(PUBLISHED)
    assert {number.baseline for number in numbers} <= set(RECIPES)
    for number in numbers:
        assert number.source
        assert number.provenance
        assert number.differs
        assert -100 <= float(number.value) <= 100
        if "mean" not in number.target:
            assert number.target in recipes.read(RECIPES[number.baseline]).targets, number


def test_a_baseline_is_compared_with_records(world, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    tree = world("spot")
    result = study.run(tree, tmp_path / "out")
    with pytest.raises(SystemExit):
        main(["baseline", "spot", "--from", str(tmp_path / "out")])
    told = capsys.readouterr().out
    cb = next(r for r in result.records if (r.target, r.arm) == ("cb", "spot"))
    ours = 100 * cb.members[0]["best"]["test"]["accuracy"]
    assert f"{ours:.1f}" in told
    assert f"{ours - 97.0:+.1f}" in told
    assert "Vu et al." in told
    with pytest.raises(SystemExit) as stop:
        main(["baseline", "spott"])
    assert stop.value.code == 2
    assert "see `softbridge baseline`" in capsys.readouterr().err


def test_a_published_number_finds_its_own_arm_target_and_metric():
    def record(target, arm, **test):
        members = [{"best": {"test": {name: value + seed / 100 for name, value in test.items()}}} for seed in (0, 1, 2)]
        return SimpleNamespace(target=target, arm=arm, members=members)

    def number(target, arm, metric):
        return baselines.Published("spot", arm, target, metric, "50.0", "", "a paper", "read", "nothing")

    records = [record("cb", "spot", accuracy=0.1), record("rte", "scratch", accuracy=0.2)]
    records += [record("rte", "spot", accuracy=0.3, matthews=0.4)]
    assert baselines.measured(records, number("rte", "spot", "accuracy")).mean == pytest.approx(31.0)
    assert baselines.measured(records, number("rte", "spot", "matthews")).mean == pytest.approx(41.0)
    assert baselines.measured(records, number("rte", "scratch (a rerun)", "accuracy")).mean == pytest.approx(21.0)
    assert baselines.measured(records, number("cb", "spot", "matthews")) is None
    assert baselines.measured(records, number("cb", "mpt", "accuracy")) is None


def test_free_answers_are_compared_with_the_board_by_exact_match(world, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    tree = replace(world("peft_gsm8k"), arms={"prompt tuning": world("peft_gsm8k").arms["prompt tuning"]})
    result = study.run(tree, tmp_path / "out")
    tested = result.records[0].members[0]["best"]["test"]
    assert set(tested) == {"loss", "perplexity", "exact_match"}
    with pytest.raises(SystemExit):
        main(["baseline", "peft_gsm8k", "--from", str(tmp_path / "out")])
    told = next(line for line in capsys.readouterr().out.splitlines() if "start from the vocabulary" in line)
    assert "34.3" in told
    assert f"{100 * tested['exact_match'] - 34.3:+.1f}" in told


def test_other_classes_are_refused_unless_the_recipe_says_so():
    with pytest.raises(recipes.reading.RecipeError, match="or write other_classes: true"):
        recipes.read(RECIPES["spot"], ["other_classes=false"])
