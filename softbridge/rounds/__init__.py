"""Optimise on the target in rounds: pure policies, moves and the rule that says what is kept."""

from softbridge.rounds.base import Budget, Known, Rounds, State
from softbridge.rounds.searching import Found, Outcome, search

__all__ = ["Budget", "Found", "Known", "Outcome", "Rounds", "State", "search"]
