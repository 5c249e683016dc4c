"""The owner's keys and settings: where they are read from, and that a key shows itself to nobody."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import pickle
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from platforms import not_on_windows
from wanpack.wan.api.endpoint import Endpoint
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.redaction import Secret, without_secrets

KEY = "sk-do-not-tell-0123456789"


@pytest.fixture
def env(bare_environment):
    return bare_environment


@pytest.fixture
def write(tmp_path, env):
    """Write credentials.toml and read the settings."""

    def write(text, mode=0o600):
        file = tmp_path / "credentials.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
        return read_settings(tmp_path)

    return write


def key(settings, region="beijing"):
    found = settings.key(region)
    return found.reveal() if found else None


# Where they come from


def test_a_machine_without_settings_has_none(env, tmp_path):
    settings = read_settings(tmp_path / "not there")
    assert (key(settings), settings.get("region"), settings.keyed_regions()) == (None, "", [])


def test_the_key_comes_from_the_environment(env, tmp_path):
    env.setenv("DASHSCOPE_API_KEY", f"  {KEY}\n")
    assert key(read_settings(tmp_path)) == KEY


def test_the_key_comes_from_the_file(write):
    assert key(write(f'api_key = " {KEY} "')) == KEY


def test_names_in_the_file_may_be_written_as_in_the_environment(write):
    assert key(write(f'API_KEY = "{KEY}"')) == KEY


def test_a_byte_order_mark_in_the_file_does_no_harm(write):
    assert key(write(b"\xef\xbb\xbf" + f'api_key = "{KEY}"'.encode())) == KEY


def test_a_regions_own_key_comes_before_the_common_one(env, write):
    settings = write('api_key = "common"\napi_key_singapore = "own"')
    assert (key(settings, "singapore"), key(settings, "beijing")) == ("own", "common")
    env.setenv("DASHSCOPE_API_KEY", "env common")
    env.setenv("DASHSCOPE_API_KEY_VIRGINIA", "env own")
    assert (key(settings, "virginia"), key(settings, "beijing")) == ("env own", "env common")


def test_the_environment_comes_before_the_file(env, write):
    settings = write('api_key = "file"\napi_key_singapore = "file own"\nregion = "singapore"')
    env.setenv("DASHSCOPE_API_KEY", "env")
    env.setenv("DASHSCOPE_REGION", "virginia")
    assert [key(settings, region) for region in ("beijing", "singapore")] == ["env", "env"]
    assert settings.get("region") == "virginia"


def test_an_empty_variable_counts_as_not_set(env, write):
    settings = write(f'api_key = "{KEY}"')
    env.setenv("DASHSCOPE_API_KEY", "  ")
    assert key(settings) == KEY


def test_settings_are_read_when_they_are_used_and_not_at_import(env, tmp_path):
    assert key(read_settings(tmp_path)) is None
    env.setenv("DASHSCOPE_API_KEY", KEY)
    assert key(read_settings(tmp_path)) == KEY


def test_the_other_settings_come_from_the_same_two_places(env, write):
    settings = write('region = "singapore"\nworkspace_id = "llm-abc"\nbase_url = "https://a.example/api/v1"')
    names = ("region", "workspace_id", "base_url")
    assert [settings.get(name) for name in names] == ["singapore", "llm-abc", "https://a.example/api/v1"]


def test_what_is_no_text_in_the_file_is_not_used(write):
    settings = write('api_key = 5\nregion = 1.5\n[table]\napi_key = "inner"')
    assert (key(settings), settings.get("region")) == (None, "")


def test_the_regions_with_a_key_of_their_own_are_known(env, write):
    settings = write('api_key = "a"\napi_key_singapore = "b"')
    env.setenv("DASHSCOPE_API_KEY_FRANKFURT", "c")
    assert settings.keyed_regions() == ["singapore", "frankfurt"]


def test_the_folder_can_be_moved(env, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "credentials.toml").write_text(f'api_key = "{KEY}"', "utf-8")
    (moved / "credentials.toml").chmod(0o600)
    env.setenv("DASHSCOPE_WAN_HOME", f" {moved} ")
    settings = read_settings(tmp_path / "home")
    assert (settings.home, key(settings)) == (moved, KEY)


def test_the_moved_folder_may_be_under_the_users_own(env, tmp_path):
    env.setenv("HOME", str(tmp_path))
    env.setenv("USERPROFILE", str(tmp_path))
    env.setenv("DASHSCOPE_WAN_HOME", "~/wan")
    assert read_settings(tmp_path / "home").home == tmp_path / "wan"


@not_on_windows("~name is a folder beside the user's own, whether there is such a user or not")
def test_the_home_of_nobody_is_reported(env, tmp_path):
    env.setenv("DASHSCOPE_WAN_HOME", "~nobody-of-that-name/wan")
    with pytest.raises(InvalidRequest, match="DASHSCOPE_WAN_HOME: the path names an unknown user: ~nobody"):
        read_settings(tmp_path)


def test_the_folder_stays_where_it_is_otherwise(env, tmp_path):
    env.setenv("DASHSCOPE_WAN_HOME", " ")
    assert read_settings(tmp_path / "home").home == tmp_path / "home"


def test_a_missing_key_is_reported_with_the_lines_to_write(env, tmp_path):
    assert read_settings(tmp_path).missing_key("beijing").splitlines() == [
        "No API key is configured for Beijing. Run python dev.py key in the pack's folder, or set DASHSCOPE_API_KEY "
        "(or DASHSCOPE_API_KEY_BEIJING) in the environment that starts ComfyUI, or write this line into "
        f"{tmp_path / 'credentials.toml'}:",
        '      api_key = "sk-..."',
        'To try the graph without a key, free of charge, set region to "offline" in a DashScope Connection.',
    ]


# Quotes around a setting

QUOTED = [
    *(
        '"{}"',
        "'{}'",
        "`{}`",
        "\u201c{}\u201d",
        "\u2018{}\u2019",
        "\u201e{}\u201c",
        "\xab{}\xbb",
        "\uff02{}\uff02",
        "\u300c{}\u300d",
    ),
    *(' "{}" ', '"{}', "{}'", "\"'{}'\"", '" {} "\r\n'),
]


@pytest.mark.parametrize("quoted", QUOTED)
def test_quotes_around_a_key_are_no_part_of_it(quoted, env, write):
    for settings in (write(f"api_key = {json.dumps(quoted.format(KEY))}"), write("")):
        assert key(settings) in (KEY, None)
        env.setenv("DASHSCOPE_API_KEY", quoted.format(KEY))
        assert key(settings) == KEY


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_key_that_is_set_in_quotes_is_known_as_a_secret_in_every_form(quoted, env, tmp_path):
    own = f"{KEY}-{QUOTED.index(quoted)}-in-quotes"
    env.setenv("DASHSCOPE_API_KEY_TOKYO", quoted.format(own))
    read_settings(tmp_path)
    for form in (own, quoted.format(own), json.dumps(quoted.format(own)), quote(quoted.format(own))):
        assert own not in without_secrets(f"no such key: {form}")
        assert "***" in without_secrets(f"no such key: {form}")


def test_quotes_around_the_other_settings_are_no_part_of_them_either(env, tmp_path):
    env.setenv("DASHSCOPE_REGION", '"singapore"')
    env.setenv("DASHSCOPE_BASE_URL", "'https://a.example/api/v1'")
    env.setenv("DASHSCOPE_WAN_HOME", f'"{tmp_path}"')
    settings = read_settings(tmp_path / "home")
    assert [settings.get(name) for name in ("region", "base_url")] == ["singapore", "https://a.example/api/v1"]
    assert settings.home == tmp_path


def test_nothing_but_quotes_counts_as_not_set(env, write):
    env.setenv("DASHSCOPE_API_KEY", '""')
    assert key(write(f'api_key = "{KEY}"')) == KEY


# What is wrong with the file


@pytest.mark.parametrize("text", [f"api_key = {KEY}", f'api_key = "{KEY}', f'api_key = "a"\napi_key = "{KEY}"', KEY])
def test_a_file_that_is_no_toml_is_reported_without_its_lines(write, tmp_path, text, held_by):
    with pytest.raises(InvalidRequest) as caught:
        write(text)
    assert str(tmp_path / "credentials.toml") in str(caught.value)
    assert 'api_key = "sk-..."' in str(caught.value)
    reported = "".join(traceback.format_exception(caught.value))
    held = held_by(caught.value)
    assert held
    assert KEY not in reported + "".join(held)
    assert KEY[:8] not in reported


def test_a_file_in_another_encoding_is_reported(write, tmp_path):
    with pytest.raises(InvalidRequest, match=r"cannot be read \(UnicodeDecodeError\)"):
        write(f'api_key = "{KEY}"'.encode("utf-16"))


def test_a_file_that_cannot_be_read_is_reported(env, tmp_path):
    (tmp_path / "credentials.toml").mkdir()
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_settings(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_file_that_others_can_read_is_warned_of_once(write, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        write(f'api_key = "{KEY}"', 0o644)
    [warning] = caplog.messages
    file = tmp_path / "credentials.toml"
    assert warning == f"{file} is readable by other users of this machine; run: chmod 600 {file}"


def test_a_file_that_only_its_owner_can_read_is_not_warned_of(write, caplog):
    write(f'api_key = "{KEY}"', 0o600)
    assert caplog.messages == []


# That a key shows itself to nobody


@pytest.mark.parametrize(
    "shown",
    [repr, str, "{}".format, "%s".__mod__, "%r".__mod__, lambda secret: f"{secret!a}", lambda secret: str([secret])],
)
def test_a_secret_does_not_show_itself(shown):
    said = shown(Secret(KEY))
    assert said.strip("[]") == "Secret(***)"


def test_a_secret_does_not_show_itself_in_a_padded_format():
    with pytest.raises(TypeError) as caught:
        f"{Secret(KEY):>80}"
    assert KEY not in str(caught.value)


def test_a_secret_does_not_show_itself_in_a_log(caplog):
    logging.getLogger("dashscope_wan").warning("the key %s", Secret(KEY))
    assert caplog.messages == ["the key Secret(***)"]


def test_a_secret_does_not_show_itself_in_a_dataclass(write):
    settings = write(f'api_key = "{KEY}"')
    endpoint = Endpoint(REGIONS["beijing"], "https://a.example", Secret(KEY))
    assert KEY not in repr(settings) + repr(endpoint)
    assert "Secret(***)" in repr(endpoint)


@pytest.mark.parametrize("taken", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_is_not_taken_along(taken):
    with pytest.raises(TypeError) as caught:
        taken(Secret(KEY))
    assert KEY not in str(caught.value)


def test_a_dataclass_with_a_secret_is_not_taken_apart():
    endpoint = Endpoint(REGIONS["beijing"], "https://a.example", Secret(KEY))
    with pytest.raises(TypeError):
        dataclasses.asdict(endpoint)


def test_a_secret_has_no_attributes_to_list():
    with pytest.raises(TypeError):
        vars(Secret(KEY))
    assert Secret(KEY).reveal() == KEY


def test_a_folder_that_is_relative_is_made_absolute_as_the_system_does(env, tmp_path):
    """To Windows "C:wan" is a folder in the current one of drive C, and "\\wan" one of the current drive."""
    env.chdir(tmp_path)
    for given, folder in ((f"{tmp_path.drive}wan", tmp_path / "wan"), (f"{os.sep}wan", Path(tmp_path.anchor, "wan"))):
        env.setenv("DASHSCOPE_WAN_HOME", given)
        assert read_settings(tmp_path / "home").home == folder
