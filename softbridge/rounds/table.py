"""The policies and the moves, one line each."""

from __future__ import annotations

from softbridge.rounds.base import Move, Policy
from softbridge.rounds.greedy import Greedy
from softbridge.rounds.length import Length
from softbridge.rounds.longer import Longer
from softbridge.rounds.mixture import Mixture
from softbridge.rounds.optuna_tpe import Optuna
from softbridge.rounds.pseudo import Pseudo
from softbridge.rounds.rate import Rate
from softbridge.rounds.renew import Renew
from softbridge.rounds.successive_halving import SuccessiveHalving

POLICIES: dict[str, type[Policy]] = {
    "greedy": Greedy,
    "successive_halving": SuccessiveHalving,
    "optuna": Optuna,
}

MOVES: dict[str, type[Move]] = {
    "rate": Rate,
    "longer": Longer,
    "length": Length,
    "renew": Renew,
    "pseudo": Pseudo,
    "mixture": Mixture,
}
