"""Terms that set a domain apart from a background, mined from its texts; English and Chinese.

Counting is scikit-learn's, Chinese segmentation rjieba's (jieba's dictionary and model, in Rust); the two measures
are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import rjieba
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from softbridge.errors import DataError

Language = Literal["en", "zh"]
Miner = Callable[[np.ndarray, np.ndarray], np.ndarray]

HAN = re.compile(r"[\u3400-\u9fff]")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")

# Of one character nearly all Chinese function words are, so these are left out by length; the commonest longer ones:
CHINESE = """
这个 那个 一个 我们 你们 他们 自己 没有 不是 就是 还是 但是 可是 因为 所以 如果 虽然 而且 然后
或者 以及 什么 怎么 这样 那样 这么 那么 这些 那些 可以 可能 已经 时候 现在 还有 只有 只是 不过
不会 不能 一下 一点 一些 一样 比较 非常 真的 觉得 感觉 知道 应该 需要 之后 之前 以后 以前 里面
本来 其实 东西
"""
CHINESE_STOP_WORDS = frozenset(CHINESE.split())


@dataclass(frozen=True)
class Term:
    """Name a term of a domain.

    Arguments:
        word: the term.
        score: how much it sets the domain apart, in the miner's own unit.
        share: the share of the domain's texts that hold it, 0 to 1.
    """

    word: str
    score: float
    share: float


@dataclass(frozen=True)
class Counts:
    """Count words by corpus.

    Arguments:
        words: V words, in alphabetical order.
        held: for each corpus a sparse matrix `[texts, V]` of how often each text holds each word.
    """

    words: tuple[str, ...]
    held: Mapping[str, Any]

    def total(self, *names: str) -> np.ndarray:
        """Return how often corpora hold each word, `[V]`."""
        return sum((np.asarray(self.held[name].sum(axis=0)).ravel() for name in names), np.zeros(len(self.words)))

    def coverage(self, words: Sequence[str], name: str) -> float:
        """Return the share of a corpus's texts that hold at least one of the words, 0 to 1."""
        wanted = set(words)
        columns = [i for i, word in enumerate(self.words) if word in wanted]
        there = self.held[name][:, columns].sum(axis=1) if columns else np.zeros(1)
        return float((np.asarray(there) > 0).mean())


def language(texts: Sequence[str]) -> Language:
    """Return the language of texts: Chinese where at least a fifth of the letters are Chinese characters.

    Example:
        >>> language(["a fine film"]), language(["这个平板不错, iPad mini"])
        ('en', 'zh')
    """
    joined = "".join(texts)
    letters = sum(character.isalpha() for character in joined)
    return "zh" if letters and len(HAN.findall(joined)) >= 0.2 * letters else "en"


def content_words(text: str) -> list[str]:
    """Return a text's words in lower case, without function words, numbers, and words of one character.

    Example:
        >>> content_words("It's a wonderfully dull film in 3 acts")
        ['wonderfully', 'dull', 'film', 'acts']
        >>> content_words("这个平板的屏幕很好，iPad 不错")
        ['平板', '屏幕', 'ipad', '不错']
    """
    pieces = rjieba.cut(text) if HAN.search(text) else WORD.findall(text)
    words = (piece.lower() for piece in pieces if len(piece) > 1 and WORD.fullmatch(piece))
    return [word for word in words if word not in CHINESE_STOP_WORDS and not _stopped(word)]


def count(corpora: Mapping[str, Sequence[str]], fewest: int = 3) -> Counts:
    """Count the words of corpora over one vocabulary.

    Arguments:
        corpora: texts by name.
        fewest: a word is counted where at least so many texts of all corpora hold it, from 1.

    Raises:
        DataError: when no word is held by so many texts.

    Example:
        >>> counts = count({"films": ["a dull film", "a fine film"], "food": ["a fine soup"]}, fewest=1)
        >>> counts.words, counts.total("films").astype(int).tolist()
        (('dull', 'film', 'fine', 'soup'), [1, 2, 1, 0])
    """
    texts = [text for some in corpora.values() for text in some]
    counter = CountVectorizer(analyzer=content_words, min_df=fewest)
    try:
        held = counter.fit_transform(texts).tocsr()
    except ValueError:
        raise DataError(
            f"no content word stands in {fewest} or more of the {len(texts)} texts of {', '.join(corpora)}",
            "English or Chinese texts that share some words",
            "give more texts, or another background",
        ) from None
    ends = np.cumsum([len(some) for some in corpora.values()])
    parts = {name: held[end - len(corpora[name]) : end] for name, end in zip(corpora, ends, strict=True)}
    return Counts(tuple(counter.get_feature_names_out()), parts)


