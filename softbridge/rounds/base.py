"""What a search in rounds is made of: a state, moves that change it, a policy that says which changes are tried.

All of it is pure: a state is a value, and what follows from it is the same wherever it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from softbridge.errors import RoundsError

if TYPE_CHECKING:
    from softbridge.rounds.searching import Outcome


@dataclass(frozen=True)
class Renewed:
    """Say that training starts from another state's prompts, their least important tokens drawn anew.

    Arguments:
        share: of the tokens, above 0, below 1.
        of: the state whose trained prompts they are.
    """

    share: float
    of: State


@dataclass(frozen=True)
class Labelled:
    """Say that rows of the unlabelled pool are trained on, labelled by another state's prompts.

    Arguments:
        confidence: the least calibrated probability of a label.
        pool: how many rows of the pool are looked at.
        by: the state whose trained prompts label them.
    """

    confidence: float
    pool: int
    by: State


@dataclass(frozen=True)
class State:
    """Say how the target's prompts are trained, as changes to what the arm says; without any, it is the arm itself.

    Arguments:
        rate: times the arm's learning rate.
        steps: times the arm's steps.
        added: virtual tokens more than the crossing brings.
        mixture: each source's share of the prompt that is started from; empty leaves it to the bridge.
        renewed: what of a trained prompt is started from, instead of the crossing.
        pseudo: rows that were labelled by a trained prompt.

    Example:
        >>> State(rate=2.5) == State(rate=2.5), State() == State(steps=2.0)
        (True, False)
    """

    rate: float = 1.0
    steps: float = 1.0
    added: int = 0
    mixture: tuple[tuple[str, float], ...] = ()
    renewed: Renewed | None = None
    pseudo: Labelled | None = None


@dataclass(frozen=True)
class Known:
    """Hold what moves may know of the arm that is searched.

    Arguments:
        sources: the sources that a mixture may be made of.
        mixture: their shares where the bridge starts; empty where it decides by itself.
        length: P of the prompt that crosses.
        pool: rows that a seed may have labelled, the fewest of all seeds.
    """

    sources: tuple[str, ...] = ()
    mixture: tuple[tuple[str, float], ...] = ()
    length: int = 1
    pool: int = 0


@dataclass(frozen=True)
class Proposal:
    """Name a change.

    Arguments:
        state: what would be trained.
        words: what is changed, for people.
    """

    state: State
    words: str


@dataclass(frozen=True)
class Rung:
    """Name proposals that are trained side by side.

    Arguments:
        proposals: from one.
        share: of the state's own steps, up to 1.
    """

    proposals: tuple[Proposal, ...]
    share: float = 1.0


@dataclass(frozen=True)
class Round:
    """Hold what a policy may look at when it plays a round.

    Arguments:
        number: from 1.
        kept: the state that proposals have to beat.
        moves: the changes that may be made.
        known: what the moves know.
        tried: the states that need not be tried again.
        past: the outcomes so far.
        cost: a state and a share of its steps to the most row-passes that training it takes.
        left: the row-passes that may still be spent; None where they are not counted.
    """

    number: int
    kept: State
    moves: Sequence[Move]
    known: Known
    tried: frozenset[State]
    past: Sequence[Outcome]
    cost: Callable[[State, float], int]
    left: int | None = None

    def propose(self, state: State) -> list[Proposal]:
        """Return the untried changes of a state that could be paid for: the first of each move, then the second, ..."""
        each = [move.propose(state, self.kept, self.known) for move in self.moves]
        longest = max(map(len, each), default=0)
        turns = [some[i] for i in range(longest) for some in each if i < len(some)]
        return [one for one in turns if one.state not in self.tried and self.room(self.cost(one.state, 1.0))]

    def room(self, rows: int) -> bool:
        """Say whether so many row-passes may still be spent."""
        return self.left is None or rows <= self.left


@runtime_checkable
class Move(Protocol):
    """Describe a kind of change: a frozen dataclass whose fields are the recipe's keys.

    `changes` says what it touches: the `plan` of training, the `start` of the prompt, or the `rows`.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    bibtex: ClassVar[str]
    changes: ClassVar[str]

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return changes of a state; where a trained prompt is needed, it is that of the kept one."""
        ...


@runtime_checkable
class Policy(Protocol):
    """Describe which proposals are tried: a frozen dataclass whose fields are the recipe's keys.

    `needs` names a package that does not come with softbridge; empty where there is none.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    bibtex: ClassVar[str]
    needs: ClassVar[str]

    @property
    def trainings(self) -> float:
        """Return the most trainings in full that a round may cost."""
        ...

    def play(self, round: Round) -> Generator[Rung, Sequence[Outcome], None]:
        """Play one round: yield rungs, and be sent what they came to; the last one is judged against the kept state."""
        ...


@dataclass(frozen=True)
class Budget:
    """Say how much a search may spend.

    Arguments:
        rounds: the most rounds, from 0; None where rows alone count.
        rows: the most row-passes on the target, all seeds together and the first training included; None where rounds
            alone count. A pass is a row that is trained on, measured or labelled once.
    """

    rounds: int | None = 8
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.rounds is None and self.rows is None:
            raise RoundsError("rounds is null, and so is rows", "an end of the search", "write rounds: 8")
        for name, value in (("rounds", self.rounds), ("rows", self.rows)):
            if value is not None and value < 0:
                raise RoundsError(f"{name} is {value}", "a whole number from 0", f"raise {name}")


@dataclass(frozen=True)
class Rounds:
    """Say how an arm is optimised in rounds.

    Arguments:
        policy: which proposals are tried.
        moves: the changes that may be proposed, by name.
        budget: when it ends.
        patience: rounds in a row that keep nothing, after which it ends; None goes on.
        level: the chance at which a round may keep a change that helps nothing, above 0, up to 0.5.
    """

    policy: Policy
    moves: Mapping[str, Move]
    budget: Budget = Budget()
    patience: int | None = None
    level: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.level <= 0.5:
            raise RoundsError(f"level is {self.level}", "a chance above 0, up to 0.5", "write level: 0.1")
        if self.patience is not None and self.patience < 1:
            raise RoundsError(f"patience is {self.patience}", "a whole number from 1, or null", "write patience: 3")
        if not self.moves:
            raise RoundsError("moves is empty", "at least one move", "write moves: [rate, longer]")


def factors(name: str, values: Sequence[float]) -> None:
    """Refuse factors that are not above 0, or that change nothing.

    Raises:
        RoundsError: with the first of them.
    """
    for value in values:
        if value <= 0 or value == 1:
            raise RoundsError(f"{name} is with {value:g}", "factors above 0 and other than 1", f"mend {name}")
