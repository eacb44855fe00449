"""A study's lessons in as few banks as may hold them: what each comes to is what it comes to alone, up to rounding."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from softbridge.recipe import Arm
from softbridge.study.learning import Lesson
from softbridge.study.rungs import learn_abreast

if TYPE_CHECKING:
    from softbridge.study.study import Study


def extract_abreast(study: Study, sources: Iterable[str]) -> None:
    """Train the sources that may share a bank."""
    study.prepared()
    carry_out(study, [lesson for lesson in map(study.source_lesson, sources) if lesson], "sources")


def adapt_abreast(study: Study, cells: Iterable[tuple[str, Arm]]) -> None:
    """Train on the targets what may share a bank: arms of bridges that make a start and no more."""
    chosen = [
        study.adaptation(target, arm)
        for target, arm in cells
        if arm.bridge.trains and getattr(arm.bridge, "starts", False) and not arm.rounds
    ]
    carry_out(study, chosen, "cells")


def carry_out(study: Study, lessons: Iterable[Lesson], of: str) -> None:
    """Train lessons, those of one plan and of the same words for the classes in one bank."""
    banks: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        assert lesson.plan is not None
        if not lesson.stage.finished:
            lesson.crossings  # noqa: B018  a bridge may carry out another lesson here, which the bank would hold
        plan = {name: value for name, value in lesson.plan.facts().items() if name != "learning_rate"}
        banks.setdefault(json.dumps([lesson.domain.words, plan, list(lesson.seeds)]), []).append(lesson)
    for bank in banks.values():
        if len(bank) > 1:
            learn_abreast(study.materials, bank, study.watcher, of)
