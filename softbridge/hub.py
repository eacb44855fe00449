"""Whether the hub can be reached at all: where it cannot, its libraries try each file for half a minute."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds in which a hub, however slow, takes up a connection


@contextmanager
def asking(name: str) -> Iterator[None]:
    """Let the hub's libraries read their caches alone, as `HF_HUB_OFFLINE=1` does, while the hub cannot be reached.

    A hub that takes up connections is left to them, with their own patience and their own attempts.

    Arguments:
        name: what is asked for; for a folder that is there, no hub is.
    """
    from huggingface_hub import constants

    at_hand = Path(name).exists() or constants.HF_HUB_OFFLINE
    reason = None if at_hand else unreachable(constants.ENDPOINT)
    if reason is None:
        yield
        return
    log.warning("the hub %s cannot be reached (%s): its cache alone is read", constants.ENDPOINT, reason)
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = False


def unreachable(address: str, patience: float = PATIENCE) -> str | None:
    """Return why no connection can be made to an address; None where one can, or where a proxy makes it.

    Arguments:
        address: a URL.
        patience: seconds for each of IPv4 and IPv6, above 0.

    Example:
        >>> unreachable("http://127.0.0.1:1")
        'Connection refused'
    """
    url = urlsplit(address)
    host = url.hostname or ""
    if {url.scheme, "all"} & set(getproxies()) and not proxy_bypass(host):
        return None
    try:
        found = socket.getaddrinfo(host, url.port or url.scheme, type=socket.SOCK_STREAM)
    except OSError as error:
        return error.strerror or str(error)
    reasons = []
    for place in {family: place for family, *_, place in reversed(found)}.values():  # the first of each family
        try:
            socket.create_connection((str(place[0]), int(place[1])), timeout=patience).close()
        except OSError as error:
            reasons.append(error.strerror or str(error))
        else:
            return None
    return reasons[-1]
