"""How far a student is from its teacher, row by row. The teacher's side carries no gradient."""

from __future__ import annotations

import torch
from torch.nn import functional


def divergence(teacher: torch.Tensor, student: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return `T^2 KL(softmax(teacher / T) || softmax(student / T))` of each row.

    Arguments:
        teacher: `[B, C]` scores.
        student: `[B, C]` scores.
        temperature: T, above 0.

    Returns:
        `[B]` in float32, from 0; 0 where both are the same.

    Example:
        >>> divergence(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 3.0]])).abs().item() < 1e-6
        True
    """
    told = (teacher.detach().float() / temperature).log_softmax(-1)
    said = (student.float() / temperature).log_softmax(-1)
    return temperature**2 * functional.kl_div(said, told, log_target=True, reduction="none").sum(-1)


def squared(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of each row.

    Arguments:
        teacher: `[B, H]`.
        student: `[B, H]`.

    Returns:
        `[B]` in float32.

    Example:
        >>> squared(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 2.0]])).tolist()
        [2.0]
    """
    return (student.float() - teacher.detach().float()).square().mean(-1)


def relative(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """Return `||h - h_t||^2 / ||h_t||^2` of each row: squared error in units of the teacher's own size.

    Arguments:
        teacher: `[B, H]`, no row of zeros.
        student: `[B, H]`.

    Returns:
        `[B]` in float32, from 0.

    Example:
        >>> relative(torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 9.0]])).tolist()
        [1.0]
    """
    told = teacher.detach().float()
    return (student.float() - told).square().sum(-1) / told.square().sum(-1)


def shifts(
    teacher: torch.Tensor,
    bare_teacher: torch.Tensor,
    student: torch.Tensor,
    bare_student: torch.Tensor,
    weight: float,
    temperature: float,
) -> torch.Tensor:
    """Return POST's `a T^2 KL(d_s || d_t) + (1 - a) T^2 KL(o_s || o_t)` of each row, d = scores with less without.

    *Reference*: Wang, Xu, Boenisch, Backes, Choquette-Choo, Dziedzic. Efficient and Privacy-Preserving Soft Prompt
    Transfer for LLMs. ICML 2025.

    Arguments:
        teacher: `[B, C]` the source model's scores with its prompt, o_s.
        bare_teacher: `[B, C]` its scores without.
        student: `[B, C]` the target model's scores with the prompt that is learned, o_t.
        bare_student: `[B, C]` its scores without.
        weight: a, 0 to 1.
        temperature: T, above 0.

    Returns:
        `[B]` in float32, from 0.
    """
    moved = divergence(teacher - bare_teacher, student - bare_student, temperature)
    return weight * moved + (1 - weight) * divergence(teacher, student, temperature)
