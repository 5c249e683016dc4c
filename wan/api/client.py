"""The service's API: create, get, cancel, list, upload. One HTTP request each, without retries.

Blocking; call it from a thread. Source: the service's API reference and its pages on asynchronous tasks and on
temporary files.
"""

from __future__ import annotations

import functools
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

import requests
import urllib3

from ..catalog.media import IMG_URL
from ..errors import WanError
from ..frozen import frozen
from ..messages import Message
from ..net.hosts import BlockedHost, origin_of
from ..net.http import Deadline, trusted_session, untrusted_session
from ..redaction import MASK
from .advice import service_error
from .endpoint import Endpoint
from .errors import NetworkError, ServiceError, UnexpectedResponse
from .network import network_error
from .response import ApiResponse, as_id, as_url, parse_response, read_body, xml_text
from .task import Task, TaskPage, TaskStatus, parse_page, parse_task

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
SUBMIT_SECONDS = 120.0
GRACE_SECONDS = 1.0
"""Seconds that a whole response may take beyond the read timeout."""

FRESH_SECONDS = 60.0
"""Seconds for which a response's time is extrapolated: system sleep stops the monotonic clock."""

UPLOAD_FIELDS = {
    "OSSAccessKeyId": "oss_access_key_id",
    "Signature": "signature",
    "policy": "policy",
    "x-oss-object-acl": "x_oss_object_acl",
    "x-oss-forbid-overwrite": "x_oss_forbid_overwrite",
}
"""The fields of the upload form, and the policy's fields with their values."""


@frozen
class _Reading:
    server_time: float
    monotonic: float
    wall: float


class ServiceClock:
    """The service's time in epoch seconds, known after the first response. Thread-safe.

    It is taken from responses: the local clock may be wrong, and may be set at any moment.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def observe(self, server_time: float) -> None:
        """Take the time of a response that has just arrived; 0 if it has none."""
        if server_time > 0:
            with self._lock:
                self._reading = _Reading(server_time, time.monotonic(), time.time())

    def now(self) -> float:
        """Return the service's time; 0 if no recent response had one."""
        with self._lock:
            reading = self._reading
        if reading is None:
            return 0.0
        passed = time.monotonic() - reading.monotonic
        # Sleep stops the monotonic clock, and setting the time moves the wall clock. If they differ, neither counts.
        steady = abs(time.time() - reading.wall - passed) < FRESH_SECONDS
        return reading.server_time + passed if steady and passed < FRESH_SECONDS else 0.0


@frozen
class CreatedTask:
    """The service's response to a create request. `server_time` is its time in epoch seconds, 0 if unknown."""

    task_id: str
    request_id: str
    server_time: float = 0.0


def _without_locals(call: Callable[P, T]) -> Callable[P, T]:
    """Strip the traceback from a call's errors: its frames hold the raw response, which may quote the key."""

    @functools.wraps(call)
    def calling(*args: P.args, **named: P.kwargs) -> T:
        try:
            return call(*args, **named)
        except WanError as error:
            failure = error.with_traceback(None)
        raise failure

    return calling


class _Bearer(requests.auth.AuthBase):
    """Puts the key into the Authorization header. An auth object also keeps requests from reading .netrc."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return f"Bearer {MASK}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._endpoint.key.reveal()}"
        return request


class NoKey(requests.auth.AuthBase):
    """Sends no credentials: for hosts other than the service's own."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Remove the Authorization header."""
        request.headers.pop("Authorization", None)
        return request


