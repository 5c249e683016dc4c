"""From the choice of a region to a URL and a key: only where the machine's owner wants them to go."""

from __future__ import annotations

import pytest
from wanpack.wan.api.endpoint import (
    Connection,
    choose_region,
    connection_problems,
    is_loopback,
    open_endpoint,
)
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.regions import REGIONS

KEY = "sk-do-not-tell"


@pytest.fixture
def env(bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", KEY)
    return bare_environment


@pytest.fixture
def faults(env, tmp_path):
    """Find the faults of a connection."""

    def find(connection):
        settings = read_settings(tmp_path)
        region, wrong = choose_region(connection, settings)
        return wrong or connection_problems(connection, settings, region=region)

    return find


@pytest.fixture
def opened(env, tmp_path, faults):
    """Open the endpoint of a connection without faults."""

    def open_(connection):
        assert faults(connection) == []
        settings = read_settings(tmp_path)
        return open_endpoint(connection, settings, region=choose_region(connection, settings)[0])

    return open_


# Which region


def test_the_region_is_beijing_where_nothing_is_said(env, tmp_path):
    assert choose_region(Connection(), read_settings(tmp_path)) == (REGIONS["beijing"], [])


@pytest.mark.parametrize("named", ["singapore", " Singapore "])
def test_the_default_region_is_the_owners(env, tmp_path, named):
    env.setenv("DASHSCOPE_REGION", named)
    assert choose_region(Connection("default"), read_settings(tmp_path)) == (REGIONS["singapore"], [])


def test_a_graph_may_choose_another_region_than_the_owners(env, tmp_path):
    env.setenv("DASHSCOPE_REGION", "singapore")
    assert choose_region(Connection("virginia"), read_settings(tmp_path))[0] is REGIONS["virginia"]


def test_the_owner_may_choose_to_be_offline(env, tmp_path):
    env.setenv("DASHSCOPE_REGION", "offline")
    assert choose_region(Connection(), read_settings(tmp_path)) == (REGIONS["offline"], [])


def test_a_region_that_does_not_exist_is_answered_with_the_list(faults):
    assert faults(Connection("mars")) == [
        "region: 'mars' is not a region; choose beijing, singapore, virginia, frankfurt, tokyo, hongkong or offline"
    ]


def test_a_wrong_setting_of_the_owner_is_named_as_such(env, faults):
    env.setenv("DASHSCOPE_REGION", "mars")
    assert faults(Connection()) == [
        "DASHSCOPE_REGION: 'mars' is not a region; choose beijing, singapore, virginia, frankfurt, tokyo, hongkong or "
        "offline"
    ]


# Which URL


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("beijing", "https://dashscope.aliyuncs.com/api/v1"),
        ("singapore", "https://dashscope-intl.aliyuncs.com/api/v1"),
        ("virginia", "https://dashscope-us.aliyuncs.com/api/v1"),
    ],
)
def test_a_region_has_its_shared_address(opened, region, address):
    endpoint = opened(Connection(region))
    assert (endpoint.base_url, endpoint.region.id, endpoint.key.reveal()) == (address, region, KEY)


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("beijing", "https://llm-abc123.cn-beijing.maas.aliyuncs.com/api/v1"),
        ("singapore", "https://llm-abc123.ap-southeast-1.maas.aliyuncs.com/api/v1"),
        ("virginia", "https://llm-abc123.us-east-1.maas.aliyuncs.com/api/v1"),
        ("frankfurt", "https://llm-abc123.eu-central-1.maas.aliyuncs.com/api/v1"),
    ],
)
def test_a_workspace_has_an_address_of_its_own(opened, region, address):
    assert opened(Connection(region, "llm-abc123")).base_url == address
    assert opened(Connection(region, " LLM-abc123 ")).base_url == address


def test_the_workspace_may_be_the_owners(env, opened):
    env.setenv("DASHSCOPE_WORKSPACE_ID", "ws-owner")
    assert opened(Connection("frankfurt")).base_url == "https://ws-owner.eu-central-1.maas.aliyuncs.com/api/v1"
    assert opened(Connection("frankfurt", "ws-graph")).base_url.startswith("https://ws-graph.")


def test_frankfurt_needs_a_workspace(faults):
    assert faults(Connection("frankfurt")) == [
        "workspace_id: Frankfurt is only reachable through a workspace host; enter the workspace id in DashScope "
        "Connection or set DASHSCOPE_WORKSPACE_ID"
    ]


@pytest.mark.parametrize("workspace", ["", "  "])
def test_no_workspace_means_the_shared_address(opened, workspace):
    assert opened(Connection("beijing", workspace)).base_url == "https://dashscope.aliyuncs.com/api/v1"


@pytest.mark.parametrize("workspace", ["a", "7", "llm-abc123", "WS-1", "a" * 63])
def test_a_workspace_id_is_one_part_of_a_host_name(faults, workspace):
    assert faults(Connection("beijing", workspace)) == []


