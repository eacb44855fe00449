"""Each labelled row's own gradient at a prompt."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows, cut
from softbridge.evaluation.answers import costs
from softbridge.evaluation.passes import pass_positions
from softbridge.injection import Injection
from softbridge.losses.supervised import cross_entropy

VIRTUAL = ("tokens", "keys", "values")


def row_gradients(backbone: Backbone, prompt: Injection, rows: Rows) -> Iterator[torch.Tensor]:
    """Yield `d(-log p(y | x)) / d vectors` of each row, in passes of similar length.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        prompt: a baked prompt of one row, with virtual tokens.
        rows: labelled rows.

    Yields:
        `[B, P, H]` on the backbone's device: by virtual token, as `Injection.vectors` has them.
    """
    prompt = prompt.each(lambda part: part.to(backbone.device))
    lengths = [rows.length(i) + prompt.slots for i in range(len(rows))]
    for group in cut(lengths, pass_positions(backbone.device, bool(rows.told))):
        some = rows.take(group)
        entering = prompt.pick(torch.zeros(len(group), dtype=torch.long, device=backbone.device))
        # Each row has a copy of its own, so one backward pass gives every row's gradient apart.
        copies = {name: part.detach().requires_grad_() for name, part in entering.parts.items() if name in VIRTUAL}
        copied = Injection(**{**entering.parts, **copies}, block=entering.block)
        if some.told:
            losses = costs(backbone, some, copied)
        else:
            batch = backbone.batch(some)
            losses = cross_entropy(backbone.score(batch, copied), batch.labels)
        found = torch.autograd.grad(losses.sum(), list(copies.values()))
        yield Injection(**dict(zip(copies, found, strict=True)), block=0).vectors()
