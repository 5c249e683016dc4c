"""Which of the owner's other keys work: found out free, quickly, and without a key going where it is not meant."""

from __future__ import annotations

import time

import pytest
from wanpack.offline.faults import ErrorResponse, Stalled
from wanpack.offline.server import OfflineServer
from wanpack.offline.tasks import Timing
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.tasks import probe
from wanpack.wan.tasks.probe import PROBE_SECONDS, working_regions


@pytest.fixture
def regions(bare_environment, tmp_path):
    """Mock servers for regions that the owner has keys for, and what `working_regions` finds out about them."""
    running = {}

    class Regions:
        def add(self, region, *, key=None, in_file=False):
            server = OfflineServer(region=region, timing=Timing(scale=0)).start()
            running[region] = server
            key = key or server.key
            if in_file:
                (tmp_path / "credentials.toml").write_text(f'api_key_{region} = "{key}"\n')
                (tmp_path / "credentials.toml").chmod(0o600)
            else:
                bare_environment.setenv(f"DASHSCOPE_API_KEY_{region.upper()}", key)
            return server

        def working(self, but="beijing", **settings):
            return working_regions(
                read_settings(tmp_path), but=but, address_of=lambda region: running[region.id].base_url, **settings
            )

    yield Regions()
    for server in running.values():
        server.stop()


def test_the_regions_whose_own_keys_work_are_found(regions):
    regions.add("singapore")
    regions.add("virginia", key="sk-wrong")
    assert regions.working() == ["singapore"]


def test_a_key_in_the_file_is_tried_as_well(regions):
    regions.add("virginia", in_file=True)
    assert regions.working() == ["virginia"]


def test_a_probe_is_one_free_query_with_that_regions_own_key(regions, bare_environment):
    bare_environment.setenv("DASHSCOPE_WORKSPACE_ID", "llm-abc")
    server = regions.add("singapore")
    regions.working()
    [call] = server.received
    assert (call.on, call.path) == ("query", "/api/v1/tasks/00000000-0000-0000-0000-000000000000")
    assert call.headers["authorization"] == f"Bearer {server.key}"
    assert server.tasks == []


def test_the_region_that_refused_is_not_asked_again(regions):
    server = regions.add("singapore")
    assert regions.working(but="singapore") == []
    assert server.received == []


def test_a_region_without_a_key_of_its_own_is_not_asked(regions, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-common")
    assert regions.working() == []


def test_a_key_that_calls_would_not_use_is_not_tried(regions, bare_environment):
    # The environment goes before the file: the advice to choose that region would be wrong.
    server = regions.add("singapore", in_file=True)
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-common")
    assert regions.working() == []
    assert server.received == []


def test_nobody_is_asked_where_the_address_was_set_by_hand(regions, bare_environment):
    server = regions.add("singapore")
    bare_environment.setenv("DASHSCOPE_BASE_URL", "https://gateway.example/api/v1")
    assert regions.working() == []
    assert server.received == []


def test_a_region_that_needs_a_workspace_is_only_asked_where_the_owner_named_one(regions, bare_environment):
    server = regions.add("frankfurt")
    assert regions.working() == []
    assert server.received == []
    bare_environment.setenv("DASHSCOPE_WORKSPACE_ID", "llm-abc")
    assert regions.working() == ["frankfurt"]


@pytest.mark.parametrize("fault", [Stalled(sent=0), ErrorResponse()])
def test_a_region_that_does_not_response_well_does_not_hide_the_others(regions, fault):
    regions.add("virginia").faults.add(on="query", fault=fault)
    regions.add("singapore")
    began = time.monotonic()
    assert regions.working(seconds=0.5) == ["singapore"]
    assert time.monotonic() - began < 2


def test_all_regions_together_are_waited_for_as_long_as_one(regions):
    for region in ("singapore", "virginia"):
        regions.add(region).faults.add(on="query", fault=Stalled(sent=0))
    began = time.monotonic()
    assert regions.working(seconds=0.4) == []
    assert time.monotonic() - began < 0.7


def test_an_error_is_not_kept_back_for_five_seconds():
    assert PROBE_SECONDS < 5


def test_each_regions_key_is_meant_for_that_regions_own_host(bare_environment, tmp_path):
    bare_environment.setenv("DASHSCOPE_WORKSPACE_ID", "llm-abc")
    for region in REGIONS:
        bare_environment.setenv(f"DASHSCOPE_API_KEY_{region.upper()}", f"sk-{region}")
    settings = read_settings(tmp_path)
    found = {name: probe._endpoint(row, settings, None) for name, row in REGIONS.items() if name != "offline"}
    assert {name: (one.base_url, one.key.reveal()) for name, one in found.items()} == {
        "beijing": ("https://dashscope.aliyuncs.com/api/v1", "sk-beijing"),
        "singapore": ("https://dashscope-intl.aliyuncs.com/api/v1", "sk-singapore"),
        "virginia": ("https://dashscope-us.aliyuncs.com/api/v1", "sk-virginia"),
        "frankfurt": ("https://llm-abc.eu-central-1.maas.aliyuncs.com/api/v1", "sk-frankfurt"),
        "tokyo": ("https://llm-abc.ap-northeast-1.maas.aliyuncs.com/api/v1", "sk-tokyo"),
        "hongkong": ("https://cn-hongkong.dashscope.aliyuncs.com/api/v1", "sk-hongkong"),
    }
