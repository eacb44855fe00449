"""Conduct the stages that a recipe names."""

from softbridge.study.planning import PlannedStage, plan
from softbridge.study.study import StudyResult, run

__all__ = ["PlannedStage", "StudyResult", "plan", "run"]
