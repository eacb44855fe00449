"""The bridges, one line each."""

from __future__ import annotations

from softbridge.bridges.arithmetic import Arithmetic
from softbridge.bridges.attempt import Attempt
from softbridge.bridges.base import Bridge
from softbridge.bridges.ensemble import Ensemble
from softbridge.bridges.grouped import Grouped
from softbridge.bridges.intrinsic import Intrinsic
from softbridge.bridges.mpt import Mpt
from softbridge.bridges.none import NoPrompt
from softbridge.bridges.panda import Panda
from softbridge.bridges.post import Post
from softbridge.bridges.projector import Projector
from softbridge.bridges.proximal import Proximal
from softbridge.bridges.random import Random
from softbridge.bridges.recycle import Recycle
from softbridge.bridges.relative import Relative
from softbridge.bridges.reuse import Reuse
from softbridge.bridges.scratch import Scratch
from softbridge.bridges.snapshots import Snapshots
from softbridge.bridges.spot import Spot

BRIDGES: dict[str, type[Bridge]] = {
    "none": NoPrompt,
    "scratch": Scratch,
    "reuse": Reuse,
    "random": Random,
    "spot": Spot,
    "arithmetic": Arithmetic,
    "grouped": Grouped,
    "attempt": Attempt,
    "panda": Panda,
    "ensemble": Ensemble,
    "snapshots": Snapshots,
    "intrinsic": Intrinsic,
    "proximal": Proximal,
    "mpt": Mpt,
    "recycle": Recycle,
    "relative": Relative,
    "projector": Projector,
    "post": Post,
}
