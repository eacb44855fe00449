"""Compare two prompts by the neurons that they switch on in the backbone.

What two prompts make a model do may be alike where their numbers are not; which neurons of the feed-forward layers are
on at one and the same token is Su et al.'s picture of it.
"""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from softbridge.shapes import check


def neuron_overlap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the cosine of which neurons are on: `cos(1[a > 0], 1[b > 0])`, all layers one after the other (ON).

    With A and B the sets of neurons that are on, it is `|A and B| / sqrt(|A| |B|)`. In a gated layer (SwiGLU, GeGLU)
    the sign of the gate says what is on: the paper has no such layers, so that reading is softbridge's own.

    *Reference*: Su et al. On Transferability of Prompt Tuning for Natural Language Processing. NAACL 2022.

    Arguments:
        a: `[K, F]` the activations of K layers' neurons at one token, under one prompt.
        b: `[K, F]` the same under the other prompt.

    Returns:
        A scalar in 0..1; 0 where a prompt switches nothing on.

    Raises:
        PromptError: when the activations are not matrices of one shape.

    Example:
        >>> neuron_overlap(torch.tensor([[0.1, -1.0], [2.0, -3.0]]), torch.tensor([[5.0, 0.0], [-1.0, -1.0]]))
        tensor(0.7071)
    """
    check(b, "K F", "the second prompt's activations", **check(a, "K F", "the first prompt's activations"))
    on, other = (normalize((part > 0).float().flatten(), dim=0) for part in (a, b))
    return (on @ other).clamp(max=1.0)
