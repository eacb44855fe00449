"""Models and data that can be had by name."""

from softbridge.assets.store import describe, fetch, path
from softbridge.assets.table import ASSETS, Asset

__all__ = ["ASSETS", "Asset", "describe", "fetch", "path"]
