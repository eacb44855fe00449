"""Optuna: a model of the outcomes so far says which combination of changes is tried next."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from softbridge.errors import RoundsError
from softbridge.rounds.base import Proposal, Round, Rung, State
from softbridge.seeding import derive

if TYPE_CHECKING:
    from softbridge.rounds.searching import Outcome

Choices = dict[str, int]
MOST = 10_000


@dataclass(frozen=True)
class Optuna:
    """Try one combination of changes a round: at most one of each move, chosen by the tree-structured Parzen estimator.

    `s' = argmax l(s) / g(s)`, where l is the density of the better past outcomes and g that of the others. The study is
    made anew from the outcomes before each round, so that a run that went on chooses as one that was never stopped.

    *Reference*: Akiba, Sano, Yanase, Ohta, Koyama. Optuna: A Next-generation Hyperparameter Optimization Framework. KDD
    2019.

    Arguments:
        startup: rounds that are drawn by chance before the model is asked, from 1.
        seed: draws.
    """

    startup: int = 4
    seed: int = 0

    name: ClassVar[str] = "optuna"
    needs: ClassVar[str] = "optuna"
    reference: ClassVar[str] = (
        "Akiba, Sano, Yanase, Ohta, Koyama. Optuna: A Next-generation Hyperparameter Optimization Framework. KDD 2019."
    )
    bibtex: ClassVar[str] = """@inproceedings{akiba2019optuna,
  title = {{Optuna}: A Next-generation Hyperparameter Optimization Framework},
  author = {Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko and Ohta, Takeru and Koyama, Masanori},
  booktitle = {Proceedings of KDD},
  year = {2019}
}"""

    def __post_init__(self) -> None:
        if self.startup < 1:
            raise RoundsError(f"startup is {self.startup}", "a whole number from 1", "raise startup")

    @property
    def trainings(self) -> float:
        """Return the most trainings in full that a round may cost."""
        return 1.0

    def play(self, round: Round) -> Generator[Rung, Sequence[Outcome], None]:
        """Yield the combination that Optuna asks for, or the nearest that can be tried."""
        choices, space = self.space(round)
        free = {
            state: words
            for state, (words, _) in space.items()
            if state not in round.tried and round.room(round.cost(state, 1.0))
        }
        if not free:
            return
        asked = self.ask(round, choices, space)
        state = min(free, key=lambda one: sum(space[one][1][name] != asked[name] for name in asked))
        yield Rung((Proposal(state, free[state]),))

    def space(self, round: Round) -> tuple[Choices, dict[State, tuple[str, Choices]]]:
        """Return how many choices each move has, 0 for no change; and each combination's words and choices."""
        moves = {move.name: move for move in round.moves}
        choices = {
            name: n for name, move in moves.items() if (n := len(move.propose(round.kept, round.kept, round.known)))
        }
        space: dict[State, tuple[str, Choices]] = {round.kept: ("", {})}
        for name in choices:
            wider: dict[State, tuple[str, Choices]] = {}
            for state, (words, chosen) in space.items():
                wider.setdefault(state, (words, {**chosen, name: 0}))
                for i, one in enumerate(moves[name].propose(state, round.kept, round.known)[: choices[name]]):
                    wider.setdefault(one.state, (f"{words}, {one.words}".strip(", "), {**chosen, name: i + 1}))
            space = dict(list(wider.items())[:MOST])
        return choices, space

    def ask(self, round: Round, choices: Choices, space: dict[State, tuple[str, Choices]]) -> dict[str, Any]:
        """Return the choices that Optuna asks for, told what past states came to."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(
            seed=derive(self.seed, "tpe", round.number) % 2**32, n_startup_trials=self.startup
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        kinds: dict[str, Any] = {
            name: optuna.distributions.CategoricalDistribution(tuple(range(n + 1))) for name, n in choices.items()
        }
        for past in round.past:
            if past.state in space and past.share == 1.0:
                mean = sum(past.scores) / len(past.scores)
                if mean == mean:
                    params = space[past.state][1]
                    study.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=mean))
        return study.ask(kinds).params
