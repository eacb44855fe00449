"""The notebook: it runs from top to bottom, and what is committed is what a run of it left."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from softbridge.assets import cache
from softbridge.assets.table import ASSETS
from tests import pico

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_bridge.ipynb"

# Stands in for the cell tagged "parameters": a pico model and toy frames.
SMALL = """
import sys
sys.path.insert(0, {root!r})
from tests import pico

spec = sb.BackboneSpec({model!r}, max_length=16, precision="float32", attention="sdpa", device="cpu")
backbone = sb.load_backbone(spec)
films, tweets = (pico.frame(400, seed).to_pandas() for seed in (0, 1))
words = {{"negative": "negative", "positive": "positive"}}
seeds, source_steps, target_steps, shots, length = (0, 1), 4, 2, 4, 4
"""


def executed(notebook):
    """Return the notebook after a run of all its cells; a cell that raises ends it."""
    return NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()


def tables(notebook):
    """Return the tables that its cells show."""
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    return [data["text/html"] for data in outputs if "text/html" in data]


@pytest.fixture
def path_to_here(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))


def test_it_runs_on_a_pico_model(tmp_path, path_to_here):
    pico.save_backbone(tmp_path / "model")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (place,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    place.source = SMALL.format(root=str(ROOT), model=str(tmp_path / "model"))
    assert len(tables(executed(notebook))) == 4


@pytest.mark.slow
@pytest.mark.skipif(cache.problem(ASSETS["minilm-l6"]) is not None, reason="minilm-l6 is not in the cache")
def test_it_runs_as_it_stands(path_to_here):
    assert len(tables(executed(nbformat.read(NOTEBOOK, as_version=4)))) == 4


def test_the_committed_one_was_run_in_order_is_small_and_names_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] in ("error", "stream")]
    assert len(text) < 150_000
    assert not any(word in text for word in ("/tmp/", "/home/", "/root/", "/work/"))