def class_tfidf(domain: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Weigh each word by its share of the domain and by how rare it is in all: `W_w = y_w/n * log(1 + A/f_w)`.

    `f_w` counts the word in domain and background together, `A` is the mean number of words of the two.

    *Reference*: Grootendorst. BERTopic: Neural topic modeling with a class-based TF-IDF procedure. 2022.

    Arguments:
        domain: `[V]` how often the domain holds each word, `n` in all.
        background: `[V]` how often the background does; zeros where there is none.

    Returns:
        `[V]`, 0 or more.

    Example:
        >>> class_tfidf(np.array([3.0, 1.0]), np.array([0.0, 4.0])).round(4).tolist()
        [0.6355, 0.1469]
    """
    both = domain + background
    return domain / domain.sum() * np.log1p(both.sum() / 2 / np.maximum(both, 1))


def log_odds(domain: np.ndarray, background: np.ndarray, strength: float = 1000.0) -> np.ndarray:
    """Score each word by the z of its log-odds, domain against background, with an informative Dirichlet prior.

    `z_w = d_w / sqrt(1/(y_w + a_w) + 1/(b_w + a_w))`, where
    `d_w = log((y_w + a_w)/(n + a_0 - y_w - a_w)) - log((b_w + a_w)/(m + a_0 - b_w - a_w))`. The prior `a_w` is the
    word's share of both together times its strength `a_0`: rare words are drawn towards no difference.

    *Reference*: Monroe, Colaresi, Quinn. Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the
    Content of Political Conflict. Political Analysis 16(4), 2008.

    Arguments:
        domain: `[V]` y, how often the domain holds each word, `n` in all; every word stands in one of the two.
        background: `[V]` b, how often the background does, `m` in all.
        strength: `a_0`, above 0, in words.

    Returns:
        `[V]`; above 1.96 a word is the domain's by more than chance would be in one of forty.

    Example:
        >>> log_odds(np.array([8.0, 2.0]), np.array([2.0, 8.0]), strength=2.0).round(3).tolist()
        [3.296, -3.296]
    """
    prior = strength * (domain + background) / (domain + background).sum()
    ours, theirs = domain + prior, background + prior
    odds = np.log(ours / (ours.sum() - ours)) - np.log(theirs / (theirs.sum() - theirs))
    return odds / np.sqrt(1 / ours + 1 / theirs)


FIGHTIN_WORDS = """@article{monroe2008fightin,
  title = {Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of Political Conflict},
  author = {Monroe, Burt L. and Colaresi, Michael P. and Quinn, Kevin M.},
  journal = {Political Analysis},
  volume = {16},
  number = {4},
  pages = {372--403},
  year = {2008},
  doi = {10.1093/pan/mpn018}
}"""
BERTOPIC = """@misc{grootendorst2022bertopic,
  title = {{BERTopic}: Neural topic modeling with a class-based {TF-IDF} procedure},
  author = {Grootendorst, Maarten},
  year = {2022},
  eprint = {2203.05794},
  archivePrefix = {arXiv}
}"""

MINERS: Mapping[str, Miner] = MappingProxyType({"class_tfidf": class_tfidf, "log_odds": log_odds})


def mine(counts: Counts, name: str, background: Sequence[str], miner: str, most: int) -> list[Term]:
    """Return a corpus's terms by a miner, the best first.

    Arguments:
        counts: the words of the corpora.
        name: the corpus.
        background: the corpora it is held against.
        miner: a name of `MINERS`.
        most: how many terms at most; a term has a score above 0.

    Example:
        >>> counts = count({"films": ["dull film", "fine film"], "food": ["fine soup", "dull soup"]}, fewest=1)
        >>> [term.word for term in mine(counts, "films", ["food"], "log_odds", 2)]
        ['film']
    """
    scores = MINERS[miner](counts.total(name), counts.total(*background))
    best = [i for i in np.argsort(-scores, kind="stable")[:most] if scores[i] > 1e-9]
    return [Term(counts.words[i], float(scores[i]), counts.coverage([counts.words[i]], name)) for i in best]


def _stopped(word: str) -> bool:
    """Say whether an English word is a function word, also with an ending such as 's or n't."""
    return word in ENGLISH_STOP_WORDS or word.split("'")[0] in ENGLISH_STOP_WORDS or word.endswith("n't")
