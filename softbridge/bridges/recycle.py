"""Prompt recycling: what maps the words of one model to those of another maps the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import paired_source, pairing
from softbridge.bridges.vocabularies import Pair
from softbridge.errors import BridgeError
from softbridge.injection import Injection

BATCH, EPOCHS, RATE = 50, 25, 3e-4  # of the network, as published


@dataclass(frozen=True)
class Recycle:
    """Map a prompt into another model's embedding space by what the shared words' embeddings tell; no data are needed.

    `linear`: `P_t = P_s Y`, `Y = argmin ||E_s Y - E_t||^2`. `combination`: `P_t = X^T E_t`,
    `X = argmin ||E_s^T X - P_s^T||^2`, the shortest such X. `network`: `P_t = g(P_s)`, g of one hidden layer of 4 H_t
    rectified units, trained to map `E_s` to `E_t`. `random` is the control: a random Y, whose rows keep the norm that
    `linear` gives.

    *Reference*: Lester, Yurtsever, Shakeri, Constant. Reducing Retraining by Recycling Parameter-Efficient Prompts.
    2022.

    Arguments:
        source: the source domain; left out, the target's own data on the other model, or the only one.
        form: the map.
        words: how many shared words it is learned from, at least 2.
        skip: how many of the most frequent shared words are left out: function words, and pieces of words.
        train: whether the prompt is trained on the target afterwards.
    """

    source: str | None = None
    form: Literal["linear", "combination", "network", "random"] = "linear"
    words: int = 4000
    skip: int = 1000
    train: bool = False

    def __post_init__(self) -> None:
        for name, low in (("words", 2), ("skip", 0)):
            if getattr(self, name) < low:
                raise BridgeError(f"{name} is {getattr(self, name)}", f"a whole number from {low}", f"raise {name}")

    name: ClassVar[str] = "recycle"
    reference: ClassVar[str] = (
        "Lester, Yurtsever, Shakeri, Constant. Reducing Retraining by Recycling Parameter-Efficient Prompts. 2022."
    )
    bibtex: ClassVar[str] = """@misc{lester2022recycling,
  title = {Reducing Retraining by Recycling Parameter-Efficient Prompts},
  author = {Lester, Brian and Yurtsever, Joshua and Shakeri, Siamak and Constant, Noah},
  year = {2022},
  eprint = {2208.05577},
  archivePrefix = {arXiv}
}"""
    averages: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (2,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the mapped prompt."""
        source, pair = paired_source(shore, self.source), pairing(shore).part(self.skip, self.words, 2)
        tokens = shore.sources[source].tokens
        assert tokens is not None
        made = self.mapped(tokens[0].float(), pair, shore.generator)
        note = f"from {source}, {self.form} over {len(pair.words)} shared words"
        return Crossing(Injection(made.unsqueeze(0)), (source,), note)

    def mapped(self, prompt: torch.Tensor, pair: Pair, generator: torch.Generator) -> torch.Tensor:
        """Return the prompt `[P, H_t]` that stands for `[P, H_s]`."""
        if self.form == "combination":
            return torch.linalg.lstsq(pair.source.T, prompt.T, driver="gelsd").solution.T @ pair.target
        if self.form == "network":
            return network(prompt, pair, generator)
        linear = prompt @ torch.linalg.lstsq(pair.source, pair.target, driver="gelsd").solution
        if self.form == "linear":
            return linear
        noise = prompt @ torch.randn(prompt.shape[1], pair.target.shape[1], generator=generator)
        return noise * linear.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)


def network(prompt: torch.Tensor, pair: Pair, generator: torch.Generator) -> torch.Tensor:
    """Return what a network that was trained to map shared words makes of a prompt."""
    wide, narrow = pair.source.shape[1], pair.target.shape[1]
    layers = [torch.nn.Linear(wide, 4 * narrow), torch.nn.Linear(4 * narrow, narrow)]
    for layer in layers:
        bound = layer.in_features**-0.5
        with torch.no_grad():
            layer.weight.copy_((torch.rand(layer.weight.shape, generator=generator) * 2 - 1) * bound)
            layer.bias.zero_()
    maps = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
    optimiser = torch.optim.Adam(maps.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(pair.words), generator=generator).split(BATCH):
            optimiser.zero_grad()
            (0.5 * torch.nn.functional.mse_loss(maps(pair.source[rows]), pair.target[rows])).backward()
            optimiser.step()
    with torch.no_grad():
        return maps(prompt)
