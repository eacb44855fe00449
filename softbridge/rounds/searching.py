"""The search: round after round, until patience or budget ends it; every proposal is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from softbridge.rounds.base import Known, Proposal, Round, Rounds, Rung, State
from softbridge.rounds.keeping import Verdict, best, judge


@dataclass(frozen=True)
class Outcome:
    """Hold what training a state came to.

    Arguments:
        state: the state.
        share: of its steps that was trained.
        scores: each seed's validation score, where more is better.
        rows: the row-passes that it took.
        seconds: the time that training took.
        note: what else there is to say.
    """

    state: State
    share: float
    scores: tuple[float, ...]
    rows: int
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Tried:
    """Write down one proposal and what became of it.

    Arguments:
        round: the round, from 1; 0 is the arm itself.
        rung: the rung of the round, from 1.
        words: what was changed.
        outcome: what training it came to.
        verdict: what was judged; None where the policy dropped it before, or for the arm itself.
        kept: whether it became the kept state.
    """

    round: int
    rung: int
    words: str
    outcome: Outcome
    verdict: Verdict | None = None
    kept: bool = False


@dataclass(frozen=True)
class Found:
    """Hold what a search came to.

    Arguments:
        kept: the outcome of the kept state.
        log: every proposal, in order.
        stopped: why the search ended.
    """

    kept: Outcome
    log: tuple[Tried, ...]
    stopped: str

    @property
    def rows(self) -> int:
        """Return the row-passes of the whole search."""
        return sum(tried.outcome.rows for tried in self.log)


Attempt = Callable[[Sequence[State], float], Sequence[Outcome]]
Cost = Callable[[State, float], int]


def search(rounds: Rounds, known: Known, attempt: Attempt, cost: Cost) -> Found:
    """Search in rounds from the arm as it is.

    Arguments:
        rounds: how.
        known: what moves may know.
        attempt: trains states side by side for a share of their steps, and says what each came to.
        cost: the most row-passes that an attempt takes for a state; nothing is begun that could overspend.

    Example:
        >>> from softbridge.rounds.table import MOVES, POLICIES
        >>> how = Rounds(POLICIES["greedy"](), {"rate": MOVES["rate"]()})
        >>> def attempt(states, share):
        ...     scores = {1.0: (0.1, 0.2, 0.3), 2.5: (0.2, 0.3, 0.4)}
        ...     return [Outcome(state, share, scores.get(state.rate, (0, 0, 0)), rows=64) for state in states]
        >>> found = search(how, Known(), attempt, lambda state, share: 64)
        >>> found.kept.state.rate, [(tried.words, tried.kept) for tried in found.log][1]
        (2.5, ('learning rate x 2.5', True))
    """
    return _Search(rounds, known, attempt, cost).run()


@dataclass
class _Search:
    rounds: Rounds
    known: Known
    attempt: Attempt
    cost: Cost
    log: list[Tried] = field(default_factory=list)
    number: int = 0
    idle: int = 0

    def run(self) -> Found:
        self.kept = self.attempt([State()], 1.0)[0]
        self.log.append(Tried(0, 1, "the arm as it is", self.kept, kept=True))
        while True:
            reason = self.over() or self.played()
            if reason:
                return Found(self.kept, tuple(self.log), reason)

    def over(self) -> str | None:
        """Say whether the budget of rounds or the patience is at its end."""
        if self.rounds.budget.rounds is not None and self.number >= self.rounds.budget.rounds:
            return f"budget: {self.number} rounds"
        if self.rounds.patience is not None and self.idle >= self.rounds.patience:
            return f"patience: {self.idle} rounds in a row kept nothing"
        return None

    def left(self) -> int | None:
        """Return the row-passes that may still be spent."""
        most = self.rounds.budget.rows
        return None if most is None else most - sum(tried.outcome.rows for tried in self.log)

    def played(self) -> str | None:
        """Play a round; say why not where the policy has nothing to try."""
        past = [tried.outcome for tried in self.log]
        tried = frozenset(outcome.state for outcome in past)
        moves = list(self.rounds.moves.values())
        round = Round(self.number + 1, self.kept.state, moves, self.known, tried, past, self.cost, self.left())
        play, entered, last = self.rounds.policy.play(round), set[State](), list[Tried]()
        rung = next(play, None)
        place = 0
        while rung is not None and rung.proposals and self.affordable(rung):
            place += 1
            last = [Tried(round.number, place, p.words, o) for p, o in self.tried(rung)]
            entered |= {one.outcome.state for one in last}
            self.log += last
            try:
                rung = play.send([one.outcome for one in last])
            except StopIteration:
                rung = None
        if not entered:
            return "no proposal is left that was not tried" if self.left() is None else self.why_not(round)
        self.number += 1
        self.decide(last, len(entered))
        return None

    def tried(self, rung: Rung) -> list[tuple[Proposal, Outcome]]:
        outcomes = self.attempt([proposal.state for proposal in rung.proposals], rung.share)
        return list(zip(rung.proposals, outcomes, strict=True))

    def affordable(self, rung: Rung) -> bool:
        """Say whether a rung could be paid for whatever it comes to; a policy that plans well is never refused."""
        left = self.left()
        return left is None or sum(self.cost(p.state, rung.share) for p in rung.proposals) <= left

    def why_not(self, round: Round) -> str:
        """Say whether the proposals or the rows are used up."""
        free = Round(round.number, round.kept, round.moves, round.known, round.tried, round.past, round.cost)
        if free.propose(round.kept):
            return f"budget: the {self.left():,} row-passes that are left pay for no proposal"
        return "no proposal is left that was not tried"

    def decide(self, last: list[Tried], compared: int) -> None:
        """Judge the last rung of a round against the kept state, where it was trained in full."""
        del self.log[len(self.log) - len(last) :]
        full = [i for i, tried in enumerate(last) if tried.outcome.share == 1.0]
        gains = [self.gains(last[i].outcome) for i in full]
        verdicts = judge(gains, self.rounds.level, compared)
        chosen = best(verdicts)
        told: dict[int, Any] = dict(zip(full, verdicts, strict=True))
        for i, one in enumerate(last):
            kept = chosen is not None and full[chosen] == i
            self.log.append(Tried(one.round, one.rung, one.words, one.outcome, told.get(i), kept))
        if chosen is None:
            self.idle += 1
        else:
            self.kept, self.idle = last[full[chosen]].outcome, 0

    def gains(self, outcome: Outcome) -> list[float]:
        """Return how much better than the kept state each seed is."""
        return [new - old for new, old in zip(outcome.scores, self.kept.scores, strict=True)]
