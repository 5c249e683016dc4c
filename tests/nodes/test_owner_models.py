"""The owner's `models.toml` beside `credentials.toml`: what it adds is offered, what is wrong in it is logged."""

from __future__ import annotations

import asyncio

import pytest
from wanpack.nodes import host, model_rules
from wanpack.nodes.connection import DashScopeWanConnection
from wanpack.nodes.text_to_video import DashScopeWanTextToVideo
from wanpack.wan.catalog import jobs
from wanpack.wan.catalog.models import TABLE
from wanpack.wan.errors import InvalidRequest

NEW = """
[[model]]
id = "wan2.8-t2v"
like = "wan2.7-t2v"
"""


@pytest.fixture
def write(standalone_host):
    """Write the file; the tables are as before afterwards."""
    kept = [(table, dict(table)) for table in (TABLE, *jobs._TABLES.values())]
    rows = list(jobs.ALL_ROWS)
    model_rules.load_owner_models.cache_clear()

    def write(text):
        host.data_dir().mkdir(parents=True, exist_ok=True)
        (host.data_dir() / "models.toml").write_text(text, "utf-8")

    yield write
    for table, before in kept:
        table.clear()
        table.update(before)
    jobs.ALL_ROWS[:] = rows
    model_rules.load_owner_models.cache_clear()


def offered():
    choices, options = DashScopeWanTextToVideo.INPUT_TYPES()["required"]["model"]
    assert set(options["dashscope_wan"]["models"]) == set(choices)
    return choices


def test_a_model_of_the_file_is_offered_with_its_rules(write):
    write(NEW)
    assert offered()[-1] == "wan2.8-t2v"


def test_a_retired_model_makes_no_new_video_offline_either(write, bare_environment, own_offline_region):
    write('[[model]]\nid = "wan2.5-t2v-preview"\nretired = "wan2.6-t2v"\n')
    assert "wan2.5-t2v-preview" in offered()
    [connection] = DashScopeWanConnection().connect("offline")
    settings = {"prompt": "a cat", "model": "wan2.5-t2v-preview", "resolution": "480P", "connection": connection}
    with pytest.raises(InvalidRequest, match=r"DashScope has retired wan2\.5-t2v-preview; choose wan2\.6-t2v"):
        asyncio.run(DashScopeWanTextToVideo().generate(**settings))


@pytest.mark.parametrize(
    ("text", "said"),
    [(NEW.replace("like", "lik"), "model wan2.8-t2v: like: choose"), ("[[model", "models.toml cannot be read")],
)
def test_what_is_wrong_in_it_is_logged_and_nothing_else_is_lost(write, caplog, text, said):
    write(text)
    assert "wan2.8-t2v" not in offered()
    assert "wan2.7-t2v" in offered()
    assert len([line for line in caplog.messages if said in line]) == 1
