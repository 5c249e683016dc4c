"""Resolving a connection to the URL and key of the API."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ..catalog.regions import API_PATH, DEFAULT_REGION, REGIONS, Region
from ..errors import InvalidRequest
from ..frozen import frozen
from ..messages import Message
from ..net.hosts import Origin, origin_of
from ..redaction import Secret, contains_secret, register_secret, truncate_redacted
from ..text import format_choices, format_value
from ..values import whole
from .settings import Settings, read_settings

DEFAULT_CHOICE = "default"
MAX_WAIT_MINUTES = 60
MAX_WAIT_MINUTES_LIMIT = 24 * 60
_DNS_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_KEY = r"[!-~]+"


@frozen
class Connection:
    """The connection settings of a graph: never a key, never a URL.

    `region` is an id of the region table, or "default" for the region of the settings. `max_wait_minutes` limits how
    long a node waits for a task that is rendering.
    """

    region: str = DEFAULT_CHOICE
    workspace_id: str = ""
    max_wait_minutes: int = MAX_WAIT_MINUTES

    def __post_init__(self) -> None:
        if type(self.max_wait_minutes) is not int:
            object.__setattr__(self, "max_wait_minutes", whole(self.max_wait_minutes))

    @classmethod
    def of(cls, value: object) -> Connection:
        """Return a node's connection input as a Connection; None means the default.

        Raises:
            InvalidRequest: the value is of another type.
        """
        if value is None:
            return cls()
        if not isinstance(value, cls):
            raise InvalidRequest(
                [Message("connection: connect a DashScope Connection, not a {type}", type=type(value).__name__)]
            )
        return value


@frozen
class Endpoint:
    """A region, the URL of its API and the key for it."""

    region: Region
    base_url: str
    key: Secret

    def __post_init__(self) -> None:
        # From here on the key may be sent, and may come back in a response.
        register_secret(self.key.reveal())

    @property
    def at_workspace(self) -> bool:
        """Whether this is a workspace host, or the mock server, which serves both kinds."""
        return (origin_of(self.base_url)[0] or "").endswith(self.region.workspace_host.removeprefix("{workspace}"))

    @property
    def loopback_origin(self) -> Origin | None:
        """The host and port of an API on this machine: the only local origin that its responses may name."""
        origin = origin_of(self.base_url)
        return origin if is_loopback(origin[0]) else None


def choose_region(connection: Connection, settings: Settings) -> tuple[Region, list[str]]:
    """Return the chosen region, and the problems of the choice."""
    name = connection.region
    source = "region"
    if not isinstance(name, str) or not isinstance(connection.workspace_id, str):
        return REGIONS[DEFAULT_REGION], [Message("region and workspace_id: must be strings")]
    if name == DEFAULT_CHOICE:
        name = settings.get("region").lower() or DEFAULT_REGION
        source = "DASHSCOPE_REGION"
    region = REGIONS.get(name)
    if region is None:
        return REGIONS[DEFAULT_REGION], [
            Message(
                "{input}: {region!r} is not a region; choose {choices}",
                input=source,
                region=truncate_redacted(name, 60),
                choices=format_choices(list(REGIONS)),
            )
        ]
    return region, []


def connection_problems(connection: Connection, settings: Settings, *, region: Region) -> list[str]:
    """Return the problems of the workspace, the URL and the key."""
    if region.simulated:
        return []
    problems: list[str] = []
    workspace = _workspace(connection, settings)
    if contains_secret(workspace) or workspace.lower().startswith("sk-"):
        # It would be part of a host name, which is sent unencrypted.
        problems.append(Message("workspace_id: this looks like an API key, which must not be in a workflow; remove it"))
    elif workspace and not re.fullmatch(_DNS_LABEL, workspace):
        problems.append(
            Message(
                "workspace_id: {workspace!r} is not a workspace id; use letters, digits and hyphens only, such as "
                "llm-abc123",
                workspace=workspace[:60],
            )
        )
    base_url = settings.get("base_url")
    if base_url:
        problems += _url_problems(base_url)
    elif region.needs_workspace and not workspace:
        problems.append(
            Message(
                "workspace_id: {region} is only reachable through a workspace host; enter the workspace id in "
                "DashScope Connection or set DASHSCOPE_WORKSPACE_ID",
                region=region.title,
            )
        )
    key = settings.key(region.id)
    if key is None:
        problems.append(settings.missing_key(region.id))
    elif not re.fullmatch(_KEY, key.reveal()):
        # As a header it would raise an error that quotes it.
        problems.append(
            Message(
                "the API key for {region} contains a space, a line break or an invalid character; copy it again",
                region=region.title,
            )
        )
    return problems


def open_endpoint(connection: Connection, settings: Settings, *, region: Region) -> Endpoint:
    """Return the endpoint of a region whose connection is valid. Blocking: it may start the mock server.

    `DASHSCOPE_BASE_URL` replaces the region's host; a workspace id chooses the workspace's own host.
    """
    if region.simulated:
        if _start_offline is None:
            raise RuntimeError("There is no mock server: the host must register one with use_offline.")
        base_url, offline_key = _start_offline(settings.home)
        return Endpoint(region, base_url, Secret(offline_key))
    key = settings.key(region.id)
    if key is None:
        raise ValueError(f"no key for {region.id}: connection_problems would have reported it")
    base_url = settings.get("base_url").rstrip("/")
    if not base_url:
        workspace = _workspace(connection, settings)
        host = region.workspace_host.format(workspace=workspace.lower()) if workspace else region.shared_host
        base_url = f"https://{host}{API_PATH}"
    return Endpoint(region, base_url, key)


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or URL is this machine itself."""
    if host in (None, ""):
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _workspace(connection: Connection, settings: Settings) -> str:
    return connection.workspace_id.strip() or settings.get("workspace_id")


def _url_problems(base_url: str) -> list[str]:
    """Return the problems of the base URL, which receives the key: https, or http on this machine."""
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return [Message("DASHSCOPE_BASE_URL: is not a valid URL")]
    if not host or "@" in parts.netloc or "?" in base_url or "#" in base_url:
        return [Message("DASHSCOPE_BASE_URL: must be a plain URL such as https://dashscope.aliyuncs.com/api/v1")]
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return []
    return [Message("DASHSCOPE_BASE_URL: the key is only sent over https (http is allowed for this machine)")]


def resolve_endpoint(connection: Connection, home: Path) -> tuple[Region, Settings, list[str]]:
    """Return the region of a connection, the owner's settings, and the problems of both."""
    settings = read_settings(home)
    region, problems = choose_region(connection, settings)
    if not problems:
        problems = connection_problems(connection, settings, region=region)
    if type(connection.max_wait_minutes) is not int or not 1 <= connection.max_wait_minutes <= MAX_WAIT_MINUTES_LIMIT:
        wait = format_value(connection.max_wait_minutes)
        problems.append(
            Message(
                "max_wait_minutes: {wait} is not supported; choose 1 to {most}", wait=wait, most=MAX_WAIT_MINUTES_LIMIT
            )
        )
    return region, settings, problems


_start_offline: Callable[[Path], tuple[str, str]] | None = None


def use_offline(start: Callable[[Path], tuple[str, str]]) -> None:
    """Register the call that starts the mock server of the region `offline`.

    It takes the pack's folder and returns the server's base URL and key.
    """
    global _start_offline  # noqa: PLW0603 - one mock server for the process
    _start_offline = start
