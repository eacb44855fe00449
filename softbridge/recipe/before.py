"""Read the sections of what is trained before prompts are extracted, and note what of them cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from softbridge.domains.domain import Domain
from softbridge.engine.objectives import OBJECTIVES
from softbridge.engine.plan import Plan
from softbridge.prompts.shelved import Shelved
from softbridge.recipe.document import Document
from softbridge.recipe.fields import built, keys, meant, valid
from softbridge.recipe.preparing import RATES, Pretrain, PretrainKeys, Tune, TuneKeys

if TYPE_CHECKING:
    from softbridge.recipe.reading import _Sections

Section = dict[str, Any]
Problem = tuple[tuple[str | int, ...], str, str]

LORA = """@inproceedings{hu2022lora,
  title = {{LoRA}: Low-Rank Adaptation of Large Language Models},
  author = {Hu, Edward J. and Shen, Yelong and Wallis, Phillip and Allen-Zhu, Zeyuan and Li, Yuanzhi and Wang, Shean
    and Wang, Lu and Chen, Weizhu},
  booktitle = {Proceedings of ICLR},
  year = {2022}
}"""
SEMI = ("normalise", "labelled")  # keys that only the semi-supervised form reads
SELF = ("objective", "held_out")  # keys that only the self-supervised form reads


def pretrain(sections: _Sections, values: Section | None, usual: Section) -> Pretrain | None:
    """Return the section `pretrain`.

    Arguments:
        sections: reads what is inside.
        values: what stands there, or None.
        usual: what of the training a kind of prompt starts from.
    """
    if values is None:
        return None
    path, document = ("pretrain",), sections.document
    given = valid(PretrainKeys, {k: v for k, v in values.items() if k in keys(PretrainKeys)}, path, document)
    rest = {key: value for key, value in values.items() if key not in keys(PretrainKeys)}
    labels = given.get("form") == "semi-supervised"
    for key in SELF if labels else SEMI:
        if given.get(key) is not None:
            document.note(
                (*path, key), f"is not read where form is {given.get('form', 'self-supervised')}", f"remove {key}"
            )
    backbone = given.get("trains") == "backbone"
    if given.get("scratch") is not None and not backbone:
        document.note((*path, "scratch"), "makes a new backbone, and the prompt trains", "write trains: backbone")
    named = given.pop("objective", None)
    cls = sections.choice(OBJECTIVES, named, "objective", (*path, "objective")) if named else None
    if rest and not cls:
        for key in rest:
            document.note((*path, key), "is no key here", meant(key, keys(PretrainKeys)))
    made = sections.made(cls, rest, path, keys(PretrainKeys)) if cls else None
    rate = RATES["scratch" if given.get("scratch") is not None else "full"]
    plan = planned(given.pop("training", {}), {"learning_rate": rate} if backbone else usual, path, document)
    own = given.pop("domain", None)
    domain = sections.domain(("pretrain", "domain"), own) if own else None
    if plan is None or (own and domain is None) or not document.sound(path):
        return None
    texts = given.pop("texts", None)
    parts = given | {"texts": tuple(texts) if texts is not None else None}
    return built(Pretrain, {**parts, "objective": made, "domain": domain, "plan": plan}, path, document)


def tune(sections: _Sections, values: Section | None) -> Tune | None:
    """Return the section `tune`; None where there is none, or something in it is wrong."""
    if values is None:
        return None
    path, document = ("tune",), sections.document
    given = valid(TuneKeys, values, path, document)
    plan = planned(given.pop("training", {}), {"learning_rate": RATES[given.get("how", "full")]}, path, document)
    sources = given.pop("sources", None)
    own = tuple(sources) if sources is not None else None
    return built(Tune, {**given, "sources": own, "plan": plan or Plan()}, path, document)  # None was noted before


def planned(values: Section, usual: Mapping[str, Any], path: tuple[str, ...], document: Document) -> Plan | None:
    """Return a section's plan."""
    below = (*path, "training")
    return built(Plan, {**usual, **valid(Plan, values, below, document)}, below, document)


def check(parts: Mapping[str, Any], document: Document) -> None:
    """Note what of the two sections cannot be with the rest of a recipe."""
    for key in ("pretrain", "tune"):
        if parts[key] and parts["source_backbone"]:
            document.note((key,), "trains on one model, and source_backbone is another", "remove one of the two")
        saved = [name for name, source in parts["sources"].items() if isinstance(source, Shelved)]
        if parts[key] and saved:
            document.note((key,), f"trains what the saved prompts of {saved[0]} were learned without", "remove one")
    domains = {
        section: {name: domain for name, domain in parts[section].items() if not isinstance(domain, Shelved)}
        for section in ("sources", "targets")
    }
    parts = {**parts, **domains}
    for path, seen, fix in (*_pretraining(parts), *_tuning(parts)):
        document.note(path, seen, fix)


