"""The bridges, one line each."""

from __future__ import annotations

from softbridge.bridges.base import Bridge
from softbridge.bridges.none import NoPrompt
from softbridge.bridges.random import Random
from softbridge.bridges.reuse import Reuse
from softbridge.bridges.scratch import Scratch
from softbridge.bridges.spot import Spot

BRIDGES: dict[str, type[Bridge]] = {
    "none": NoPrompt,
    "scratch": Scratch,
    "reuse": Reuse,
    "random": Random,
    "spot": Spot,
}
