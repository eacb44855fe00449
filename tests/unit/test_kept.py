"""States that are computed once a row: in memory, then in a file; and none where neither has room."""

import tempfile

import pytest
import torch

from softbridge.backbones.kept import Kept
from softbridge.prompts.late import Late
from softbridge.seeding import generator
from tests import pico


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_memory_has_no_room_for_comes_back_from_the_file(dtype):
    kept, draw = Kept(room=100), torch.Generator().manual_seed(0)
    made = {i: torch.randn(i + 1, 5, generator=draw).to(dtype) for i in range(20)}
    for i, states in made.items():
        kept.put(i, states)
        assert torch.equal(kept.get(i), states)  # the map grows with the file
    assert 0 < len(kept.near) < len(kept.far)
    assert all(torch.equal(kept.get(i), states) for i, states in made.items())


def test_where_the_disk_is_full_nothing_is_kept(monkeypatch):
    def full(**keys):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    kept = Kept(room=0)
    kept.put("a", torch.ones(2))
    assert kept.get("a") is None


def test_a_late_prompt_s_rows_are_computed_once_wherever_they_are_kept(monkeypatch):
    found = []
    for room in (1 << 20, 0):
        backbone = pico.causal()
        backbone.kept = Kept(room=room)
        made = Late(3, block=1).build(backbone.space(), generator(0, "kept"))
        before = len(backbone.kept)
        rows = backbone.batch(pico_rows(backbone))
        prompt = made().pick(torch.zeros(4, dtype=torch.long))
        found.append(backbone.score(rows, prompt))
        assert len(backbone.kept) == before + 4
        monkeypatch.setattr("softbridge.backbones.base.states_below", lambda *_: pytest.fail("computed again"))
        assert torch.equal(backbone.score(rows, prompt), found[-1])
        monkeypatch.undo()
    assert torch.equal(*found)


def pico_rows(backbone):
    from softbridge.batch import Rows

    return Rows(backbone.tokenise(pico.texts(4, 0)[0]), [0] * 4)
