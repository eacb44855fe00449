"""Score prompts on rows that are answered with free text: what the answer costs, and whether it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from accelerate import Accelerator

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows, cut
from softbridge.domains.answers import Answer
from softbridge.injection import Injection
from softbridge.losses.selfsupervised import surprise

LARGEST = 700.0  # what exp may be taken of
# A model's own files may ask for beams, for no word twice, or for a least length, which is not what it finds likeliest.
GREEDY = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "min_length": 0}


def costs(backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
    """Return each row's `-sum_t log p(a_t | P, x, a_<t)` over its answer's tokens, its end among them, `[B]`.

    Arguments:
        backbone: a backbone that writes.
        rows: B rows, each with the answer that it is asked for.
        prompt: what enters, for each row; or None.
    """
    count = torch.tensor([len(told) for told in rows.told], device=backbone.device)
    return surprise(*backbone.asked(rows, prompt), len(rows)) * count


def surprised(cost: np.ndarray, rows: Rows) -> dict[str, float]:
    """Return `loss`, the mean of `-log p` over all tokens of all answers, and `perplexity`, its exp.

    Arguments:
        cost: `[rows]` what each answer costs.
        rows: the rows.

    Example:
        >>> surprised(np.array([1.0, 5.0]), Rows([[1], [2]], [0, 0], [[3], [4, 5]]))["loss"]
        2.0
    """
    loss = float(cost.sum(dtype=np.float64)) / sum(map(len, rows.told))
    return {"loss": loss, "perplexity": math.exp(min(loss, LARGEST))}


def exact_match(
    backbone: Backbone,
    prompt: Injection | None,
    rows: Rows,
    wanted: Sequence[str],
    answer: Answer,
    positions: int,
    accelerator: Accelerator | None = None,
) -> float:
    """Return the share of rows whose answer is right as it is written greedily, 0..1.

    *Reference*: Rajpurkar, Zhang, Lopyrev, Liang. SQuAD: 100,000+ Questions for Machine Comprehension of Text. EMNLP
    2016 (exact match). Cobbe et al. Training Verifiers to Solve Math Word Problems. arXiv 2110.14168, 2021 (the number
    that an answer ends with).

    Arguments:
        backbone: a backbone that writes.
        prompt: the injection of one row, which all rows share; or None.
        rows: the rows; what they are asked for is not read.
        wanted: each row's right answer.
        answer: what of it is compared, and how much may be written.
        positions: rows times longest row that are written at once.
        accelerator: shares the rows among its processes.
    """
    length = answer.max_new_tokens + (prompt.length if prompt else 0)
    groups = list(cut([len(ids) + length for ids in rows.ids], positions))
    # Processes that share one model's weights write the same rows, token by token together.
    apart = accelerator is not None and not backbone.sharded
    index, count = (accelerator.process_index, accelerator.num_processes) if accelerator and apart else (0, 1)
    right = torch.zeros(len(rows))
    for group in groups[index::count]:
        batch = backbone.batch(rows.take(group))
        told = backbone.generate(batch, prompt, **GREEDY, max_new_tokens=answer.max_new_tokens)
        texts = backbone.tokenizer.batch_decode(told, skip_special_tokens=True)
        right[group] = torch.tensor(
            [answer.right(text, wanted[i]) for text, i in zip(texts, group, strict=True)]
        ).float()
    if count > 1 and accelerator:
        right = accelerator.reduce(right.to(accelerator.device), "sum").cpu()
    return float(right.mean())
