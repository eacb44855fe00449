"""Domains: where texts and labels come from, how they are divided, and how they reach a model."""

from softbridge.domains.domain import Domain, OpenDomain
from softbridge.domains.feeds import Feed, tokenise

__all__ = ["Domain", "Feed", "OpenDomain", "tokenise"]
