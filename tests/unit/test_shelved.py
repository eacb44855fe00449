"""Sources that are saved prompts: read, checked, carried; and the gallery's command that makes them."""

import pytest
import torch

from softbridge import recipe as recipes
from softbridge import study
from softbridge.errors import PromptError, RecipeError
from softbridge.prompts import files
from softbridge.prompts.shelved import Shelved, gallery, gallery_folder, shelves
from softbridge.recipe import places
from softbridge.recipe.document import Document
from softbridge.study.gallery import fill
from softbridge.study.study import Study
from tests.unit.test_study import make

ROOM = """
sources:
  films: {{prompts: {shelf}/films}}
  books: {{prompts: {shelf}/books}}
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    toy = recipes.read(make_recipe(folder), ["seeds=[0]"])
    fill(toy, folder / "made", folder / "shelf")
    return folder


def make_recipe(folder):
    make(folder)
    return folder / "toy.yaml"


def shelved(folder, *overrides, name="shelved"):
    """Return the toy study whose sources are the saved prompts."""
    text = (folder / "toy.yaml").read_text()
    start, end = text.index("sources:"), text.index("targets:")
    path = folder / f"{name}.yaml"
    path.write_text(text[:start] + ROOM.format(shelf="shelf").lstrip() + text[end:])
    return recipes.read(path, overrides)


def test_a_study_from_saved_prompts_is_the_study_that_learned_them(shelf, tmp_path, monkeypatch):
    whole = study.run(recipes.read(shelf / "toy.yaml", ["seeds=[0]"]), tmp_path / "whole")
    trained = []
    monkeypatch.setattr(Study, "extract", lambda self, name: trained.append(name) or self.extraction(name).result())
    saved = study.run(shelved(shelf, "seeds=[0]"), tmp_path / "saved")
    for one, other in zip(whole.records, saved.records, strict=True):
        assert one.arm == other.arm
        scores = [[(m["best"]["test"], m["history"]) for m in record.members] for record in (one, other)]
        assert scores[0] == scores[1]
        assert one.budget["source_steps"] == other.budget["source_steps"]
    assert not any((tmp_path / "saved" / "stages").glob("extract-*"))


def test_members_of_other_seeds_begin_where_the_saved_prompts_began(shelf, tmp_path):
    made = Study(shelved(shelf, "seeds=[0, 1]"), tmp_path)
    domain = made.materials.targets["toys"]
    starts = [made.fresh(domain, seed).bake().tokens for seed in (0, 1)]
    assert torch.equal(*starts)
    assert not torch.equal(starts[0], made.drawn(domain, 1).bake().tokens)
    assert made.common["starts"] == [0, 0]
    own = Study(recipes.read(shelf / "toy.yaml"), tmp_path)
    assert torch.equal(starts[0], own.fresh(domain, 0).bake().tokens)
    assert not torch.equal(starts[1], own.fresh(domain, 1).bake().tokens)


def test_a_plan_says_that_the_sources_are_there(shelf, tmp_path):
    stages = study.plan(shelved(shelf), tmp_path)
    first = stages[:2]
    assert [stage.name for stage in first] == ["shelved-films", "shelved-books"]
    assert all(stage.finished and stage.note == "saved before" for stage in first)


def test_a_stage_of_a_study_is_a_shelf_too(shelf):
    (stage,) = (shelf / "made" / "stages").glob("extract-films-*")
    one, other = Shelved(str(stage)), Shelved(str(shelf / "shelf" / "films"))
    assert one.seeds == other.seeds == [0]
    assert torch.equal(*(files.load(s.place(7, "last")).injection.tokens for s in (one, other)))
    alone = Shelved(str(other.place(0, "best")))
    assert alone.place(3, "last") == alone.place(0, "best")


def test_prompts_that_began_otherwise_are_refused_with_all_else(shelf):
    with pytest.raises(RecipeError) as found:
        shelved(shelf, "prompt.length=4", "arms.late={bridge: snapshots}", "sources.no={prompts: nowhere}", name="bad")
    told = str(found.value)
    assert (
        "holds prompts of kind: soft, length: 3, init: vocabulary, and the recipe's are kind: soft, length: 4" in told
    )
    assert "is snapshots, which reads its sources' rows or training" in told
    assert "'nowhere' is no folder" in told


def test_prompts_of_another_backbone_are_refused(shelf, tmp_path):
    from tests import pico

    other = pico.save_backbone(tmp_path / "other", "causal")
    with pytest.raises(PromptError, match="the source 'films' holds prompts of"):
        Study(shelved(shelf, f"backbone.name={other}", name="other"), tmp_path)


def test_saved_prompts_may_have_other_classes(shelf):
    made = shelved(shelf, "targets.toys.labels={negative: negative, plain: w1, positive: positive}", name="three")
    assert list(made.targets["toys"].labels) == ["negative", "plain", "positive"]


def test_an_empty_folder_is_no_shelf(tmp_path):
    with pytest.raises(PromptError, match="holds no saved prompt"):
        _ = Shelved(str(tmp_path)).seeds
    with pytest.raises(PromptError, match="there are no saved prompts"):
        _ = Shelved("gallery/../../etc").seeds


def test_a_resolved_recipe_reads_back(shelf):
    made = shelved(shelf)
    assert recipes.resume(made.resolved(), "itself") == made


def test_the_gallery_is_whole():
    for name, each in gallery().items():
        for place in each.folders.values():
            saved = files.load(place)
            assert saved.card.data, name
            assert sum(file.stat().st_size for file in place.iterdir()) < 40_000


def test_the_shelves_of_a_backbone_go_by_short_names(shelf):
    assert list(shelves("any", shelf / "shelf")) == ["books", "films"]


def test_in_a_clones_folder_a_name_of_the_gallery_stays_a_name(tmp_path, monkeypatch):
    (tmp_path / "gallery/minilm-l6/films").mkdir(parents=True)
    monkeypatch.chdir(gallery_folder().parent)
    path, document = ("sources", "films", "prompts"), Document({}, "a recipe")
    assert places.prompts("gallery/minilm-l6/movies", tmp_path, path, document) == "gallery/minilm-l6/movies"
    own = tmp_path / "gallery/minilm-l6/films"
    assert places.prompts("gallery/minilm-l6/films", tmp_path, path, document) == str(own)
