"""The task panel's routes on ComfyUI's server, under /dashscope_wan/. Only ComfyUI's own page may use them."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ..wan.errors import InvalidRequest, WanError
from ..wan.ledger.errors import LedgerUnavailable
from ..wan.ledger.record import State
from ..wan.messages import Message
from . import host
from .task_panel import TaskPanel, UnknownRecord, public_text, send_task

logger = logging.getLogger("dashscope_wan")

PREFIX = "/dashscope_wan"
MAX_PAGE = 2000
MAX_BODY = 4096
MAX_FILTERS = 50

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


class ForeignOrigin(WanError):
    """The request comes from a page of another origin."""


class InvalidQuery(InvalidRequest):
    """The panel's request is malformed."""

    note = ""


_STATUSES: tuple[tuple[type[WanError], HTTPStatus], ...] = (
    (ForeignOrigin, HTTPStatus.FORBIDDEN),
    (UnknownRecord, HTTPStatus.NOT_FOUND),
    (InvalidRequest, HTTPStatus.BAD_REQUEST),
    (LedgerUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (WanError, HTTPStatus.BAD_GATEWAY),
)


def routes(panel: TaskPanel) -> list[web.RouteDef]:
    """Return the routes with a panel's answers."""

    async def tasks(request: web.Request) -> web.Response:
        query = request.query
        states = _names(query.get("state", ""))
        if unknown := set(states) - {state.value for state in State}:
            raise InvalidQuery([Message("state: {state!r} is not known", state=sorted(unknown)[0][:60])])
        return _json(
            await panel.tasks(
                before=_number(query, "before", default=0, most=2**63 - 1),
                limit=_number(query, "limit", default=100, most=MAX_PAGE) or 1,
                states=states,
                models=_names(query.get("model", "")),
            )
        )

    async def spend(_: web.Request) -> web.Response:
        return _json(await panel.spending())

    async def poster(request: web.Request) -> web.Response:
        made = await panel.poster(request.match_info["id"])
        # The page names the version in the URL; the tag finds a file that was replaced.
        headers = {**_HEADERS, "Cache-Control": "private, max-age=86400", "ETag": f'"{made.tag}"'}
        if f'"{made.tag}"' in request.headers.get("If-None-Match", ""):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=made.data, content_type="image/jpeg", headers=headers)

    async def fetch(request: web.Request) -> web.Response:
        return _json(await panel.fetch(await _field_of(request, "id")), status=HTTPStatus.ACCEPTED)

    async def cancel(request: web.Request) -> web.Response:
        return _json(await panel.cancel(await _field_of(request, "id")))

    async def language(request: web.Request) -> web.Response:
        host.tell_language(await _field_of(request, "language"))
        return _json({"language": host.language()})

    return [
        web.get(f"{PREFIX}/tasks", _answering(tasks)),
        web.get(f"{PREFIX}/spend", _answering(spend)),
        web.get(f"{PREFIX}/poster/{{id}}", _answering(poster)),
        web.post(f"{PREFIX}/fetch", _answering(fetch)),
        web.post(f"{PREFIX}/cancel", _answering(cancel)),
        web.post(f"{PREFIX}/language", _answering(language)),
    ]


def register() -> None:
    """Add the routes to ComfyUI's server, once, and let its pages hear of tasks."""
    table = getattr(host.prompt_server(), "routes", None)
    if table is not None and not any(getattr(one, "path", "").startswith(f"{PREFIX}/") for one in table):
        for route in routes(TaskPanel()):
            table.route(route.method, route.path)(route.handler)
        host.tell_changes(send_task)


def _answering(handler: Handler) -> Handler:
    """Return a handler that checks the origin, and whose errors are JSON: {"error": {"message", "hint"}}."""

    async def answer(request: web.Request) -> web.Response:
        try:
            _check_origin(request)
            return await handler(request)
        except WanError as error:
            return _error(error, next(status for kind, status in _STATUSES if isinstance(error, kind)))
        except Exception:
            logger.exception("the task panel has no answer")
            unexpected = WanError(Message("An unexpected error."), hint=Message("ComfyUI's log has the details."))
            return _error(unexpected, HTTPStatus.INTERNAL_SERVER_ERROR)

    return answer


def _check_origin(request: web.Request) -> None:
    """Admit ComfyUI's own page, programs that are no browser, and the origin that the owner has allowed.

    ComfyUI's own check covers loopback hosts, and in some versions cross-site fetches.

    Raises:
        ForeignOrigin: it is a page of another origin.
    """
    origin = request.headers.get("Origin", "")
    allowed = host.allowed_origin()
    if allowed and allowed in ("*", origin):
        return
    # The browser's own statement: no page can forge it. Without it, an origin must be this host's.
    site = request.headers.get("Sec-Fetch-Site", "")
    own = site in ("same-origin", "none") if site else not origin or _same_host(origin, request.headers.get("Host", ""))
    if not own:
        raise ForeignOrigin(Message("Only ComfyUI's own page may use this."))


def _same_host(origin: str, named: str) -> bool:
    try:
        one, other = urlsplit(origin), urlsplit(f"{urlsplit(origin).scheme}://{named}")
        default = {"http": 80, "https": 443}.get(one.scheme, 0)
        return bool(one.hostname) and (one.hostname, one.port or default) == (other.hostname, other.port or default)
    except ValueError:
        return False


async def _field_of(request: web.Request, name: str) -> str:
    """Return a text of a JSON body."""
    if request.content_type != "application/json" or (request.content_length or 0) > MAX_BODY:
        raise InvalidQuery([Message('the body must be JSON such as {{"{name}": "..."}}', name=name)])
    try:
        body: Any = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, str):
        raise InvalidQuery([Message('the body must be JSON such as {{"{name}": "..."}}', name=name)])
    return found


def _number(query: Any, name: str, *, default: int, most: int) -> int:
    text = query.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidQuery([Message("{input}: must be a whole number", input=name)])
    return min(int(text), most) if text else default


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name][:MAX_FILTERS]


def _json(value: Any, *, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.json_response(value, status=status, headers={**_HEADERS, "Cache-Control": "no-store"})


def _error(error: WanError, status: HTTPStatus) -> web.Response:
    said = {name: public_text(host.in_language(getattr(error, name))) for name in ("message", "hint")}
    if said["message"] != public_text(error.message):
        logger.info("The task panel shows: %s", error.text)
    return _json({"error": said}, status=status)
