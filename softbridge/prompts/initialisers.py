"""Choose a soft prompt's first values, at the scale of the backbone's own embeddings.

Absolute scales do not carry between model families (a released T5 prompt has elements of standard deviation 52, a
BERT embedding of 0.05), so every initialiser brings its result to `scale` times the root mean square of the table.

`INITIALISERS` holds what a recipe can name. `given` is not among them: a recipe cannot write a tensor down, a bridge
hands it over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.shapes import check

COMMON = 5000  # Lester et al. (2021) sample from as many of the commonest tokens

Init = Literal["vocabulary", "text", "labels", "random", "design"]

Initialiser = Callable[..., torch.Tensor]  # (space, length, generator, *, scale), and `text` for two of them


class Begun(Protocol):
    """Describe a kind of prompt whose tokens start from an initialiser."""

    @property
    def length(self) -> int: ...
    @property
    def init(self) -> Init: ...
    @property
    def text(self) -> str | None: ...
    @property
    def scale(self) -> float: ...


def require(kind: Begun) -> None:
    """Raise PromptError where a kind's length, text or scale does not do."""
    if kind.length < 1:
        raise PromptError(f"a prompt's length is {kind.length}", "a whole number from 1", "write length: 20")
    if kind.init == "text" and not kind.text:
        raise PromptError("init is 'text' but there is no text", "the text to start from", "add text: '...'")
    if not kind.scale > 0:
        raise PromptError(f"scale is {kind.scale}", "a number above 0", "write scale: 1.0")


def begin(kind: Begun, space: Space, generator: torch.Generator) -> torch.Tensor:
    """Return the tokens `[P, H]` that a kind's `init`, `text` and `scale` ask for."""
    extra = {"text": kind.text} if kind.init in ("text", "design") else {}
    return INITIALISERS[kind.init](space, kind.length, generator, scale=kind.scale, **extra)


def rms(values: torch.Tensor) -> torch.Tensor:
    """Return the root mean square of all elements, `sqrt(1/n * sum_i x_i^2)`.

    Arguments:
        values: a tensor of any shape.

    Returns:
        A scalar in float32.

    Example:
        >>> rms(torch.tensor([[3.0, 4.0], [3.0, 4.0]]))
        tensor(3.5355)
    """
    return values.detach().float().square().mean().sqrt()  # a vector norm loses 0.4 % on a large table


def vocabulary(space: Space, length: int, generator: torch.Generator, *, scale: float = 1.0) -> torch.Tensor:
    """Take the embeddings of P common tokens drawn by chance: `P = c * E[i_1..i_P]`, i from the 5000 commonest.

    The tokens are all different where the backbone has enough of them (Lester et al. 2021, section 3.2).

    Arguments:
        space: the backbone's space, with at least one common token.
        length: P, from 1.
        generator: draws the tokens.
        scale: the result's RMS over the table's, above 0.

    Returns:
        `[P, H]` in float32 with `rms(result) = scale * rms(E)`.

    Raises:
        PromptError: when the length, the scale or the space does not do.

    Example:
        >>> space = Space(torch.eye(4), tokenise=lambda text: [0], common=[2, 3])
        >>> sorted(vocabulary(space, 2, torch.Generator().manual_seed(0)).argmax(1).tolist())
        [2, 3]
    """
    return _scaled(_sample(space, length, generator), space, length, scale)


def text(
    space: Space, length: int, generator: torch.Generator, *, text: str | None = None, scale: float = 1.0
) -> torch.Tensor:
    """Take the embeddings of a text's tokens, repeated or cut to P: `P = c * E[t_(j mod n)], j = 0..P-1`.

    Arguments:
        space: the backbone's space.
        length: P, from 1.
        generator: not read.
        text: the text, with at least one token.
        scale: the result's RMS over the table's, above 0.

    Returns:
        `[P, H]` in float32 with `rms(result) = scale * rms(E)`.

    Raises:
        PromptError: when there is no text, or the length or the scale does not do.

    Example:
        >>> space = Space(torch.eye(3), tokenise=lambda text: [len(word) for word in text.split()], common=[0])
        >>> text(space, 3, torch.Generator(), text="a is").argmax(1).tolist()
        [1, 2, 1]
    """
    ids = _token_ids(space, text, "the initialiser 'text'", "write text: with the words the prompt should start from")
    repeated = [ids[j % len(ids)] for j in range(length)]
    return _scaled(_rows(space, repeated), space, length, scale)


def design(
    space: Space, length: int, generator: torch.Generator, *, text: str | None = None, scale: float = 1.0
) -> torch.Tensor:
    """Take the embeddings of a designed text's tokens, as `text` does; a study's stage `design` finds the text.

    Raises:
        PromptError: when no text was designed, or as `text` does.
    """
    if text is None:
        raise PromptError(
            "init is 'design', and no text was designed",
            "a recipe, whose stage design finds the text from the domains",
            "run a recipe with prompt: {init: design}; or find a text with `softbridge design`, and write init: text",
        )
    return _from_text(space, length, generator, text=text, scale=scale)


