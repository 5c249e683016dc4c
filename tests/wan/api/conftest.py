"""A client of the mock server, and what the tests of the service's layer share."""

from __future__ import annotations

import socket

import pytest
from mock_server import MockServer
from small_videos import small_videos
from wanpack.offline.tasks import Timing
from wanpack.wan.api.client import Client
from wanpack.wan.api.endpoint import Endpoint
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.redaction import Secret

FOREVER = Timing(queued=1e6)


@pytest.fixture
def server(bare_environment, server_key):
    """A mock server whose tasks stay queued."""
    with MockServer(region="beijing", key=server_key, timing=FOREVER) as running:
        yield running


@pytest.fixture
def client_for():
    """Make clients that are closed when the test ends."""
    made = []

    def make(base_url, key):
        made.append(Client(Endpoint(REGIONS["beijing"], base_url, Secret(key))))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def client(server, client_for):
    return client_for(server.base_url, server.key)


@pytest.fixture
def closed_port():
    """A port of this machine at which nobody listens: it is bound and not listened to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module", autouse=True)
def videos_are_small():
    """The mock server's videos have a quarter of their width and height, which is quick."""
    with small_videos():
        yield
