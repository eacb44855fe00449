"""Conduct the stages that a recipe names."""

from softbridge.study.study import PlannedStage, StudyResult, plan, run

__all__ = ["PlannedStage", "StudyResult", "plan", "run"]
