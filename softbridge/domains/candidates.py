"""Candidate prompts in words: mined terms in templates, as short as the prompt is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from softbridge.domains.templates import Template
from softbridge.domains.terms import Language, Term
from softbridge.errors import DataError

SLOTS = ("terms", "labels", "domain")
TEMPLATES: Mapping[Language, tuple[str, ...]] = {
    "en": ("{terms}", "{terms}: {labels}", "a text about {terms}", "is a text about {terms} {labels}?"),
    "zh": ("{terms}", "{terms}：{labels}", "关于{terms}的描述", "关于{terms}的描述是{labels}？"),
}
JOINTS: Mapping[Language, tuple[str, str]] = {"en": (", ", " or "), "zh": ("、", "还是")}


@dataclass(frozen=True)
class Design:
    """Say how the text that a prompt starts from is found: the recipe's `design` keys.

    Arguments:
        background: data that the domains are held against, with a column `text`; where there are none, each domain is
            held against the others.
        terms: how many of a domain's terms a candidate may hold, one candidate each; the most that the prompt has room
            for is tried too.
        templates: texts around `{terms}`, also with `{labels}` (the label words) and `{domain}` (its name); those of
            the domain's language when left empty.
        candidates: how many candidates validation rows are spent on, the best by the other measures.
        rows: validation rows a class that the loss is measured on.
        choose_by: `ranks`, the mean rank over all measures, or `loss`, the validation loss alone.

    Example:
        >>> Design(terms=(3,)).choose_by
        'ranks'
    """

    background: str | None = None
    terms: tuple[int, ...] = (2, 4, 8)
    templates: tuple[str, ...] = ()
    candidates: int = 24
    rows: int = 32
    choose_by: Literal["ranks", "loss"] = "ranks"

    def __post_init__(self) -> None:
        for name, value in (
            ("terms", min(self.terms, default=0)),
            ("candidates", self.candidates),
            ("rows", self.rows),
        ):
            if value < 1:
                raise DataError(f"{name} is {value}", "a whole number from 1", f"mend {name}")
        for text in self.templates:
            slots = Template.parse(text).slots
            if "terms" not in slots or set(slots) - set(SLOTS):
                raise DataError(
                    f"templates is with {text!r}, whose slots are {', '.join(slots)}",
                    "{terms}, and {labels} or {domain} beside it",
                    "write a template such as 'a text about {terms}'",
                )


@dataclass(frozen=True)
class Candidate:
    """Name a candidate.

    Arguments:
        text: the prompt in words.
        terms: the terms in it.
        domain: the domain they are of.
        miner: what found them.
    """

    text: str
    terms: tuple[str, ...]
    domain: str
    miner: str


def candidates(
    mined: Mapping[tuple[str, str], Sequence[Term]],
    languages: Mapping[str, Language],
    labels: Mapping[str, Sequence[str]],
    design: Design,
    room: Callable[[str], bool],
) -> list[Candidate]:
    """Return the candidates that there is room for, each text once.

    Arguments:
        mined: the terms by (domain, miner), the best first.
        languages: the language of each domain.
        labels: the label words of each domain.
        design: which templates, with how many terms.
        room: says whether the prompt has room for a text.

    Raises:
        DataError: when there is room for none.

    Example:
        >>> terms = {("films", "log_odds"): [Term("plot", 3.0, 0.2), Term("cast", 2.0, 0.1)]}
        >>> design, words = Design(terms=(2,)), {"films": ("bad", "good")}
        >>> found = candidates(terms, {"films": "en"}, words, design, lambda text: True)
        >>> [candidate.text for candidate in found][:2]
        ['plot, cast', 'plot, cast: bad or good']
    """
    found: dict[str, Candidate] = {}
    for (domain, miner), terms in mined.items():
        words = [term.word for term in terms]
        for template in design.templates or TEMPLATES[languages[domain]]:
            texts = {
                k: filled(template, words[:k], labels[domain], domain, languages[domain])
                for k in range(1, len(words) + 1)
            }
            for k in sizes(texts, design.terms, room):
                found.setdefault(texts[k], Candidate(texts[k], tuple(words[:k]), domain, miner))
    if not found:
        raise DataError(
            f"the prompt has room for no candidate of {', '.join(labels)}",
            "a prompt of some more virtual tokens, and domains with terms of their own",
            "make the prompt longer, or write shorter design.templates",
        )
    return list(found.values())


def sizes(texts: Mapping[int, str], wanted: Sequence[int], room: Callable[[str], bool]) -> Iterator[int]:
    """Yield the numbers of terms that are wanted and there is room for, and the largest there is room for."""
    fitting = [k for k, text in texts.items() if room(text)]
    yield from (k for k in fitting if k in wanted or k == max(fitting))


def filled(template: str, terms: Sequence[str], labels: Sequence[str], domain: str, language: Language) -> str:
    """Return a template with its slots filled.

    Example:
        >>> filled("关于{terms}的描述是{labels}？", ["屏幕", "电池"], ["差", "好"], "平板", "zh")
        '关于屏幕、电池的描述是差还是好？'
    """
    between, last = JOINTS[language]
    told = {
        "terms": between.join(terms),
        "labels": last.join(label.strip() for label in labels),
        "domain": domain,
    }
    return Template.parse(template).fill({slot: [text] for slot, text in told.items()})[0]
