"""What belongs to the project rather than to its code: the citation file, and tests that stay offline."""

import re
import socket
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import softbridge

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
    from softbridge.prompts.table import PROMPTS

    for name in (*PROMPTS, "prune"):
        page = (ROOT / "docs" / "methods" / f"{name}.md").read_text()
        heads = re.findall(r"^\*\*(.+?)\.\*\*", page, flags=re.M)
        assert heads == ["Idea", "Formula", "When to use it", "Defaults", "Measured", "Reference"], name


def test_every_kind_of_prompt_has_a_recipe_that_reads():
    from softbridge.prompts.table import PROMPTS
    from softbridge.recipe import read

    for name in PROMPTS:
        assert read(ROOT / "recipes" / "prompts" / f"{name}.yaml").prompt.name == name
