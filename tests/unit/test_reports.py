"""Reports: numbers, words, tables and the page, from records that a small factory makes up."""

from __future__ import annotations

import random
from dataclasses import replace

from softbridge.records import Record

BIBTEX = "@inproceedings{vu2022spot,\n  title = {{SPoT}: Better Frozen Model Adaptation through Soft Prompt Transfer},\n  year = {2022}\n}"
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
        history.append({
            "step": step, "epoch": step / 4, "train_loss": 1.2 - level + noise.gauss(0, 0.02) if step else None,
            "validation": {"loss": 1.25 - level + 0.002 * max(0, step - 16), "accuracy": level}, "learning_rate": 0.01,
        })
    best = {"step": max(0, steps - 4), "test": scores(end + shift, noise), "validation": {"loss": 0.45, "accuracy": end}}
    last = {**best, "step": steps, "test": scores(end + shift - 0.004, noise)} if steps else best
    prompt = f"stages/adapt-{target}-0123/prompts/{seed}" if bridge != "none" else None
    return {"seed": seed, "best": best, "last": last, "history": history if steps else [], "prompt": prompt, "stopped": None}


def record(target: str = "products", arm: str = "spot", **changes) -> Record:
    bridge, source_steps, target_steps, _, _, bibtex = ARMS[arm]
    sources = ["movies"] if source_steps else []
    domain = {"fingerprint": "9f" * 32, "sizes": {"train": 2100, "validation": 230, "test": 583, "unlabelled": 800}, "notes": []}
    losses = [{"stage": "extract", "name": "L_fine", "term": "cross_entropy", "domain": "movies", "M": 16, "steps": 80,
               "first": 0.6931, "last": 0.4377}] if sources else []
    if target_steps:
        losses += [{"stage": "adapt", "name": "L_fine", "term": "cross_entropy", "domain": target, "M": 16,
                    "steps": target_steps, "first": 0.61, "last": 0.39}]
    made = Record(
        study="quickstart", status="done", created="2025-01-02T03:04:05+00:00",
        recipe={"name": "quickstart", "seeds": [0, 1, 2], "backbone": {"name": "minilm-l6", "temperature": 0.05},
                "sources": {"movies": {"data": "vader/movies"}}, "targets": {t: {"data": f"vader/{t}"} for t in TARGETS},
                "shots": 32, "arms": {name: {"bridge": facts[0]} for name, facts in ARMS.items()}},
        recipe_digest="5d" * 32, target=target, arm=arm,
        bridge={"name": bridge, "reference": f"what {bridge} refers to", "bibtex": bibtex}, sources=sources,
        backbone={"name": "minilm-l6", "hub_id": "sentence-transformers/all-MiniLM-L6-v2", "revision": "c9745ed", "kind": "sentence",
                  "parameters": 22713216, "precision": "float32", "attention": "sdpa"},
        prompt={"kind": "soft", "length": 8, "parameters": 3072},
        budget={"source_steps": source_steps, "target_steps": target_steps, "batch": 16, "rows_seen": 16 * (source_steps + target_steps)},
        chosen_by={"split": "validation", "metric": "loss"},
        data={"source": {"movies": domain} if sources else {}, "target": {**domain, "notes": ["12 texts stood in both train and test; removed from train"]}},
        losses=losses, members=[member(seed, arm, target) for seed in ((0,) if bridge == "none" else (0, 1, 2))],
        cost={"seconds": 12.5 + target_steps, "rows_per_second": 410.2, "peak_memory_mb": 912.4},
        provenance={"softbridge": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "python": "3.11.2", "commit": "abc1234",
                    "platform": "Linux", "device": "cpu (AVX2)", "threads": 2},
    )
    return replace(made, **changes)


def study(**changes) -> list[Record]:
    return [record(target, arm, **changes) for target in TARGETS for arm in ARMS]
