"""No test reaches the network: sockets speak to this machine alone, and child processes are told to stay offline."""

import os
import socket

import pytest

# Two workers on two cores: tiny matrices are slower on two threads each. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LOOPBACK = ("127.", "::1", "localhost")
OFFLINE = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "HF_EVALUATE_OFFLINE": "1"}


@pytest.fixture(autouse=True, scope="session")
def offline():
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test wanted to reach {address}; tests work offline, put a fake at the edge")
        return connect(self, address)

    socket.socket.connect = guarded
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(OFFLINE)
    yield
    socket.socket.connect = connect
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
