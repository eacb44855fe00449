"""One measured job in a process of its own: `python benchmarks/speed/job.py SIDE '{"backbone": "minilm-l6", ...}'`.

SIDE is `softbridge` or `trainer`. Both get the same rows, steps, batch, start of the prompt, optimiser and learning
rate. A row counts once for each time that a step reads it. The last line that is printed is the result as JSON.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch

LABELS = {
    "minilm-l6": {"negative": "negative sentiment", "positive": "positive sentiment"},
    "smollm2-135m": {"negative": " negative", "positive": " positive"},
}
ASKED = "\nSentiment:"  # what a causal model is asked, behind the text


@dataclass(frozen=True)
class Job:
    """Say what is measured.

    Arguments:
        backbone: a catalogue name of `LABELS`.
        data: the domain.
        rows: rows to learn from, half of each class, drawn by seed.
        test: held-out rows, half of each class.
        steps: optimiser steps; the first `warm` are not timed.
        batch: rows a step.
        length: virtual tokens.
        kind: soft, prefix or late.
        bank: prompts that are learned at once; softbridge only.
        sentences: sentences of one class that are joined to one text.
        vocabulary: size that the vocabulary is brought to; None leaves it.
        rate: the learning rate of AdamW.
        seed: draws rows, the prompt's start and the order.
        precision: of softbridge; `auto` is its default.
        settings: what Trainer is given beyond its defaults, `attention` and `weights` (the model's own precision).
    """

    backbone: str = "minilm-l6"
    data: str = "vader/movies"
    rows: int = 1024
    test: int = 400
    steps: int = 40
    warm: int = 3
    batch: int = 32
    length: int = 20
    kind: str = "soft"
    bank: int = 1
    sentences: int = 1
    vocabulary: int | None = None
    rate: float = 0.01
    seed: int = 0
    precision: str = "auto"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def causal(self) -> bool:
        """Say whether the backbone writes."""
        return self.backbone.startswith("smol")


@dataclass
class Data:
    """Hold texts and class indices to learn from and to test on."""

    train: list[str]
    labels: list[int]
    test: list[str]
    told: list[int]


def data_of(job: Job) -> Data:
    """Return the job's rows: half of each class, drawn by seed, in an order drawn by seed."""
    from softbridge.domains.domain import Domain
    from softbridge.study.opening import resolve

    opened = Domain(data=job.data, labels=LABELS[job.backbone]).open("movies", resolve)
    draw = random.Random(job.seed)
    parts = [picked(opened.train, job.rows, job, draw), picked(opened.test, job.test, job, random.Random(0))]
    return Data(*parts[0], *parts[1])


def picked(split: Any, count: int, job: Job, draw: random.Random) -> tuple[list[str], list[int]]:
    """Return texts and labels, `count / 2` of each class, shuffled."""
    texts, labels = split["text"][:], split["label"][:]
    made = []
    for y in (0, 1):
        mine = [text for text, label in zip(texts, labels, strict=True) if label == y]
        many = [draw.sample(mine, job.sentences) for _ in range(count // 2)] if job.sentences > 1 else None
        chosen = [" ".join(part) for part in many] if many else draw.sample(mine, count // 2)
        made += [(text + ASKED * job.causal, y) for text in chosen]
    draw.shuffle(made)
    return [text for text, _ in made], [y for _, y in made]


def load(job: Job, precision: str, attention: str = "auto") -> Any:
    """Return the job's backbone in softbridge, bound to its classes."""
    from softbridge.backbones.base import BackboneSpec
    from softbridge.study.materials import load_backbone

    longest = 512 - job.length if job.sentences > 1 else 128  # MiniLM has 512 places, the prompt's among them
    spec = BackboneSpec(job.backbone, max_length=longest, precision=precision, attention=attention, device="cpu")
    backbone = load_backbone(spec)
    if job.vocabulary:
        backbone.model.resize_token_embeddings(job.vocabulary, mean_resizing=False)
    backbone.bind(list(LABELS[job.backbone].values()))
    return backbone


def modules(job: Job, backbone: Any) -> list[Any]:
    """Return the bank's prompts at their start."""
    from softbridge.prompts.table import PROMPTS
    from softbridge.seeding import generator

    space = backbone.space()
    kind = PROMPTS[job.kind](length=job.length)
    return [kind.build(space, generator(job.seed + i, "speed")) for i in range(job.bank)]


def softbridge(job: Job) -> dict[str, Any]:
    """Learn with softbridge, and return what was seen."""
    from accelerate import Accelerator

    from softbridge.batch import Rows
    from softbridge.engine.loop import Member, Training
    from softbridge.engine.plan import Plan

    data, backbone = data_of(job), load(job, job.precision)
    rows = Rows(backbone.tokenise(data.train), data.labels)
    members = [Member(f"m{i}", job.seed + i, made, rows) for i, made in enumerate(modules(job, backbone))]
    plan = Plan(steps=job.steps, batch=job.batch, learning_rate=job.rate, evaluate_every=job.steps)
    seen: list[float] = []
    training = Training(backbone, members, plan, blind, Accelerator(cpu=True))
    training.watch = lambda *_: seen.append(time.perf_counter())
    trained = training.run()
    memory = peak_mb()
    ran = {"precision": backbone.describe()["precision"], "attention": backbone.describe()["attention"]}
    return timed(job, seen) | {"memory_mb": memory, "ran": ran} | score(job, data, [t.last for t in trained])


def blind(bank: Any, active: Any) -> dict[int, dict[str, float]]:
    """Look at no validation rows: Trainer does not either."""
    return {i: {"loss": 0.0, "accuracy": 0.0} for i in active}


def timed(job: Job, seen: list[float]) -> dict[str, Any]:
    """Return rows a second and milliseconds of the middle step, from the time after each step."""
    spent = seen[-1] - seen[job.warm - 1]
    each = sorted(b - a for a, b in zip(seen[job.warm - 1 :], seen[job.warm :], strict=False))
    rows = job.batch * job.bank * (len(seen) - job.warm)
    return {"rows_per_second": rows / spent, "middle_step_ms": 1000 * each[len(each) // 2]}


def score(job: Job, data: Data, prompts: list[Any]) -> dict[str, Any]:
    """Return each prompt's accuracy and loss on the held-out rows, by one scorer in float32 for both sides."""
    from softbridge.batch import Rows
    from softbridge.evaluation.evaluator import probabilities, scores
    from softbridge.prompts.bank import Bank
    from softbridge.prompts.held import HeldPrompt

    backbone = load(job, "float32", "sdpa")
    rows = Rows(backbone.tokenise(data.test), data.told)
    bank = Bank({str(i): HeldPrompt(prompt) for i, prompt in enumerate(prompts)})
    made = [
        scores(chances, data.told, ["accuracy"]) for chances in probabilities(backbone, bank, [rows] * len(prompts))
    ]
    return {"accuracy": [m["accuracy"] for m in made], "test_loss": [m["loss"] for m in made], "tokens": tokens(rows)}


def tokens(rows: Any) -> float:
    """Return the mean tokens of a text."""
    return sum(len(ids) for ids in rows.ids) / len(rows)


def peak_mb() -> float:
    """Return the most memory that this process held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    asked = Job(**json.loads(sys.argv[2]))
    torch.manual_seed(asked.seed)
    if sys.argv[1] == "trainer":
        from baseline import trainer

        print(json.dumps(trainer(asked)))
    else:
        print(json.dumps(softbridge(asked)))
