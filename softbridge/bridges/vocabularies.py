"""The words that two vocabularies share: the only thing two models have in common before any data are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from softbridge.errors import BridgeError


@dataclass(frozen=True)
class Pair:
    """Hold the embeddings of the words that a source model and a target model share, the frequent ones first.

    Arguments:
        words: N words.
        source: `[N, H_s]` their embeddings in the source model.
        target: `[N, H_t]` their embeddings in the target model.
    """

    words: tuple[str, ...]
    source: torch.Tensor
    target: torch.Tensor

    def part(self, skip: int, count: int, least: int) -> Pair:
        """Return `count` words after the first `skip`, or as many as there are.

        Raises:
            BridgeError: when fewer than `least` are left.
        """
        part = slice(skip, skip + count)
        if len(self.words[part]) < least:
            raise BridgeError(
                f"the two vocabularies share {len(self.words)} words, {len(self.words[part])} after the first {skip}",
                f"at least {least}",
                "skip fewer words, or choose models of one language",
            )
        return Pair(self.words[part], self.source[part], self.target[part])

    def only(self, words: Sequence[str]) -> Pair:
        """Return these of the words, in their order."""
        place = {word: i for i, word in enumerate(self.words)}
        at = [place[word] for word in words]
        return Pair(tuple(words), self.source[at], self.target[at])


def common(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of several source models with one target model, with the words that all share, in one order.

    Example:
        >>> a = Pair(("the", "film"), torch.zeros(2, 3), torch.zeros(2, 4))
        >>> b = Pair(("film", "plot"), torch.zeros(2, 5), torch.zeros(2, 4))
        >>> [pair.words for pair in common([a, b])]
        [('film',), ('film',)]
    """
    others = [set(pair.words) for pair in pairs[1:]]
    words = [word for word in pairs[0].words if all(word in other for other in others)]
    return [pair.only(words) for pair in pairs]


def shared_words(source: Mapping[str, int], target: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Return the word beginnings of letters that both vocabularies have, with their ids, by the target's ids.

    Subword vocabularies give small ids to common pieces, so the order stands for frequency. How a vocabulary marks a
    word's beginning (`Ġ`, `▁`) or what goes on (`##`) is taken off first.

    Example:
        >>> shared_words({"Ġfilm": 7, "s": 3, "Ġthe": 1}, {"the": 0, "film": 4, "##s": 2})
        [('the', 1, 0), ('film', 7, 4)]
    """
    theirs = beginnings(source)
    ours = sorted(beginnings(target).items(), key=lambda item: item[1])
    return [(word, theirs[word], i) for word, i in ours if word in theirs]


def beginnings(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Return the pieces that begin a word and are letters, by their letters."""
    marks = [mark for mark in ("Ġ", "▁") if sum(piece.startswith(mark) for piece in vocabulary) * 10 > len(vocabulary)]
    if marks:
        found = {piece.removeprefix(marks[0]): i for piece, i in vocabulary.items() if piece.startswith(marks[0])}
    else:
        found = {piece: i for piece, i in vocabulary.items() if not piece.startswith("##")}
    return {word: i for word, i in found.items() if len(word) > 1 and word.isalpha()}
