"""A projector between two models, learned on tasks that both know, and used on one that only the source knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import paired_source
from softbridge.errors import BridgeError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule

LARGEST = 50_000_000  # weights that are built without being asked for


@dataclass(frozen=True)
class Projector:
    """Carry a prompt through a network that was trained on the other source domains.

    `P~ = Proj(P_s)`, `Proj(x) = W2 LeakyReLU(W1 x + b1) + b2`, on each token, or on all tokens as one vector.
    `distance`: `min ||Proj(P_s) - P_t||^2` over domains whose prompt was learned on both models. `tuning`:
    `min CE(f_t([Proj(P_s); E(x)]), y)` on the domains' labelled rows; the target model is frozen.

    *Reference*: Su et al. On Transferability of Prompt Tuning for Natural Language Processing. NAACL 2022.

    Arguments:
        source: the source domain; left out, the target's own data on the other model, or the only one. It is not among
            those that the projector learns from, if there are others.
        form: how the projector learns.
        flat: whether all tokens go in as one vector, as in the paper, instead of each by itself.
        width: of the hidden layer, from 1.
        steps: steps of Adam.
        rate: its learning rate.
        large: whether more than 50 million weights may be built.
        train: whether the prompt is trained on the target afterwards.
    """

    source: str | None = None
    form: Literal["distance", "tuning"] = "distance"
    flat: bool = False
    width: int = 768
    steps: int = 200
    rate: float = 1e-3
    large: bool = False
    train: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "steps"):
            if getattr(self, name) < 1:
                raise BridgeError(f"{name} is {getattr(self, name)}", "a whole number from 1", f"raise {name}")

    name: ClassVar[str] = "projector"
    reference: ClassVar[str] = (
        "Su et al. On Transferability of Prompt Tuning for Natural Language Processing. NAACL 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{su2022transferability,
  title = {On Transferability of Prompt Tuning for Natural Language Processing},
  author = {Su, Yusheng and Wang, Xiaozhi and Qin, Yujia and Chan, Chi-Min and Lin, Yankai and others},
  booktitle = {Proceedings of NAACL},
  year = {2022}
}"""
    averages: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (2,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    reads_rows: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True
    classes_only: ClassVar[bool] = True

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the projected prompt."""
        source, begun = paired_source(shore, self.source), shore.fresh().bake()
        names = [name for name in shore.sources if name not in (source, shore.own)]
        if not names:
            raise BridgeError(
                f"{source} is the only source", "other domains to learn the projector on", "add sources to the recipe"
            )
        net = self.built(shore.sources[source], begun, shore.generator)
        modules = {name: Projected(net, shore.sources[name]) for name in (*names, source)}
        if self.form == "distance":
            self.approach({name: modules[name] for name in names}, {name: shore.native(name) for name in names})
        else:
            shore.tune({name: modules[name] for name in names}, self.steps, self.rate)
        note = (
            f"from {source}, {self.form} on {' and '.join(names)}, {sum(p.numel() for p in net.parameters()):,} weights"
        )
        return Crossing(modules[source].bake(), (source,), note)

    def fit(self, source: int, target: int, length: int) -> None:
        """Refuse what is too large between models of two widths.

        Arguments:
            source: the source model's width, from 1.
            target: the target model's width, from 1.
            length: how many tokens a prompt has, from 1.

        Raises:
            BridgeError: when it is large, and that was not asked for.
        """
        tokens = length if self.flat else 1
        self.refuse_large(tokens * source, tokens * target)

    def refuse_large(self, into: int, out: int) -> None:
        """Refuse a network of more weights than are asked for.

        Arguments:
            into: the width of what goes in, from 1.
            out: the width of what comes out, from 1.

        Raises:
            BridgeError: when it is large, and that was not asked for.
        """
        size = self.width * (into + out + 1) + out
        if size > LARGEST and not self.large:
            layers = f"{into:,} -> {self.width:,} -> {out:,}"
            raise BridgeError(
                f"the projector {layers} has {size:,} weights ({size * 4 / 2**20:,.0f} MiB)",
                f"at most {LARGEST:,}",
                "leave `flat` out, choose a smaller width, or write large: true",
            )

    def built(self, source: Injection, target: Injection, generator: torch.Generator) -> torch.nn.Sequential:
        """Return a new network.

        Raises:
            BridgeError: when it is large, and that was not asked for.
        """
        assert source.tokens is not None
        assert target.tokens is not None
        into, out = (t[0].numel() if self.flat else t.shape[-1] for t in (source.tokens, target.tokens))
        self.refuse_large(into, out)
        first, last = torch.nn.Linear(into, self.width), torch.nn.Linear(self.width, out)
        for layer in (first, last):
            with torch.no_grad():
                layer.weight.normal_(std=layer.in_features**-0.5, generator=generator)
                layer.bias.zero_()
        return torch.nn.Sequential(first, torch.nn.LeakyReLU(), last)

    def approach(self, modules: Mapping[str, Projected], wanted: Mapping[str, Injection]) -> None:
        """Train until the projected prompts are near those that were learned on the target model."""
        optimiser = torch.optim.Adam(next(iter(modules.values())).parameters(), lr=self.rate)
        for _ in range(self.steps):
            optimiser.zero_grad()
            far = [(module().tokens - wanted[name].tokens).square().sum() for name, module in modules.items()]  # type: ignore[operator]
            torch.stack(far).mean().backward()
            optimiser.step()


class Projected(PromptModule):
    """Hold a network that other prompts share, and the source prompt that goes through it.

    Arguments:
        net: the network.
        source: the source prompt, of one row.
    """

    def __init__(self, net: torch.nn.Sequential, source: Injection) -> None:
        super().__init__()
        assert source.tokens is not None
        self.net = net
        self.register_buffer("source", source.tokens.detach().float().clone())

    def forward(self) -> Injection:
        """Return the projected prompt."""
        source: torch.Tensor = self.get_buffer("source")
        first: torch.nn.Linear = self.net[0]  # type: ignore[assignment]
        if first.in_features == source.shape[-1]:
            return Injection(self.net(source))
        return Injection(self.net(source.flatten()).view(1, source.shape[1], -1))