def labels(space: Space, length: int, generator: torch.Generator, *, scale: float = 1.0) -> torch.Tensor:
    """Take one row per label, the mean of its tokens' embeddings, and common tokens for the rest.

    `P = c * [mean E[t_1]; ..; mean E[t_C]; E[i_(C+1)..i_P]]`, t_j the tokens of label j, i drawn as `vocabulary`
    does (Lester et al. 2021, section 3.2).

    Arguments:
        space: the backbone's space, with the labels C, each of at least one token.
        length: P, from C.
        generator: draws the tokens of the rest.
        scale: the result's RMS over the table's, above 0.

    Returns:
        `[P, H]` in float32 with `rms(result) = scale * rms(E)`.

    Raises:
        PromptError: when there are no labels, or more than rows, or the scale does not do.

    Example:
        >>> ids = {"bad": [0], "very good": [1, 2]}
        >>> space = Space(torch.eye(4), tokenise=ids.get, common=[3], labels=("bad", "very good"))
        >>> labels(space, 3, torch.Generator()).argmax(1).tolist()
        [0, 1, 3]
    """
    count = len(space.labels)
    if not 0 < count <= length:
        raise PromptError(
            f"the initialiser 'labels' has {count} label words for a prompt of length {length}",
            "at least one label word, and a row of the prompt for each",
            f"write length: {count} or more, or choose another init" if count else "give the target labels",
        )
    fix = "write label words that the backbone's tokenizer knows"
    means = [_rows(space, _token_ids(space, word, "a label", fix)).mean(0) for word in space.labels]
    rest = [_sample(space, length - count, generator)] if length > count else []
    return _scaled(torch.cat([torch.stack(means), *rest]), space, length, scale)


def random(space: Space, length: int, generator: torch.Generator, *, scale: float = 1.0) -> torch.Tensor:
    """Draw every element from a normal distribution of the table's RMS: `P = c * Z`, Z standard normal.

    Arguments:
        space: the backbone's space.
        length: P, from 1.
        generator: draws the elements.
        scale: the result's RMS over the table's, above 0.

    Returns:
        `[P, H]` in float32 with `rms(result) = scale * rms(E)`.

    Raises:
        PromptError: when the length or the scale does not do.

    Example:
        >>> space = Space(2 * torch.ones(3, 8), tokenise=lambda text: [0], common=[0])
        >>> round(rms(random(space, 5, torch.Generator().manual_seed(0), scale=0.5)).item(), 5)
        1.0
    """
    drawn = torch.randn(max(length, 0), space.width, generator=generator)
    return _scaled(drawn.to(space.table.device), space, length, scale)


def given(start: Injection, space: Space) -> torch.Tensor:
    """Take a given prompt's virtual tokens as they are: `P = value`, without rescaling.

    Arguments:
        start: a baked prompt of one row, with finite tokens `[1, P, H]` that enter at the input.
        space: the backbone's space.

    Returns:
        `[P, H]` in float32, a copy.

    Raises:
        PromptError: when there are no such tokens, the width is another or an element is not finite.

    Example:
        >>> space = Space(torch.ones(3, 2), tokenise=lambda text: [0], common=[0])
        >>> given(Injection(torch.tensor([[[3.0, 4.0]]])), space)
        tensor([[3., 4.]])
    """
    if start.tokens is None or start.block:
        where = (
            f"virtual tokens before block {start.block}" if start.tokens is not None else f"{', '.join(start.parts)}"
        )
        raise PromptError(
            f"the given prompt has {where}",
            "virtual tokens that enter at the input",
            "start from a prompt of the same kind, or train from scratch",
        )
    check(start.tokens, "B P H", "the given prompt", B=1, H=space.width)
    if not torch.isfinite(start.tokens).all():
        raise PromptError(
            "the given prompt holds NaN or infinite elements",
            "finite elements",
            "take the prompt of a run that did not diverge, or lower the learning rate",
        )
    return start.tokens[0].detach().to(torch.float32, copy=True)


def _rows(space: Space, ids: Sequence[int]) -> torch.Tensor:
    """Return the table's rows `[n, H]` in float32."""
    return space.table.detach()[torch.as_tensor(ids, dtype=torch.long)].float()


def common_ids(space: Space, count: int, generator: torch.Generator) -> list[int]:
    """Return common tokens drawn by chance, different ones where there are enough."""
    common = space.common[:COMMON]
    if not common:
        raise PromptError(
            "the backbone names no common tokens to sample from",
            "at least one token id of an ordinary word",
            "choose init: random, or init: text with a text",
        )
    if count <= len(common):
        chosen = torch.randperm(len(common), generator=generator)[: max(count, 0)]
    else:
        chosen = torch.randint(len(common), (count,), generator=generator)
    return [common[i] for i in chosen.tolist()]


def _sample(space: Space, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return the rows `[count, H]` of common tokens drawn by chance."""
    return _rows(space, common_ids(space, count, generator))


def _token_ids(space: Space, words: str | None, what: str, fix: str) -> list[int]:
    """Return the token ids of the words, at least one."""
    ids = space.tokenise(words) if words else []
    if not ids:
        raise PromptError(f"{what} has the text {words!r}, which holds no token", "a text of at least one token", fix)
    return ids


def _scaled(values: torch.Tensor, space: Space, length: int, scale: float) -> torch.Tensor:
    """Return the values brought to `scale * rms(table)`."""
    if length < 1 or not scale > 0:
        raise PromptError(
            f"a prompt of length {length} and scale {scale}",
            "a length of at least 1 and a scale above 0",
            "write length: 20 and scale: 1.0",
        )
    size = rms(values)
    if not 0 < size < torch.inf:
        raise PromptError(
            f"the first values have the root mean square {size.item()}",
            "a finite size above 0, which can be brought to the embeddings' scale",
            "choose another text, or init: vocabulary",
        )
    return values * (scale * rms(space.table) / size)


_from_text = text  # inside `design` the name is the text's own

INITIALISERS: Mapping[str, Initialiser] = MappingProxyType(
    {"vocabulary": vocabulary, "text": text, "labels": labels, "random": random, "design": design}
)