class Client:
    """A thread-safe client of one endpoint. `clock` has the service's time after the first response.

    Every call raises `NetworkError` if there is no response, `UnexpectedResponse` if the response is malformed, and a
    `ServiceError` if the service reports an error.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.clock = ServiceClock()
        self._opening = threading.Lock()
        self._opened: requests.Session | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            if self._opened:
                self._opened.close()

    def _session(self) -> requests.Session:
        """Return the session of all calls but `create_task`."""
        with self._opening:
            self._opened = self._opened or trusted_session(self.endpoint.base_url)
            return self._opened

    @_without_locals
    def create_task(self, body: bytes, *, path: str = IMG_URL.path, uses_uploads: bool = False) -> CreatedTask:
        """Create a task from a JSON body in the format of `path`.

        `uses_uploads` says that the body contains an `oss://` URL. After a `NetworkError` with `sent`, or an
        `UnexpectedResponse`, it is unknown whether the task was created.
        """
        headers = {"Content-Type": "application/json", "X-DashScope-Async": "enable"}
        if uses_uploads:
            headers["X-DashScope-OssResourceResolve"] = "enable"
        # On a new connection: the server may close a kept one at any moment, and whether the request arrived would
        # then be unknown.
        with trusted_session(self.endpoint.base_url) as session:
            response = self._call("POST", path, headers=headers, data=body, seconds=SUBMIT_SECONDS, session=session)
        output = response.body.get("output")
        task_id = as_id(output.get("task_id")) if isinstance(output, Mapping) else ""
        if not task_id:
            raise UnexpectedResponse(
                Message("DashScope's response to the request contains no task id."), http_status=response.http_status
            )
        return CreatedTask(task_id, as_id(response.body.get("request_id")), response.server_time)

    @_without_locals
    def get_task(self, task_id: str) -> Task:
        """Return a task. An id that the service does not know has the status UNKNOWN."""
        response = self._call("GET", f"/tasks/{quote(task_id, safe='')}", task_id=task_id)
        return parse_task(response.body, task_id=task_id, server_time=response.server_time)

    @_without_locals
    def cancel_task(self, task_id: str) -> bool:
        """Cancel a task. Returns False if it has left the queue."""
        try:
            response = self._call("POST", f"/tasks/{quote(task_id, safe='')}/cancel", task_id=task_id)
        except ServiceError as error:
            if error.code == "UnsupportedOperation":
                return False
            raise
        # The only content of a successful response.
        if not as_id(response.body.get("request_id")):
            raise UnexpectedResponse(
                Message("DashScope's response does not confirm that the task was cancelled."),
                http_status=response.http_status,
                task_id=task_id,
            )
        return True

    @_without_locals
    def list_tasks(  # noqa: PLR0913 - the query's own fields, all by name
        self,
        *,
        model_name: str = "",
        start_time: str = "",
        end_time: str = "",
        status: TaskStatus | None = None,
        page_no: int = 1,
        page_size: int = 10,
    ) -> TaskPage:
        """Return one page of the account's tasks. Times are `YYYYMMDDhhmmss`, at most 24 h apart."""
        parameters = {
            "model_name": model_name,
            "start_time": start_time,
            "end_time": end_time,
            "status": status.value if status else "",
            "page_no": str(page_no),
            "page_size": str(page_size),
        }
        response = self._call("GET", "/tasks/", params={k: v for k, v in parameters.items() if v})
        return parse_page(response.body, server_time=response.server_time)

    @_without_locals
    def upload_file(self, data: bytes, *, model_name: str, suffix: str, mime: str) -> str:
        """Upload a file for 48 h, for requests of this model only, and return its `oss://` URL.

        `suffix` is the file name suffix, such as ".wav": the service checks that of an audio file.
        """
        response = self._call("GET", "/uploads", params={"action": "getPolicy", "model": model_name})
        policy = response.body.get("data")
        if not isinstance(policy, Mapping):
            raise UnexpectedResponse(Message("DashScope returned no upload policy."), http_status=response.http_status)
        form = {name: _policy_field(policy, field) for name, field in UPLOAD_FIELDS.items()}
        key = f"{_policy_field(policy, 'upload_dir')}/{secrets.token_hex(16)}{suffix}"
        form |= {"key": key, "success_action_status": "200", "x-oss-content-type": mime}
        self._post_file(_policy_field(policy, "upload_host"), form, data=data, mime=mime)
        return f"oss://{key}"

    def _post_file(self, host: str, form: dict[str, str], *, data: bytes, mime: str) -> None:
        """Send the file to the storage host, without the API key and as the last field."""
        allowed_local_origin, origin = self.endpoint.loopback_origin, origin_of(host)
        if not origin[0] or (not host.lower().startswith("https://") and origin != allowed_local_origin):
            raise UnexpectedResponse(Message("DashScope returned an upload URL that is not https."), http_status=200)
        file = {"file": (form["key"].rpartition("/")[2], data, mime)}
        limit = Deadline(SUBMIT_SECONDS + GRACE_SECONDS, sending=len(data))
        with limit, untrusted_session(allowed_local_origin) as session:
            with self._send(
                "POST", host, data=form, files=file, auth=NoKey(), limit=limit, wait=SUBMIT_SECONDS, session=session
            ) as response:
                if response.status_code in (200, 204):
                    return
                body = read_body(response, limit=limit).decode("utf-8", "replace")
            raise service_error(
                code=xml_text(body, "<Code>", "</Code>") or "UploadRefused",
                message=xml_text(body, "<Message>", "</Message>"),
                http_status=response.status_code,
            )

    def _call(
        self, method: str, path: str, *, task_id: str = "", seconds: float | None = None, **sent: Any
    ) -> ApiResponse:
        wait = seconds or READ_SECONDS
        url = self.endpoint.base_url + path
        auth = _Bearer(self.endpoint)
        with (
            Deadline(wait + GRACE_SECONDS, sending=len(sent.get("data", b""))) as limit,
            self._send(method, url, auth=auth, limit=limit, wait=wait, task_id=task_id, **sent) as response,
        ):
            parsed = parse_response(response, limit=limit, task_id=task_id)
        self.clock.observe(parsed.server_time)
        return parsed

    def _send(  # noqa: PLR0913 - the parts of a request, all by name
        self,
        method: str,
        url: str,
        *,
        auth: requests.auth.AuthBase,
        limit: Deadline,
        wait: float,
        task_id: str = "",
        session: requests.Session | None = None,
        **sent: Any,
    ) -> requests.Response:
        failure: NetworkError | UnexpectedResponse
        try:
            return (session or self._session()).request(
                method, url, auth=auth, timeout=(CONNECT_SECONDS, wait), allow_redirects=False, stream=True, **sent
            )
        except BlockedHost as error:
            failure = UnexpectedResponse(
                Message("DashScope's upload URL is blocked: {reason}", reason=error.message), http_status=200
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = network_error(error, url, limit=limit, task_id=task_id)
        # Raised outside the except block: the caught exception holds the request with the key.
        raise failure


def _policy_field(policy: Mapping[str, Any], name: str) -> str:
    """Return a field of the upload policy as form text; booleans become lower case."""
    value = policy.get(name)
    text = as_url(str(value).lower() if isinstance(value, bool) else value)
    if not text:
        raise UnexpectedResponse(Message("DashScope's upload policy lacks {field!r}.", field=name), http_status=200)
    return text
