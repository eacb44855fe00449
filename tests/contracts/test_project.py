"""What belongs to the project rather than to its code: the citation file, and tests that stay offline."""

import dataclasses
import re
import socket
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import softbridge
from softbridge.engine.plan import Plan
from softbridge.prompts.pruning import Prune
from softbridge.prompts.table import PROMPTS

ROOT = Path(__file__).parents[2]

# The required keys of the Citation File Format 1.2.0, and the form of those that this project gives.
# https://citation-file-format.github.io
SCHEMA = {
    "type": "object",
    "required": ["authors", "cff-version", "message", "title"],
    "additionalProperties": False,
    "properties": {
        "cff-version": {"const": "1.2.0"},
        "title": {"type": "string", "minLength": 1},
        "message": {"type": "string", "minLength": 1},
        "type": {"enum": ["software", "dataset"]},
        "authors": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string", "minLength": 1}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "version": {"type": "string"},
        "date-released": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "license": {"const": "Apache-2.0"},
        "abstract": {"type": "string", "minLength": 1},
        "keywords": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string", "minLength": 1}},
        "repository-code": {"type": "string", "pattern": "^https://"},
    },
}


def citation():
    return YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())


def test_the_citation_file_fits_its_schema():
    jsonschema = pytest.importorskip("jsonschema")
    read = citation()
    read["date-released"] = str(read["date-released"])
    jsonschema.validate(read, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**read, "authors": []}, SCHEMA)


def test_the_citation_file_speaks_of_this_version():
    assert citation()["version"] == softbridge.__version__


def test_a_socket_to_elsewhere_is_refused():
    with pytest.raises(AssertionError, match="tests work offline"), socket.socket() as reached:
        reached.connect(("192.0.2.1", 443))


def test_the_readme_opens_with_the_two_commands():
    opening = (ROOT / "README.md").read_text()[:300]
    assert re.search(r"```\nmake quickstart.*\nmake test", opening)


def test_every_kind_of_prompt_has_its_page_in_one_shape():
    for name in (*PROMPTS, "prune"):
        page = (ROOT / "docs" / "methods" / f"{name}.md").read_text()
        heads = re.findall(r"^\*\*(.+?)\.\*\*", page, flags=re.M)
        assert heads == ["Idea", "Formula", "When to use it", "Defaults", "Measured", "Reference"], name


@pytest.mark.parametrize("name", [*PROMPTS, "prune"])
def test_a_page_tells_the_defaults_as_they_are(name):
    kind = {**PROMPTS, "prune": Prune}[name]
    page = (ROOT / "docs" / "methods" / f"{name}.md").read_text()
    assert re.search(r"^\| key \| default \| source \|$", page, flags=re.M)
    told = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|.*\|$", page, flags=re.M))
    assert told == {field.name: str(field.default) for field in dataclasses.fields(kind)}
    assert "Not yet" not in page  # every kind is in the tables of benchmarks/prompts
    if name in PROMPTS:
        usual = kind.plan.get("learning_rate", Plan().learning_rate)
        assert re.search(rf"learning rate (0\.03 on a sentence encoder and )?{usual:g}[ ,]", page)


def links():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
    return [(page, link) for page in pages for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text())]


def test_every_link_of_the_docs_leads_somewhere():
    assert len(links()) > 50
    lost = [(page.name, link) for page, link in links() if "//" not in link and not (page.parent / link).exists()]
    assert not lost


def test_every_kind_of_prompt_has_a_recipe_that_reads():
    from softbridge.recipe import read

    for name in PROMPTS:
        assert read(ROOT / "recipes" / "prompts" / f"{name}.yaml").prompt.name == name
