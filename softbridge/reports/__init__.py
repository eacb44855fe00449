"""Reports read records, and nothing else: tables, curves, and a page that says what was found."""

from softbridge.reports.writing import Report, write

__all__ = ["Report", "write"]
