"""Records: written whole or not at all, read whole or refused; and the factory that makes records up for tests."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace

import pytest

from softbridge.errors import StudyError
from softbridge.records import SCHEMA, Record, append, read
from softbridge.records.store import slug

BIBTEX = "@inproceedings{vu2022spot,\n  title = {{SPoT}: Better Adaptation through Soft Prompt Transfer}\n}"
ARMS = {  # arm: bridge, source steps, target steps, start, end, bibtex
    "no prompt": ("none", 0, 0, 0.75, 0.75, ""),
    "reuse": ("reuse", 80, 0, 0.76, 0.76, ""),
    "scratch": ("scratch", 0, 16, 0.72, 0.79, "@inproceedings{lester2021power,\n  year = {2021}\n}"),
    "scratch at both budgets": ("scratch", 0, 96, 0.72, 0.77, "@inproceedings{lester2021power,\n  year = {2021}\n}"),
    "random": ("random", 80, 16, 0.70, 0.78, ""),
    "spot": ("spot", 80, 16, 0.76, 0.82, BIBTEX),
}
TARGETS = {"products": 0.0, "news": -0.02, "tweets": 0.05}
FORMATION = {"accuracy": 0.0, "macro_f1": -0.01, "matthews": -0.2}


def scores(level: float, noise: random.Random) -> dict:
    wobble = noise.gauss(0, 0.01)
    made = {name: round(level + shift + wobble, 4) for name, shift in FORMATION.items()}
    return {**made, "calibration_error": round(0.06 + abs(wobble), 4)}


def member(seed: int, arm: str, target: str) -> dict:
    bridge, _, steps, start, end, _ = ARMS[arm]
    noise = random.Random(f"{seed}/{arm}/{target}")
    shift = TARGETS[target]
    history = []
    for step in range(0, steps + 1, 4):
        part = min(1.0, step / 16)
        level = start + (end - start) * part + noise.gauss(0, 0.01) + shift
        history.append(
            {
                "step": step,
                "epoch": step / 4,
                "train_loss": 1.2 - level + noise.gauss(0, 0.02) if step else None,
                "validation": {"loss": 1.25 - level + 0.002 * max(0, step - 16), "accuracy": level},
                "learning_rate": 0.01,
            }
        )
    best = {
        "step": max(0, steps - 4),
        "test": scores(end + shift, noise),
        "validation": {"loss": 0.45, "accuracy": end},
    }
    last = {**best, "step": steps, "test": scores(end + shift - 0.004, noise)} if steps else best
    prompt = f"stages/adapt-{target}-0123/prompts/{seed}" if bridge != "none" else None
    return {
        "seed": seed,
        "best": best,
        "last": last,
        "history": history if steps else [],
        "prompt": prompt,
        "stopped": None,
        "note": f"{bridge} of movies",
    }


def record(target: str = "products", arm: str = "spot", **changes) -> Record:
    bridge, source_steps, target_steps, _, _, bibtex = ARMS[arm]
    sources = ["movies"] if source_steps else []
    domain = {
        "fingerprint": "9f" * 32,
        "sizes": {"train": 2100, "validation": 230, "test": 583, "unlabelled": 800},
        "notes": [],
    }
    losses = (
        [
            {
                "stage": "extract",
                "name": "L_fine",
                "term": "cross_entropy",
                "domain": "movies",
                "M": 64,
                "steps": 80,
                "first": 0.6931,
                "last": 0.4377,
            }
        ]
        if sources
        else []
    )
    if target_steps:
        losses += [
            {
                "stage": "adapt",
                "name": "L_fine",
                "term": "cross_entropy",
                "domain": target,
                "M": 64,
                "steps": target_steps,
                "first": 0.61,
                "last": 0.39,
            }
        ]
    made = Record(
        study="quickstart",
        status="done",
        created="2025-01-02T03:04:05+00:00",
        recipe={
            "name": "quickstart",
            "seeds": [0, 1, 2],
            "backbone": {"name": "minilm-l6", "temperature": 0.05},
            "sources": {"movies": {"data": "vader/movies"}},
            "targets": {t: {"data": f"vader/{t}"} for t in TARGETS},
            "shots": 32,
            "arms": {name: {"bridge": facts[0]} for name, facts in ARMS.items()},
        },
        recipe_digest="5d" * 32,
        target=target,
        arm=arm,
        bridge={"name": bridge, "reference": f"what {bridge} refers to", "bibtex": bibtex},
        sources=sources,
        backbone={
            "name": "minilm-l6",
            "hub_id": "sentence-transformers/all-MiniLM-L6-v2",
            "revision": "c9745ed",
            "kind": "sentence",
            "parameters": 22713216,
            "precision": "float32",
            "attention": "sdpa",
        },
        prompt={"kind": "soft", "length": 8, "parameters": 3072},
        budget={
            "source_steps": source_steps,
            "target_steps": target_steps,
            "batch": 16,
            "rows_seen": 16 * (source_steps + target_steps),
        },
        chosen_by={"split": "validation", "metric": "loss"},
        data={
            "source": {"movies": domain} if sources else {},
            "target": {**domain, "notes": ["12 texts stood in both train and test; removed from train"]},
        },
        losses=losses,
        members=[member(seed, arm, target) for seed in ((0,) if bridge == "none" else (0, 1, 2))],
        cost={"seconds": 12.5 + target_steps, "rows_per_second": 410.2, "peak_memory_mb": 912.4},
        provenance={
            "softbridge": "0.1.0",
            "torch": "2.13.0",
            "transformers": "5.23.0",
            "python": "3.11.2",
            "commit": "abc1234",
            "platform": "Linux",
            "device": "cpu (AVX2)",
            "threads": 2,
        },
    )
    return replace(made, **changes)


def study(**changes) -> list[Record]:
    return [record(target, arm, **changes) for target in TARGETS for arm in ARMS]


def test_a_record_comes_back_as_it_was_written(tmp_path):
    made = record()
    path = append(tmp_path / "records", made)
    assert path.name == f"products-spot-{made.digest[:12]}.json"
    assert read([tmp_path]) == [made]


def test_the_same_result_is_kept_once_and_another_one_beside_it(tmp_path):
    first = append(tmp_path, record())
    before = first.read_bytes()
    assert append(tmp_path, record(created="2026-01-01T00:00:00+00:00")) == first
    assert first.read_bytes() == before, "the first record stands"
    second = append(tmp_path, record(cost={"seconds": 1.0, "rows_per_second": 2.0, "peak_memory_mb": 3.0}))
    assert second != first
    assert len(read([tmp_path])) == 2


def test_an_edited_record_is_not_written_over(tmp_path):
    path = append(tmp_path, record())
    path.write_text(replace(record(), target="other").to_json(), encoding="utf-8")
    with pytest.raises(StudyError, match="another result than its name says"):
        append(tmp_path, record())


def test_nothing_is_left_behind_when_writing_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        append(tmp_path, record())
    assert list(tmp_path.iterdir()) == []


def test_records_are_found_from_each_folder_and_counted_once(tmp_path):
    for name in ("one", "two"):
        append(tmp_path / name / "records", record(study=name))
    several = read([tmp_path])
    assert [found.study for found in several] == ["one", "two"]
    assert read([tmp_path / "one"]) == read([tmp_path / "one" / "records"]) == several[:1]
    assert read([tmp_path, tmp_path / "one", tmp_path / "two" / "records"]) == several


@pytest.mark.parametrize("cut", [0, 1, 500, -3])
def test_a_record_that_is_cut_off_is_refused_by_name(tmp_path, cut):
    append(tmp_path, record("news"))
    path = append(tmp_path, record())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StudyError, match="not complete JSON") as refused:
        read([tmp_path])
    assert path.name in refused.value.seen
    assert "run the study again" in refused.value.fix


def damaged(tmp_path, change):
    path = append(tmp_path, record())
    facts = json.loads(path.read_text(encoding="utf-8"))
    change(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(StudyError) as refused:
        read([tmp_path])
    assert path.name in refused.value.seen
    return refused.value


def test_a_record_of_a_newer_softbridge_is_refused_with_the_way_out(tmp_path):
    error = damaged(tmp_path, lambda facts: facts.update(schema=SCHEMA + 1, rounds=3))
    assert f"schema {SCHEMA + 1}" in error.seen
    assert "install the softbridge that wrote it" in error.fix


def test_a_record_that_lacks_or_adds_a_field_is_refused(tmp_path):
    assert "lacks the field 'arm'" in damaged(tmp_path / "a", lambda facts: facts.pop("arm")).seen
    assert "a field 'note'" in damaged(tmp_path / "b", lambda facts: facts.update(note="")).seen
    assert "something else than list" in damaged(tmp_path / "c", lambda facts: facts.update(members={})).seen
    assert "without 'last'" in damaged(tmp_path / "d", lambda facts: facts["members"][0].pop("last")).seen
    assert "no field 'schema'" in damaged(tmp_path / "e", lambda facts: facts.pop("schema")).seen


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "x.json").write_bytes(b'{"schema": 1, "study": "\xff"}')
    with pytest.raises(StudyError, match=r"x\.json is not UTF-8"):
        read([tmp_path])


def test_a_folder_without_records_says_so(tmp_path):
    with pytest.raises(StudyError, match="no records under"):
        read([tmp_path])
    with pytest.raises(StudyError, match="no folder"):
        read([tmp_path / "nowhere"])


def test_a_number_that_is_not_finite_is_written_as_null(tmp_path):
    text = append(tmp_path, record(cost={"seconds": float("nan"), "steps": [float("inf"), 1.0]})).read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert read([tmp_path])[0].cost == {"seconds": None, "steps": [None, 1.0]}


@pytest.mark.parametrize("name", ["../../etc", "<script>alert(1)</script>", "a/b\\c:d", "x" * 300, "电影", "..", ""])
def test_any_name_makes_one_safe_part_of_a_file_name(tmp_path, name):
    assert not set("/\\:<>") & set(slug(name))
    assert append(tmp_path, record(arm="spot", target="news", study=name)).parent == tmp_path
    path = append(tmp_path, replace(record(), arm=name))
    assert path.parent == tmp_path
    assert len(path.name) < 150
