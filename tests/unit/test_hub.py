"""A hub that cannot be reached is found out in seconds; one that can is asked, however slow, as its libraries do."""

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants, utils

from softbridge import hub
from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.loading import load
from softbridge.domains.domain import Domain
from softbridge.errors import BackboneError, DataError


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def answering(seconds):
    """Serve a hub that has nothing, and takes its time to say so."""
    asked = []

    class Nothing(BaseHTTPRequestHandler):
        def do_HEAD(self):
            time.sleep(seconds)
            asked.append(self.path)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Nothing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def at(monkeypatch, tmp_path):
    """Set the hub's address, with an empty cache and no proxy."""
    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    def moved(address):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )

    yield moved
    utils.close_session()


@pytest.mark.parametrize(
    "address", ["http://nowhere.invalid", f"http://127.0.0.1:{closed_port()}"], ids=["no such name", "nobody listens"]
)
@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda: load(BackboneSpec("nobody/nothing")), BackboneError),
        (lambda: Domain("hub:nobody/nothing", labels={"a": "a", "b": "b"}).open("x"), DataError),
    ],
    ids=["model", "data"],
)
def test_a_hub_that_cannot_be_reached_costs_seconds(at, address, ask, error, caplog):
    at(address)
    begun = time.monotonic()
    with pytest.raises(error, match="nobody/nothing"):
        ask()
    assert time.monotonic() - begun < 8
    assert f"the hub {address} cannot be reached" in caplog.text
    assert not constants.HF_HUB_OFFLINE


def test_a_slow_hub_is_asked_and_believed(at, caplog):
    with answering(1.0) as (address, asked):
        at(address)
        with pytest.raises(BackboneError, match="nobody/nothing"):
            load(BackboneSpec("nobody/nothing"))
    assert asked[0] == "/nobody/nothing/resolve/main/config.json"
    assert "cannot be reached" not in caplog.text


def test_a_folder_needs_no_hub(at, tmp_path, caplog):
    at("http://nowhere.invalid")
    with hub.asking(str(tmp_path)):
        assert not constants.HF_HUB_OFFLINE
    assert not caplog.text


@pytest.mark.parametrize("kind", ["http", "all"])
def test_a_proxy_is_left_to_find_the_hub(monkeypatch, kind):
    monkeypatch.setattr(hub, "getproxies", lambda: {kind: "http://proxy:3128"})
    assert hub.unreachable("http://nowhere.invalid") is None


def test_a_silent_hub_is_not_waited_for():
    with socket.socket() as full:  # one connection waits unaccepted, and the next is not taken up
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            begun = time.monotonic()
            assert hub.unreachable("http://{}:{}".format(*full.getsockname()), patience=0.3) is not None
            assert time.monotonic() - begun < 3
