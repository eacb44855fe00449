"""Append-only results: one record for each target and arm of a study."""

from softbridge.records.record import SCHEMA, Record
from softbridge.records.store import append, read

__all__ = ["SCHEMA", "Record", "append", "read"]
