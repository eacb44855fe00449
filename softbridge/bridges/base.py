"""The contract of a bridge: from source prompts to the prompt that starts on the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Protocol, runtime_checkable

import torch

from softbridge.bridges.vocabularies import Pair
from softbridge.engine.step import Term
from softbridge.errors import BridgeError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule


def _one_model(*_: object) -> Any:
    """Refuse what needs two models."""
    raise BridgeError("there is one backbone", "a source_backbone beside it", "write source_backbone: {name: ...}")


def _no_stages(*_: object) -> NoReturn:
    """Refuse what needs a study's stages."""
    raise BridgeError("this shore has no stages", "the shore of a study", "run the bridge in a study")


@dataclass(frozen=True)
class Pupil:
    """Hold one task's prompt among several that share parameters, and what is added to the task's loss.

    Arguments:
        prompt: the prompt, at its start.
        term: the term, or None.
    """

    prompt: PromptModule
    term: Term | None = None


class Together(Protocol):
    """Describe how prompts that share parameters learn together, one a task.

    `sampling` says whether each step draws its tasks, instead of reading all of them; `cap` how many rows a task counts
    for at most where they are drawn by size.
    """

    @property
    def sampling(self) -> bool:
        """Return whether each step draws its tasks."""
        ...

    @property
    def cap(self) -> int:
        """Return the most rows that a task counts for."""
        ...

    def gather(
        self, begun: Injection, known: Mapping[str, Mapping[str, Injection]], generator: torch.Generator
    ) -> Mapping[str, Pupil]:
        """Return one seed's pupils by task, from a fresh prompt and the source prompts that each task may read."""
        ...


@dataclass(frozen=True)
class Joined:
    """Hold what one seed's prompts came to that learned together.

    Arguments:
        prompts: each task's prompt, as validation chose them.
        result: the stage's result, for records.
        note: what validation said, for people.
    """

    prompts: Mapping[str, PromptModule]
    result: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Abroad:
    """Hold what was learned on one of several source models.

    Arguments:
        sources: each source domain's prompt there.
        pair: the words that the model shares with the target's.
    """

    sources: Mapping[str, Injection]
    pair: Pair


@dataclass(frozen=True)
class Shore:
    """Hold what one seed's crossing may look at. The heavy things are asked for, not handed over.

    Arguments:
        sources: each source domain's prompt, baked, as validation on the source chose it.
        embeddings: each source domain's prompt after its last step: its task embedding.
        fresh: returns a new prompt, started as the recipe's prompt says.
        embed_target: trains a fresh prompt on the target at the plan's fixed steps, and returns it: the target's
            task embedding.
        generator: draws what the bridge draws.
        other: returns a new prompt with another start than the one that all prompts of this seed share.
        snapshots: each source domain's prompts at its looks at validation, oldest first.
        losses: the target's validation loss with each of several prompts.
        adapted: trains on the target from a source's prompt, and returns the prompt that validation chose with its
            validation loss; the same as the bridge `spot` from that source.
        mixture: trains one fresh prompt on the rows of several sources.
        pair: returns the words that the source model and the target model share; None where they are one model.
        further: returns what was learned on the other source models, where there are several; `sources` and `pair` are
            of the first.
        own: the source domain that is the target's own data, learned on the other model; None where there is none.
        native: a source domain's prompt that was learned on the target's model.
        tune: trains what prompts by domain share on the domains' rows and the target's model, for some steps at a rate.
        match: trains a prompt to change the target model's answers as a source prompt changes the source model's, and
            returns the loss before and after.
        together: trains prompts that share parameters, one a source, on the rows of all sources; each source reads the
            prompt that was learned on it alone.
        abreast: trains prompts that share parameters, one a target of the study, on the rows of all targets, and
            returns this target's; each target reads the sources that the bridge may read there.
    """

    sources: Mapping[str, Injection]
    embeddings: Mapping[str, Injection]
    fresh: Callable[[], PromptModule]
    embed_target: Callable[[], Injection]
    generator: torch.Generator
    other: Callable[[], PromptModule]
    snapshots: Callable[[str], Sequence[Injection]]
    losses: Callable[[Sequence[Injection]], list[float]]
    adapted: Callable[[str], tuple[Injection, float]]
    mixture: Callable[[Sequence[str]], Injection]
    pair: Callable[[], Pair] | None = None
    further: Callable[[], Sequence[Abroad]] = list
    own: str | None = None
    native: Callable[[str], Injection] = _one_model
    tune: Callable[[Mapping[str, PromptModule], int, float], None] = _one_model
    match: Callable[[PromptModule, Injection, Any], tuple[float, float]] = _one_model
    together: Callable[[Together], Joined] = _no_stages
    abreast: Callable[[Together], Joined] = _no_stages


@dataclass(frozen=True)
class Crossing:
    """Hold what a bridge made.

    Arguments:
        start: the prompt that stands on the target: a baked one, from which the recipe's kind of prompt goes on, or a
            module that trains as it is; None for no prompt at all.
        parents: the source domains that it came from.
        note: what was chosen and why, for people.
        term: what is added to the loss of each row on the target.
        joint: the result of a training on several domains that the bridge made of its own, for records.
    """

    start: Injection | PromptModule | None
    parents: tuple[str, ...] = ()
    note: str = ""
    term: Term | None = None
    joint: Mapping[str, Any] | None = None


@runtime_checkable
class Bridge(Protocol):
    """Describe a bridge: a frozen dataclass whose fields are the recipe's keys.

    `trains` says whether the prompt is trained on the target, `reads_sources` whether source prompts are needed,
    `embeds_target` whether the target's task embedding may be asked for, `tokens_only` whether source prompts must be
    virtual tokens at the input and nothing else, `reads_rows` (False where a bridge does not have it) whether more of a
    source is read than its prompts: its rows, or its looks at validation; `starts` (False as well) whether it makes a
    start and no more, from which the recipe's kind of prompt goes on: such arms may train in one bank; `classes_only`
    (False as well) whether it works on the scores of classes, or mixes a prompt for each text, so that there is none
    for free answers; `models` between how many models it stands: 1, 2, or either; `every_model` (False as well) whether
    it reads all of several source models; `fit`, where there is one, refuses what is too large before anything trains.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    bibtex: ClassVar[str]
    models: ClassVar[tuple[int, ...]]
    reads_sources: ClassVar[bool]
    tokens_only: ClassVar[bool]

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        ...

    def embeds_target(self, sources: int) -> bool:
        """Say whether the target's task embedding is asked for, given the number of sources."""
        ...

    def cross(self, shore: Shore) -> Crossing:
        """Return what stands on the target at step 0."""
        ...
