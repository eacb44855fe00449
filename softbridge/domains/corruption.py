"""Take something away from a text's tokens, so that a model can be asked for it. Pure: token ids and a generator in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

UNASKED = -1


def mask_tokens(
    ids: Sequence[int], draw: torch.Generator, mask: int, vocabulary: int, special: Collection[int], rate: float
) -> tuple[list[int], list[int]]:
    """Ask for a share of a text's tokens: of these 80 % become the mask, 10 % another token, 10 % stay as they are.

    *Reference*: Devlin, Chang, Lee, Toutanova. BERT. NAACL 2019, section 3.1.

    Arguments:
        ids: T token ids.
        draw: draws the places, and what becomes of them.
        mask: the mask's id.
        vocabulary: V; another token is any id below it.
        special: ids that are never asked for.
        rate: the share of the others that is asked for, 0..1; at least one.

    Returns:
        T ids, and T ids of what stood where it is asked for, -1 elsewhere.

    Example:
        >>> told = mask_tokens([101, 7, 8, 102], torch.Generator().manual_seed(0), 103, 9, {101, 102}, 0.5)
        >>> told[0][0], told[0][3], sorted(told[1])[:3]
        (101, 102, [-1, -1, -1])
    """
    places = [i for i, token in enumerate(ids) if token not in special]
    order = torch.randperm(len(places), generator=draw).tolist()
    chosen = [places[i] for i in order[: max(1, round(rate * len(places)))]]
    fates = torch.rand(len(chosen), generator=draw).tolist()
    others = torch.randint(vocabulary, (len(chosen),), generator=draw).tolist()
    seen, told = list(ids), [UNASKED] * len(ids)
    for place, fate, other in zip(chosen, fates, others, strict=True):
        told[place] = ids[place]
        if fate < 0.9:
            seen[place] = mask if fate < 0.8 else other
    return seen, told


def take_spans(
    ids: Sequence[int],
    draw: torch.Generator,
    sentinels: Sequence[int],
    special: Collection[int],
    rate: float,
    span: int,
) -> tuple[list[int], list[int]]:
    """Take spans out of a text; a sentinel stands where each was, and announces it in the answer.

    `thanks for inviting me` becomes `thanks <x> inviting <y>` with the answer `<x> for <y> me <z>`. Kept and taken
    spans alternate, a kept one first, each division drawn evenly.

    *Reference*: Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer.
    JMLR 2020, section 3.1.4.

    Arguments:
        ids: T token ids.
        draw: draws where the spans stand.
        sentinels: ids that stand for the spans in turn; one alone stands for each, and the answer is the whole text, as
            BART is asked (Lewis et al. 2020).
        special: ids at the text's ends that stay.
        rate: the share of the tokens that is taken, 0..1; at least one, and one at least stays.
        span: the mean tokens of a span, from 1.

    Returns:
        The ids that are left, and those of the answer; a text of fewer than two tokens is left whole, with no answer.

    Example:
        >>> take_spans([7, 8, 1], torch.Generator(), [90, 91], {1}, 0.5, 3)
        ([7, 90, 1], [90, 8, 91, 1])
    """
    first = next((i for i, token in enumerate(ids) if token not in special), len(ids))
    last = next((i for i in range(len(ids), first, -1) if ids[i - 1] not in special), first)
    head, body, tail = list(ids[:first]), list(ids[first:last]), list(ids[last:])
    if len(body) < 2:
        return list(ids), []
    whole = len(sentinels) == 1
    taken = min(max(1, round(rate * len(body))), len(body) - 1)
    most = taken if whole else len(sentinels) - 1  # the last sentinel ends the answer
    many = min(max(1, round(taken / span)), len(body) - taken, most)
    left, answer, place = head, [], 0
    kept = divide(len(body) - taken, many, draw)
    for i, (stays, goes) in enumerate(zip(kept, divide(taken, many, draw), strict=True)):
        sentinel = sentinels[0 if whole else i]
        left = [*left, *body[place : place + stays], sentinel]
        answer += [sentinel, *body[place + stays : place + stays + goes]]
        place += stays + goes
    return [*left, *tail], list(ids) if whole else [*answer, sentinels[many], *tail]


def divide(total: int, parts: int, draw: torch.Generator) -> list[int]:
    """Return sizes from 1 that add up to a total, every division as likely as any other.

    Example:
        >>> divide(3, 3, torch.Generator()), sum(divide(9, 4, torch.Generator()))
        ([1, 1, 1], 9)
    """
    cuts = (torch.randperm(total - 1, generator=draw)[: parts - 1] + 1).sort().values.tolist()
    return [end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True)]


def drop_tokens(ids: Sequence[int], draw: torch.Generator, special: Collection[int], rate: float) -> list[int]:
    """Leave each token out with a chance; special ones stay, and one other at least.

    *Reference*: Wu, Wang, Gu, Khabsa, Sun, Ma. CLEAR: Contrastive Learning for Sentence Representation.
    arXiv 2012.15466, 2020, section 3.3 (word deletion).

    Arguments:
        ids: T token ids.
        draw: draws which go.
        special: ids that stay.
        rate: the chance to go, 0..1.

    Example:
        >>> drop_tokens([101, 7, 102], torch.Generator(), {101, 102}, 1.0)
        [101, 7, 102]
    """
    chances = torch.rand(len(ids), generator=draw).tolist()
    places = [i for i, token in enumerate(ids) if token not in special]
    spared = max(places, key=lambda i: chances[i], default=None)
    return [token for i, token in enumerate(ids) if token in special or i == spared or chances[i] >= rate]
