"""The service's calls: submit, query, cancel, list, upload. One HTTP request each, nothing is repeated here.

Blocking; call it from a thread. Source: the service's API reference and its pages on asynchronous tasks and on
temporary files.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

import requests
import urllib3

from ..catalog.spec import IMG_URL
from ..errors import WanError
from ..net.hosts import BlockedHost, origin_of
from ..net.http import Deadline, trusted_session, untrusted_session
from ..redaction import MASK
from .advice import service_error
from .clock import ServiceClock
from .endpoint import Endpoint
from .errors import NetworkError, ServiceError, UnexpectedResponse
from .network import network_error
from .parsing import as_id, as_url
from .response import ApiResponse, parse_response, read_body, xml_text
from .task import Task, TaskPage, TaskStatus, parse_page, parse_task

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
SUBMIT_SECONDS = 120.0
GRACE_SECONDS = 1.0
"""What a whole response may take longer than silence may."""

UPLOAD_FIELDS = {
    "OSSAccessKeyId": "oss_access_key_id",
    "Signature": "signature",
    "policy": "policy",
    "x-oss-object-acl": "x_oss_object_acl",
    "x-oss-forbid-overwrite": "x_oss_forbid_overwrite",
}
"""The fields of the upload form, and where the permit has their values."""


@dataclass(frozen=True)
class CreatedTask:
    """The service's response to a create call. `server_time`: when, by its clock, in epoch seconds; 0 if unknown."""

    task_id: str
    request_id: str
    server_time: float = 0.0


def _without_locals(call: Callable[P, T]) -> Callable[P, T]:
    """Let a call's errors out without the frames below it: these hold the raw response, which may quote the key."""

    @functools.wraps(call)
    def calling(*args: P.args, **named: P.kwargs) -> T:
        try:
            return call(*args, **named)
        except WanError as error:
            failure = error.with_traceback(None)
        raise failure

    return calling


class _Bearer(requests.auth.AuthBase):
    """Puts the key into the one header it is meant for. An auth object also keeps requests from reading .netrc."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return f"Bearer {MASK}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._endpoint.key.reveal()}"
        return request


class NoKey(requests.auth.AuthBase):
    """Sends no credentials at all: for hosts other than the service's own."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Take away what may be there."""
        request.headers.pop("Authorization", None)
        return request


class Client:
    """Talks to one endpoint. May be used from several threads. `clock` tells the service's time, once it has answered.

    Every call raises `NetworkError` when the service does not answer, `UnexpectedResponse` when its response makes no
    sense, and a `ServiceError` when it refuses.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.clock = ServiceClock()
        self._session = trusted_session(endpoint.base_url)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @_without_locals
    def create_task(self, body: bytes, *, path: str = IMG_URL.path, uses_uploads: bool = False) -> CreatedTask:
        """Create a task from a JSON body of the form that `path` is for.

        `uses_uploads` tells that the body names an `oss://` URL.

        A `NetworkError` with `sent`, or an `UnexpectedResponse`, leaves open whether the task was created.
        """
        headers = {"Content-Type": "application/json", "X-DashScope-Async": "enable"}
        if uses_uploads:
            headers["X-DashScope-OssResourceResolve"] = "enable"
        # On a connection of its own: one kept from an earlier call may be closed by the other side at any moment, and
        # whether the request arrived would then be unknown.
        with trusted_session(self.endpoint.base_url) as session:
            response = self._call("POST", path, headers=headers, data=body, seconds=SUBMIT_SECONDS, session=session)
        output = response.body.get("output")
        task_id = as_id(output.get("task_id")) if isinstance(output, Mapping) else ""
        if not task_id:
            raise UnexpectedResponse(
                "The service took the request but its answer names no task.", http_status=response.http_status
            )
        return CreatedTask(task_id, as_id(response.body.get("request_id")), response.server_time)

    @_without_locals
    def get_task(self, task_id: str) -> Task:
        """Return a task's state. An id the service does not know has the status UNKNOWN."""
        response = self._call("GET", f"/tasks/{quote(task_id, safe='')}", task_id=task_id)
        return parse_task(response.body, task_id=task_id, server_time=response.server_time)

    @_without_locals
    def cancel_task(self, task_id: str) -> bool:
        """Cancel a task. Returns False where the service refuses because it is no longer queued."""
        try:
            response = self._call("POST", f"/tasks/{quote(task_id, safe='')}/cancel", task_id=task_id)
        except ServiceError as error:
            if error.code == "UnsupportedOperation":
                return False
            raise
        # All that the service says when it has done it.
        if not as_id(response.body.get("request_id")):
            raise UnexpectedResponse(
                "The service's answer does not say that it cancelled the task.",
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
        """Store a file with the service for 48 h, for calls of exactly that model, and return its `oss://` URL.

        `suffix` is the ending of the name, such as ".wav": the service judges an audio file by it.
        """
        response = self._call("GET", "/uploads", params={"action": "getPolicy", "model": model_name})
        policy = response.body.get("data")
        if not isinstance(policy, Mapping):
            raise UnexpectedResponse("The service gave no permit to upload.", http_status=response.http_status)
        form = {name: _policy_field(policy, field) for name, field in UPLOAD_FIELDS.items()}
        key = f"{_policy_field(policy, 'upload_dir')}/{uuid.uuid4().hex}{suffix}"
        form |= {"key": key, "success_action_status": "200", "x-oss-content-type": mime}
        self._post_file(_policy_field(policy, "upload_host"), form, data=data, mime=mime)
        return f"oss://{key}"

    def _post_file(self, host: str, form: dict[str, str], *, data: bytes, mime: str) -> None:
        """Send the file to the storage host: without the key, the file last."""
        allowed_local_origin, origin = self.endpoint.loopback_origin, origin_of(host)
        if not origin[0] or (not host.lower().startswith("https://") and origin != allowed_local_origin):
            raise UnexpectedResponse("The service named an upload address that is not https.", http_status=200)
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

    def _send(  # noqa: PLR0913 - what a request consists of, all by name
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
            return (session or self._session).request(
                method, url, auth=auth, timeout=(CONNECT_SECONDS, wait), allow_redirects=False, stream=True, **sent
            )
        except BlockedHost as error:
            failure = UnexpectedResponse(f"The service named an upload address: {error.message}", http_status=200)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = network_error(error, url, limit=limit, task_id=task_id)
        # Raised here and not above: what was caught holds the whole request, and that the key.
        raise failure


def _policy_field(policy: Mapping[str, Any], name: str) -> str:
    """Return a value of an upload permit, which may be a truth where the form wants a text."""
    value = policy.get(name)
    text = as_url(str(value).lower() if isinstance(value, bool) else value)
    if not text:
        raise UnexpectedResponse(f"The upload permit lacks {name!r}.", http_status=200)
    return text
