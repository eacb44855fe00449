"""Compare two domains by how they would move one and the same prompt: nothing has to be trained first.

Both domains' gradients are taken at the same prompt, or the numbers mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch.nn.functional import cosine_similarity

from softbridge.errors import PromptError
from softbridge.shapes import check


@dataclass(frozen=True)
class Gradients:
    """Hold what the labelled rows of a domain do to a prompt, `g_m = d(-log p(y_m | x_m)) / d prompt`.

    Arguments:
        mean: `[P, H]` the mean of g over the rows.
        square: `[P, H]` the mean of g^2 over the rows: the diagonal of the empirical Fisher information.
    """

    mean: torch.Tensor
    square: torch.Tensor


def gathered(parts: Iterable[torch.Tensor]) -> Gradients:
    """Return the means over all rows of gradients that come in parts.

    Arguments:
        parts: `[B, P, H]` each row's gradient, of any number of rows a part.

    Raises:
        PromptError: when there is no row.

    Example:
        >>> found = gathered([torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[3.0, 2.0]], [[2.0, 1.0]]])])
        >>> found.mean.tolist(), [round(x, 4) for x in found.square[0].tolist()]
        ([[2.0, 1.0]], [4.6667, 1.6667])
    """
    rows, total, squares = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        rows += len(part)
        total, squares = total + part.float().sum(0), squares + part.float().square().sum(0)
    if not rows:
        raise PromptError("there are no labelled rows to take gradients on", "at least one", "give the domain some")
    return Gradients(total / rows, squares / rows)


def gradient_cosine(a: Gradients, b: Gradients) -> torch.Tensor:
    """Return the cosine of the mean gradients: whether a step on one domain is a step on the other.

    *Reference*: Yu, Kumar, Gupta, Levine, Hausman, Finn. Gradient Surgery for Multi-Task Learning. NeurIPS 2020.

    Arguments:
        a: one domain's gradients.
        b: the other's, at the same prompt.

    Returns:
        A scalar in -1..1; 0 where a mean gradient is zero.

    Raises:
        PromptError: when they are of prompts of different shapes.

    Example:
        >>> one = gathered([torch.tensor([[[1.0, 0.0]]])])
        >>> gradient_cosine(one, Gradients(-one.mean, one.square))
        tensor(-1.)
    """
    return _cosine(a.mean, b.mean)


def fisher_cosine(a: Gradients, b: Gradients) -> torch.Tensor:
    """Return the cosine of the diagonals of the Fisher information: whether both domains need the same directions.

    *Reference*: Vu, Wang, Munkhdalai, Sordoni, Trischler, Mattarella-Micke, Maji, Iyyer. Exploring and Predicting
    Transferability across NLP Tasks. EMNLP 2020.

    Arguments:
        a: one domain's gradients.
        b: the other's, at the same prompt.

    Returns:
        A scalar in 0..1.

    Raises:
        PromptError: when they are of prompts of different shapes.

    Example:
        >>> one, other = (Gradients(torch.zeros(1, 2), torch.tensor([f])) for f in ([1.0, 0.0], [1.0, 1.0]))
        >>> fisher_cosine(one, other)
        tensor(0.7071)
    """
    return _cosine(a.square, b.square)


def task2vec_cosine(a: Gradients, b: Gradients) -> torch.Tensor:
    """Return `cos(F_a / (F_a + F_b), F_b / (F_a + F_b))` of the Fisher diagonals: each element counts alike.

    In the plain cosine the few largest elements decide.

    *Reference*: Achille, Lam, Tewari, Ravichandran, Maji, Fowlkes, Soatto, Perona. Task2Vec: Task Embedding for
    Meta-Learning. ICCV 2019.

    Arguments:
        a: one domain's gradients.
        b: the other's, at the same prompt.

    Returns:
        A scalar in 0..1; an element that is zero in both counts nothing.

    Raises:
        PromptError: when they are of prompts of different shapes.

    Example:
        >>> one, other = (Gradients(torch.zeros(1, 2), torch.tensor([f])) for f in ([1.0, 300.0], [3.0, 100.0]))
        >>> task2vec_cosine(one, other)
        tensor(0.6000)
    """
    _check_alike(a.square, b.square)
    both = (a.square + b.square).clamp_min(torch.finfo(torch.float32).tiny)
    return _cosine(a.square / both, b.square / both)


def _cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the cosine of two domains' gradients; a zero one is like nothing."""
    _check_alike(a, b)
    return cosine_similarity(a.double().flatten(), b.double().flatten(), dim=0, eps=1e-150).clamp(-1.0, 1.0).float()


def _check_alike(a: torch.Tensor, b: torch.Tensor) -> None:
    """Refuse gradients of prompts of different shapes."""
    check(b, "P H", "the second domain's gradient", **check(a, "P H", "the first domain's gradient"))