@pytest.mark.parametrize(
    "workspace",
    [
        "evil.com/",
        "evil.com#",
        "evil.com?",
        "a.b",
        "a.",
        "x@y",
        "a:80",
        "a/b",
        "a\\b",
        "a b",
        "-a",
        "a-",
        "a_b",
        "a\nb",
        "a%2e",
        "工作",
        "ａ",
        "{workspace}",
        "a" * 64,
    ],
)
def test_a_workspace_id_cannot_lead_to_another_host(env, faults, workspace):
    [fault] = faults(Connection("beijing", workspace))
    assert fault.startswith("workspace_id: ")
    assert "letters, digits and hyphens only" in fault
    env.setenv("DASHSCOPE_WORKSPACE_ID", workspace)
    assert faults(Connection("beijing")) == [fault]


@pytest.mark.parametrize(
    "address",
    [
        "https://dashscope.example/api/v1",
        "https://dashscope.example:8443/api/v1",
        "http://127.0.0.1:8790/api/v1",
        "http://127.9.9.9/api/v1",
        "http://localhost:8790/api/v1",
        "http://[::1]:8790/api/v1",
    ],
)
def test_the_owner_may_give_another_address(env, opened, address):
    env.setenv("DASHSCOPE_BASE_URL", f" {address}/ ")
    assert opened(Connection("beijing")).base_url == address


@pytest.mark.parametrize(
    "address",
    [
        "http://dashscope.aliyuncs.com/api/v1",
        "http://192.168.1.7/api/v1",
        "http://localhost.evil.com/api/v1",
        "http://127.0.0.1.evil.com/api/v1",
        "http://0.0.0.0/api/v1",
        "ftp://dashscope.example/api/v1",
        "file:///api/v1",
        "dashscope.example/api/v1",
        "//dashscope.example/api/v1",
        "https:///api/v1",
        "https://me@dashscope.example/api/v1",
        "https://me:secret@dashscope.example/api/v1",
        "https://:secret@dashscope.example/api/v1",
        "http://127.0.0.1@evil.com/api/v1",
        "https://dashscope.example/api/v1?key=1",
        "https://dashscope.example/api/v1?",
        "https://dashscope.example/api/v1#",
        "https://[bad/api/v1",
        "https://dashscope.example:port/api/v1",
        "https://dashscope.example:99999/api/v1",
    ],
)
def test_the_key_is_not_sent_to_an_address_that_is_not_safe(env, faults, address):
    env.setenv("DASHSCOPE_BASE_URL", address)
    [fault] = faults(Connection("beijing"))
    assert fault.startswith("DASHSCOPE_BASE_URL: ")
    # It may hold a password.
    assert "secret" not in fault


def test_another_address_stands_in_for_a_workspaces_own(env, opened):
    env.setenv("DASHSCOPE_BASE_URL", "https://proxy.example/api/v1")
    assert opened(Connection("frankfurt")).base_url == "https://proxy.example/api/v1"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.1", "::1"])
def test_this_machine_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", [None, "", "0.0.0.0", "10.0.0.1", "localhost.example", "127.1", "2130706433"])  # noqa: S104 - not bound to
def test_another_machine_is_not_taken_for_this_one(host):
    assert not is_loopback(host)


# Which key


def test_a_missing_key_is_reported_with_what_to_do(env, faults):
    env.delenv("DASHSCOPE_API_KEY")
    [fault] = faults(Connection("singapore"))
    assert fault.startswith("No API key is configured for Singapore. Run python dev.py key in")


@pytest.mark.parametrize("key", ["sk-abc\ndef", "sk-abc\r\ndef", "sk-abc def", "sk-“abc”", "sk-密钥", "sk-a\u200bc"])
def test_a_key_that_cannot_be_one_is_reported_without_quoting_it(env, faults, key):
    env.setenv("DASHSCOPE_API_KEY", key)
    assert faults(Connection("beijing")) == [
        "the API key for Beijing contains a space, a line break or an invalid character; copy it again"
    ]


@pytest.mark.parametrize("key", ["sk-3141592653589793", "sk-ws-A.b_c-d/e+f=", "sk-sp-x", "x", "sk-" + "a" * 200])
def test_the_look_of_a_key_is_not_judged(env, faults, key):
    env.setenv("DASHSCOPE_API_KEY", key)
    assert faults(Connection("beijing")) == []


def test_a_region_is_called_with_its_own_key(env, opened):
    env.setenv("DASHSCOPE_API_KEY_SINGAPORE", "sk-own")
    assert opened(Connection("singapore")).key.reveal() == "sk-own"
    assert opened(Connection("beijing")).key.reveal() == KEY


def test_the_mock_server_needs_neither_key_nor_workspace(env, faults):
    env.delenv("DASHSCOPE_API_KEY")
    env.setenv("DASHSCOPE_BASE_URL", "http://evil.example")
    assert faults(Connection("offline", "not.one")) == []


def test_all_problems_of_a_connection_are_reported_at_once(env, faults):
    env.delenv("DASHSCOPE_API_KEY")
    env.setenv("DASHSCOPE_BASE_URL", "http://evil.example")
    assert len(faults(Connection("frankfurt", "a.b"))) == 3