def _pretraining(parts: Mapping[str, Any]) -> Iterator[Problem]:
    settings: Pretrain | None = parts["pretrain"]
    if settings is None:
        return
    domains: dict[str, Domain | None] = {**parts["sources"], **parts["targets"]}
    for i, name in enumerate(settings.texts or ()):
        if name not in domains:
            yield ("pretrain", "texts", i), f"there is no domain '{name}'", meant(name, list(domains))
    if settings.texts == () and settings.domain is None:
        yield ("pretrain", "texts"), "is empty", "name a domain, or remove texts to read all"
    if settings.held_out < 1:
        yield ("pretrain", "held_out"), f"is {settings.held_out}", "write a whole number from 1"
    if settings.labelled is not None and settings.labelled < 1:
        yield ("pretrain", "labelled"), f"is {settings.labelled}", "write how many rows per class, from 1; or null"
    if not settings.labels:
        if settings.plan.choose_by != "loss":
            seen = f"is {settings.plan.choose_by}, and a text has no classes"
            yield ("pretrain", "training", "choose_by"), seen, "write choose_by: loss"
        return
    read = read_of(settings, list(domains))
    words = {name: dict(domain.labels) for name in read if (domain := domains.get(name))}
    words |= {"pretrain.domain": dict(settings.domain.labels)} if settings.domain else {}
    if len({tuple(labels.items()) for labels in words.values()}) > 1:
        yield ("pretrain", "form"), f"is semi-supervised, and {', '.join(words)} differ in labels", "name fewer texts"
    if settings.domain and settings.domain.label is None:
        yield ("pretrain", "domain"), "has label: null, and semi-supervised reads labels", "name the label's column"
    targets = [name for name in read if name in parts["targets"]]
    if settings.trains == "backbone" and targets:
        seen = f"reads labels of the target {targets[0]}, which differ by seed, for one backbone of all seeds"
        yield ("pretrain", "texts"), seen, "name sources, or write trains: prompt"


def read_of(settings: Pretrain, names: Sequence[str]) -> list[str]:
    """Return the recipe's domains that pretraining reads."""
    return list(settings.texts) if settings.texts is not None else [] if settings.domain else list(names)


def _tuning(parts: Mapping[str, Any]) -> Iterator[Problem]:
    settings: Tune | None = parts["tune"]
    if settings is None:
        return
    sources: dict[str, Domain | None] = parts["sources"]
    named = list(sources) if settings.sources is None else list(settings.sources)
    if not named:
        yield ("tune",), "needs a source, and there is none", "add a domain under sources, or remove tune"
    for i, name in enumerate(named):
        if name not in sources:
            yield ("tune", "sources", i), f"there is no source '{name}'", meant(name, list(sources))
    read = {name: domain for name in named if (domain := sources.get(name))}
    own = [t for t, target in parts["targets"].items() if target and any(same(target, d) for d in read.values())]
    if own:
        yield ("tune",), f"reads all labels of {own[0]}, which is a target too", "name other sources under tune"
    if len({tuple(domain.labels.items()) for domain in read.values()}) > 1:
        yield ("tune", "sources"), f"{', '.join(read)} differ in labels, and one backbone learns all", "name fewer"


def same(one: Domain, other: Domain) -> bool:
    """Say whether two domains read the same rows."""
    return (one.data, dict(one.where)) == (other.data, dict(other.where))


def cited(pretraining: Pretrain | None, tuning: Tune | None) -> Iterator[tuple[str, str]]:
    """Yield why and what to cite of the two sections."""
    if pretraining and pretraining.trains == "prompt":
        yield "pretraining of the prompt", OBJECTIVES["next_token"].bibtex  # PPT's
    if pretraining and pretraining.objective:
        yield f"the objective {pretraining.objective.name}", pretraining.objective.bibtex
    if tuning and tuning.how == "lora":
        yield "tuning by LoRA", LORA


def explained(pretraining: Pretrain | None, tuning: Tune | None, plan: Callable[[Plan], str]) -> Iterator[str]:
    """Yield what the two sections will do, in words.

    Arguments:
        pretraining: the section `pretrain`.
        tuning: the section `tune`.
        plan: writes a plan.
    """
    if pretraining:
        texts = [*(pretraining.texts or ()), *(["a domain of its own"] if pretraining.domain else [])]
        asked = pretraining.objective.name if pretraining.objective else "what suits the backbone"
        way = f"labels, N counts {pretraining.normalise}" if pretraining.labels else f"asked for {asked}"
        new = ", drawn anew" if pretraining.scratch is not None else ""
        yield (
            f"pretrain: the {pretraining.trains}{new} on texts of {', '.join(texts) or 'all domains'}, "
            f"{pretraining.form} ({way}); {plan(pretraining.plan)}"
        )
    if tuning:
        sources = ", ".join(tuning.sources) if tuning.sources else "all sources"
        yield f"tune: the backbone on the labels of {sources} ({tuning.how}), once for all seeds; {plan(tuning.plan)}"
