"""Losses: pure functions from logits to one number a row; and their formulas, as a report prints them."""
