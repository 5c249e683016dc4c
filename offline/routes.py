"""The HTTP side of the mock server: which request is which call, and what a caller may send with it.

It wants its own Host header and no Origin, so that no page in a browser can reach it, by whatever name.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ..wan.catalog.models import MODELS
from ..wan.catalog.regions import API_PATH
from . import handlers
from .responses import HttpError, error_response, oss_error_response
from .state import STATE, On, RecordedRequest, ServerState
from .storage import MAX_FILE_MB

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

logger = logging.getLogger("dashscope_wan")

BODY_LIMIT = 6_291_456
"""Bytes of a JSON body, as measured at the service's gateway (dashscope.md section 8)."""

_noted = ContextVar("noted", default=False)
"""Whether the request that is being answered is in the log."""

_FORM_ROOM = 64 * 1024
UPLOAD_LIMIT = MAX_FILE_MB * 1024 * 1024 + _FORM_ROOM
_LIMITS = {"create": BODY_LIMIT, "upload": UPLOAD_LIMIT}
_RATES = {"query": 20, "list": 20, "cancel": 20, "models": 20, "policy": 100}
"""Calls a second (dashscope.md sections 3 and 4; models: as the others). The rate of create calls stands in the model's
row."""

_WITHOUT_KEY = ("upload", "download")
"""These go to the object storage, which wants a signature and no key."""

_CREATES = "|".join(sorted({re.escape(model.request_format.path) for model in MODELS.values()}))
# The vendor's asynchronous client ends every URL with a slash.
_SLASH = "{slash:/?}"
_ROUTES: tuple[tuple[On, str, str, Handler], ...] = (
    ("create", "POST", f"{API_PATH}{{path:{_CREATES}}}{_SLASH}", handlers.create),
    ("cancel", "POST", f"{API_PATH}/tasks/{{name}}/cancel{_SLASH}", handlers.cancel),
    ("query", "GET", f"{API_PATH}/tasks/{{name}}{_SLASH}", handlers.query),
    ("list", "GET", f"{API_PATH}/tasks{_SLASH}", handlers.list_tasks),
    ("models", "GET", f"{API_PATH}/models{_SLASH}", handlers.list_models),
    ("policy", "GET", f"{API_PATH}/uploads{_SLASH}", handlers.policy),
    ("upload", "POST", f"/upload{_SLASH}", handlers.upload),
    ("download", "GET", "/files/{name}.mp4", handlers.download),
)


def make_app(state: ServerState, *, middlewares: Iterable[Middleware] = ()) -> web.Application:
    """Make the application. `middlewares` come between the checks of a request's head and the reading of its body."""
    app = web.Application(middlewares=[_guard, *middlewares, _answer], client_max_size=UPLOAD_LIMIT)
    app[STATE] = state
    for on, method, path, handler in _ROUTES:
        resource = app.router.add_resource(path, name=on)
        for one in ("GET", "HEAD") if method == "GET" else (method,):
            resource.add_route(one, handler)
    return app


async def record(request: web.Request) -> None:
    """Read the body, but for an upload's, and put the request into the log, once."""
    if not _noted.get():
        _note(request, body=b"" if request.match_info.route.name == "upload" else await request.read())


def _note(request: web.Request, *, body: bytes) -> None:
    _noted.set(True)
    received = RecordedRequest(
        on=request.match_info.route.name,
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=_parsed(body),
        size=request.content_length or 0,
        at=request.app[STATE].clock(),
    )
    request.app[STATE].request_log.add(received)


def _parsed(body: bytes) -> Any:
    if not body.startswith((b"{", b"[")):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what may not even send its body, and date every response by the server's own clock."""
    response: web.StreamResponse | None = _refusal(request)
    try:
        if response is None:
            response = await handler(request)
        else:
            response.force_close()
    finally:
        if not _noted.get():
            _note(request, body=b"")
    response.headers.setdefault("Date", formatdate(request.app[STATE].clock(), usegmt=True))
    return response


def _refusal(request: web.Request) -> web.Response | None:
    """Return the refusal of a request whose head is reason enough; None where it may go on."""
    state, on = request.app[STATE], request.match_info.route.name
    host = state.base_url.removeprefix("http://")
    # A page in a browser may call this machine too; it then says where it comes from, and the pack never does.
    if request.headers.get("Host") not in (host, host.replace("127.0.0.1", "localhost")) or "Origin" in request.headers:
        return error_response(403, code="AccessDenied", message="Access denied.")
    if on is None:
        return error_response(404, code="NotFound", message="Not found!")
    if "Transfer-Encoding" in request.headers:
        message = "You must provide the Content-Length HTTP header."
        return error_response(411, code="MissingContentLength", message=message)
    limit = _LIMITS.get(on, _FORM_ROOM)
    if (request.content_length or 0) > limit:
        if on == "upload":
            message = "Your proposed upload exceeds the maximum allowed size."
            return oss_error_response(400, code="EntityTooLarge", message=message)
        message = f"Exceeded limit on max bytes to request body : {limit}"
        return error_response(400, code="BadRequest.TooLarge", message=message)
    return None if on in _WITHOUT_KEY else _wrong_key(request.headers.get("Authorization", ""), key=state.key)


def _wrong_key(given: str, *, key: str) -> web.Response | None:
    if not given.removeprefix("Bearer").strip():
        return error_response(401, code="InvalidApiKey", message="No API-key provided.")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {key}".encode()):
        return error_response(401, code="InvalidApiKey", message="Invalid API-key provided.")
    return None


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record a call, count it, and turn what its handler raises into a response."""
    await record(request)
    on = request.match_info.route.name or ""
    try:
        if on in _RATES:
            request.app[STATE].rates.check(on, per_second=_RATES[on])
        return await handler(request)
    except HttpError as refused:
        return refused.response
    except (ConnectionError, web.HTTPException):
        raise
    except Exception:
        logger.exception("The mock server failed in a %s call", on)
        return error_response(500, code="InternalError", message="Internal server error!")
