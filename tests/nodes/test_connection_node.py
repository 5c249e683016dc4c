"""The Connection node: regions, workspaces and keys, and what is reported about them before anything is paid."""

from __future__ import annotations

import pytest
from wanpack.wan.api.errors import AuthenticationError
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS

LACKING = [
    (model.id, region.id)
    for model in MODELS.values()
    for region in REGIONS.values()
    if not model.model_id_in(region.id)
]
IN_SINGAPORE = [model for model in MODELS.values() if "singapore" in model.offers]


def in_words(regions):
    titles = [REGIONS[name].title for name in regions]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} or {titles[-1]}"


# Regions and their models


@pytest.mark.parametrize(("model", "region"), LACKING)
def test_a_model_that_the_region_lacks_is_reported_with_the_regions_that_have_it(serve, nodes, refused, model, region):
    [fault] = refused(serve(region), nodes.image_to_video, **nodes.settings_for(model))
    title = REGIONS[region].title
    assert fault.startswith(f"model: {model} is not available in {title}, only in {in_words(MODELS[model].offers)} (")
    # And the models that can be had without another key.
    here = fault.rpartition(f"{title} offers ")[2].split(", ")
    assert here == [row.id for row in MODELS.values() if region in row.offers]


@pytest.mark.parametrize("model", IN_SINGAPORE, ids=lambda model: model.id)
def test_singapore_is_asked_by_its_own_names(serve, nodes, asked, model):
    create = asked(serve("singapore"), nodes.image_to_video, **nodes.settings_for(model.id))
    assert create.body["model"] == model.id.replace("wanx2.1", "wan2.1")


def test_the_nodes_region_goes_before_the_machines(serve, nodes, refused):
    server = serve("beijing")
    faults = refused(
        server, nodes.image_to_video, **nodes.settings_for("wan2.2-i2v-plus"), connection=nodes.connection("virginia")
    )
    assert "wan2.2-i2v-plus is not available in Virginia" in faults[0]


def test_the_default_region_is_the_machines(serve, nodes, asked):
    create = asked(serve("singapore"), nodes.image_to_video, connection=nodes.connection("default"))
    assert create.body["model"] == "wan2.1-i2v-turbo"


@pytest.mark.parametrize("region", ["mars", "", "Beijing"])
def test_a_region_that_there_is_not_is_reported_with_those_that_there_are(live_server, nodes, refused, region):
    [fault] = refused(live_server, nodes.image_to_video, connection=nodes.connection(region))
    assert fault.startswith(
        f"region: {region!r} is not a region; choose beijing, singapore, virginia, frankfurt, tokyo, "
    )


def test_a_machine_set_to_a_region_that_there_is_not_is_reported_with_which_setting_that_is(
    live_server, nodes, refused, bare_environment
):
    bare_environment.setenv("DASHSCOPE_REGION", "mars")
    [fault] = refused(live_server, nodes.image_to_video)
    assert fault.startswith("DASHSCOPE_REGION: 'mars' is not a region")


# Workspaces


def test_a_region_that_is_only_reached_through_a_workspace_says_so(live_server, nodes, refused, bare_environment):
    bare_environment.delenv("DASHSCOPE_BASE_URL")
    [fault] = refused(
        live_server, nodes.image_to_video, **nodes.settings_for("wan2.6-i2v"), connection=nodes.connection("frankfurt")
    )
    assert fault == (
        "workspace_id: Frankfurt is only reachable through a workspace host; enter the workspace id in DashScope "
        "Connection or set DASHSCOPE_WORKSPACE_ID"
    )


@pytest.mark.parametrize(
    "workspace",
    ["evil.com/", "evil.com", "a/b", "a@evil.com", "a b", "-a", "a-", "a:80", "é", "a" * 64, "a?", "a#", "%2e"],
)
def test_a_workspace_is_one_label_of_a_hosts_name_and_nothing_else(live_server, nodes, refused, workspace):
    [fault] = refused(live_server, nodes.image_to_video, connection=nodes.connection("beijing", workspace_id=workspace))
    assert fault == (
        f"workspace_id: {workspace[:60]!r} is not a workspace id; use letters, digits and hyphens only, such as "
        "llm-abc123"
    )


@pytest.mark.parametrize("minutes", [0, -5])
def test_a_waiting_limit_below_a_minute_is_reported(live_server, nodes, refused, minutes):
    connection = nodes.connection("beijing", max_wait_minutes=minutes)
    [fault] = refused(live_server, nodes.image_to_video, connection=connection)
    assert fault == f"max_wait_minutes: {minutes} is not supported; choose 1 to 1440"


# Keys


@pytest.mark.parametrize("region", ["beijing", "singapore", "virginia"])
def test_a_region_without_a_key_says_where_to_write_it_and_how_to_do_without(
    serve, nodes, refused, bare_environment, tmp_path, region
):
    server = serve(region)
    bare_environment.delenv("DASHSCOPE_API_KEY")
    [fault] = refused(server, nodes.image_to_video, **nodes.settings_for("wan2.6-i2v"))
    assert fault.startswith(f"No API key is configured for {REGIONS[region].title}. Run python dev.py key in")
    assert f"DASHSCOPE_API_KEY_{region.upper()}" in fault
    assert str(tmp_path / ".wan" / "credentials.toml") in fault
    assert 'set region to "offline" in a DashScope Connection' in fault


def test_a_key_of_another_region_alone_is_no_key(serve, nodes, refused, bare_environment):
    server = serve("beijing")
    bare_environment.delenv("DASHSCOPE_API_KEY")
    bare_environment.setenv("DASHSCOPE_API_KEY_SINGAPORE", server.key)
    [fault] = refused(server, nodes.image_to_video)
    assert fault.startswith("No API key is configured for Beijing")


def test_what_the_node_gives_is_neither_key_nor_address(nodes):
    given = nodes.connection("singapore", workspace_id=" llm-abc ", max_wait_minutes=5.0)
    assert type(given.max_wait_minutes) is int
    assert vars(given) == {"region": "singapore", "workspace_id": "llm-abc", "max_wait_minutes": 5}


def test_a_refused_key_is_reported_with_its_usual_cause(live_server, nodes, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-of-another-region")
    with pytest.raises(AuthenticationError) as caught:
        nodes.image_to_video()
    reported = str(caught.value)
    assert reported.startswith("DashScope returned HTTP 401, InvalidApiKey")
    assert "it must belong to the region in use" in reported
    assert "choose the region in DashScope Connection" in reported
    assert "sk-of-another-region" not in reported
    # It is the same key for all that a run might still ask, and the first question is free.
    assert [call.on for call in live_server.received] == ["query"]
    assert "Nothing was sent" in reported


def test_a_refused_key_stops_the_rest_of_a_batch_and_is_reported_once(live_server, nodes, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-of-another-region")
    with pytest.raises(AuthenticationError) as caught:
        nodes.image_to_video(image=nodes.image(6))
    assert str(caught.value).count("InvalidApiKey") == 1
    assert len(live_server.received) <= MODELS["wanx2.1-i2v-turbo"].running_limit


def test_a_refused_key_is_reported_by_fetch_task_too(live_server, nodes, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-of-another-region")
    with pytest.raises(AuthenticationError, match="it must belong to the region in use"):
        nodes.fetch("0385dc79-5ff8-4d82-bcb6-000000000000")


# Other regions' keys, when one is refused


@pytest.mark.parametrize("node", ["image_to_video", "fetch"])
def test_a_refused_key_is_reported_with_the_regions_that_have_keys_of_their_own(
    live_server, nodes, bare_environment, node
):
    """They are not tried: no key goes anywhere else."""
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-of-another-region")
    bare_environment.setenv("DASHSCOPE_API_KEY_SINGAPORE", "sk-singapore-1234567890")
    bare_environment.setenv("DASHSCOPE_API_KEY_VIRGINIA", "sk-virginia-1234567890")
    with pytest.raises(AuthenticationError) as caught:
        getattr(nodes, node)(**({"task_id": "an-id"} if node == "fetch" else {}))
    reported = str(caught.value)
    assert "Keys are also set for Singapore and Virginia: " in reported
    assert "choose singapore or virginia in DashScope Connection" in reported
    assert "it must belong to the region in use" in reported
    assert {call.headers["authorization"] for call in live_server.received} == {"Bearer sk-of-another-region"}


def test_a_refused_key_is_reported_the_same_where_no_other_key_is_set(live_server, nodes, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-wrong-1234567890")
    bare_environment.setenv("DASHSCOPE_API_KEY_BEIJING", "sk-wrong-too-1234567890")
    with pytest.raises(AuthenticationError) as caught:
        nodes.image_to_video()
    assert "Keys are also set" not in str(caught.value)
