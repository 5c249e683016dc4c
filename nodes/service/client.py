"""The service's calls: submit, query, cancel, list, upload. One HTTP request each, nothing is repeated here.

Blocking; call it from a thread. Source: the service's API reference and its pages on asynchronous tasks and on
temporary files.
"""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3

from .connection import Endpoint, is_loopback
from .errors import NetworkError, ServiceError, UnexpectedAnswer, service_error
from .task import Task, TaskPage, TaskStatus, read_page, read_task

CREATE_PATH = "/services/aigc/video-generation/video-synthesis"
ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
SUBMIT_SECONDS = 120.0
_SOMETHING_BETWEEN = (
    "Something between here and the service may have answered: check the network and DASHSCOPE_BASE_URL."
)


@dataclass(frozen=True)
class Submitted:
    """The service's answer to a create call."""

    task_id: str
    request_id: str


@dataclass(frozen=True)
class _Answer:
    """An answer of the service that is the JSON object it should be."""

    body: Mapping[str, Any]
    http_status: int


class _Bearer(requests.auth.AuthBase):
    """Puts the key into the one header it is meant for. An auth object also keeps requests from reading .netrc."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

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
    """Talks to one endpoint. May be used from several threads.

    Every call raises `NetworkError` when the service does not answer, `UnexpectedAnswer` when its answer makes no
    sense, and a `ServiceError` when it refuses.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session = self._new_session()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def submit(self, body: bytes, *, uses_uploads: bool = False) -> Submitted:
        """Create a task from a JSON body. `uses_uploads` tells that the body names an `oss://` address.

        A `NetworkError` with `sent`, or an `UnexpectedAnswer`, leaves open whether the task was created.
        """
        headers = {"Content-Type": "application/json", "X-DashScope-Async": "enable"}
        if uses_uploads:
            headers["X-DashScope-OssResourceResolve"] = "enable"
        # On a connection of its own: one kept from an earlier call may be closed by the other side at any moment, and
        # whether the request arrived would then be unknown.
        with self._new_session() as session:
            answer = self._call(
                "POST", CREATE_PATH, headers=headers, data=body, seconds=SUBMIT_SECONDS, session=session
            )
        output = answer.body.get("output")
        task_id = output.get("task_id") if isinstance(output, Mapping) else None
        if not isinstance(task_id, str) or not task_id:
            raise UnexpectedAnswer(
                "The service took the request but its answer names no task.", http_status=answer.http_status
            )
        return Submitted(task_id, str(answer.body.get("request_id") or ""))

    def query(self, task_id: str) -> Task:
        """Return a task's state. An id the service does not know has the status UNKNOWN."""
        return read_task(self._call("GET", f"/tasks/{quote(task_id, safe='')}", task_id=task_id).body, task_id=task_id)

    def cancel(self, task_id: str) -> bool:
        """Cancel a task. Returns False where the service refuses because it is no longer queued."""
        try:
            self._call("POST", f"/tasks/{quote(task_id, safe='')}/cancel", task_id=task_id)
        except ServiceError as error:
            if error.code == "UnsupportedOperation":
                return False
            raise
        return True

    def list(  # noqa: PLR0913 - the query's own fields, all by name
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
        asked = {
            "model_name": model_name,
            "start_time": start_time,
            "end_time": end_time,
            "status": status.value if status else "",
            "page_no": str(page_no),
            "page_size": str(page_size),
        }
        return read_page(self._call("GET", "/tasks/", params={k: v for k, v in asked.items() if v}).body)

    def upload(self, data: bytes, *, model_name: str, suffix: str, mime: str) -> str:
        """Store a file with the service for 48 h, for calls of exactly that model, and return its `oss://` address.

        `suffix` is the ending of the name, such as ".wav": the service judges a sound by it.
        """
        answer = self._call("GET", "/uploads", params={"action": "getPolicy", "model": model_name})
        policy = answer.body.get("data")
        if not isinstance(policy, Mapping):
            raise UnexpectedAnswer("The service gave no permit to upload.", http_status=answer.http_status)
        try:
            key = f"{policy['upload_dir']}/{uuid.uuid4().hex}{suffix}"
            host = str(policy["upload_host"])
            form = {
                "OSSAccessKeyId": policy["oss_access_key_id"],
                "Signature": policy["signature"],
                "policy": policy["policy"],
                "x-oss-object-acl": policy["x_oss_object_acl"],
                "x-oss-forbid-overwrite": str(policy["x_oss_forbid_overwrite"]).lower(),
                "key": key,
                "success_action_status": "200",
                "x-oss-content-type": mime,
            }
        except KeyError as error:
            raise UnexpectedAnswer(f"The upload permit lacks {error}.", http_status=answer.http_status) from None
        self._post_file(host, form, data=data, mime=mime)
        return f"oss://{key}"

    def _post_file(self, host: str, form: dict[str, str], *, data: bytes, mime: str) -> None:
        """Send the file to the storage host: without the key, the file last."""
        parts = urlsplit(host)
        own = urlsplit(self.endpoint.base_url)
        same_machine = is_loopback(own.hostname) and (parts.hostname, parts.port) == (own.hostname, own.port)
        if parts.scheme != "https" and not same_machine:
            raise UnexpectedAnswer("The service named an upload address that is not https.", http_status=200)
        file = {"file": (form["key"].rpartition("/")[2], data, mime)}
        with self._send("POST", host, data=form, files=file, auth=NoKey(), seconds=SUBMIT_SECONDS) as response:
            if response.status_code not in (200, 204):
                said = _read(response, "").decode("utf-8", "replace")
                raise service_error(
                    code=_between(said, "<Code>", "</Code>") or "UploadRefused",
                    message=_between(said, "<Message>", "</Message>"),
                    http_status=response.status_code,
                )

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=20)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        # Over plain http, which is this machine itself, a proxy would see the key.
        session.trust_env = self.endpoint.base_url.startswith("https://")
        return session

    def _call(
        self, method: str, path: str, *, task_id: str = "", seconds: float = READ_SECONDS, **sent: Any
    ) -> _Answer:
        url = self.endpoint.base_url + path
        with self._send(method, url, auth=_Bearer(self.endpoint), seconds=seconds, task_id=task_id, **sent) as response:
            return _judge(response, task_id)

    def _send(  # noqa: PLR0913 - what a request consists of, all by name
        self,
        method: str,
        url: str,
        *,
        auth: requests.auth.AuthBase,
        seconds: float,
        task_id: str = "",
        session: requests.Session | None = None,
        **sent: Any,
    ) -> requests.Response:
        timeout = (CONNECT_SECONDS, seconds)
        try:
            return (session or self._session).request(
                method, url, auth=auth, timeout=timeout, allow_redirects=False, stream=True, **sent
            )
        except requests.exceptions.RequestException as error:
            raise _network_error(error, url, task_id=task_id) from None


def to_json(body: Mapping[str, Any]) -> bytes:
    """Return the bytes of a request body. Chinese stays as it is: escapes would make it longer."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _network_error(error: requests.exceptions.RequestException, url: str, *, task_id: str = "") -> NetworkError:
    """Say what happened on the way. The exception's own text is left out: it can quote the request."""
    host = urlsplit(url).hostname
    sent = _may_have_been_sent(error)
    if isinstance(error, requests.exceptions.SSLError) and not sent:
        what = f"The secure connection to {host} could not be made: its certificate was not accepted."
    elif isinstance(error, requests.exceptions.ProxyError):
        what = f"The proxy did not let the connection to {host} through."
    elif isinstance(error, requests.exceptions.Timeout):
        what = f"{host} did not answer in time."
    elif sent:
        what = f"The connection to {host} broke."
    else:
        what = f"{host} cannot be reached."
    return NetworkError(what, sent=sent, do="Check the network, then run again.", task_id=task_id)


def _may_have_been_sent(error: requests.exceptions.RequestException) -> bool:
    """Tell whether the request may have left this machine: no, when no connection was ever made."""
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError, ValueError)):
        return False
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, requests.exceptions.SSLError):
        return not isinstance(reason.args[0] if reason and reason.args else None, ssl.SSLCertVerificationError)
    return not isinstance(reason, urllib3.exceptions.NewConnectionError)


def _read(response: requests.Response, task_id: str) -> bytes:
    """Read an answer of bounded size in bounded time."""
    held = bytearray()
    until = time.monotonic() + SUBMIT_SECONDS
    try:
        for chunk in response.iter_content(65536):
            held += chunk
            if len(held) > ANSWER_BYTES or time.monotonic() > until:
                raise UnexpectedAnswer(
                    "The service's answer does not end.",
                    http_status=response.status_code,
                    do=_SOMETHING_BETWEEN,
                    task_id=task_id,
                )
    except requests.exceptions.RequestException as error:
        raise _network_error(error, response.url, task_id=task_id) from None
    return bytes(held)


def _judge(response: requests.Response, task_id: str) -> _Answer:
    """Turn an answer into its JSON object, or into the error that it is."""
    status = response.status_code
    try:
        body = json.loads(_read(response, task_id))
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and 200 <= status < 300 and not _is_refusal(body):
        return _Answer(body, status)
    if isinstance(body, dict) and (code := _text(body, "code")):
        raise _with_pause(
            service_error(
                code=code,
                message=_text(body, "message"),
                http_status=status,
                task_id=task_id,
                request_id=_text(body, "request_id"),
            ),
            response,
        )
    if 300 <= status < 400:
        raise UnexpectedAnswer(
            f"The service answered with a redirect (HTTP {status}), which is not followed.",
            http_status=status,
            do="Check DASHSCOPE_BASE_URL.",
            task_id=task_id,
        )
    if status >= 400 and status < 500:
        raise _with_pause(service_error(code="", message="", http_status=status, task_id=task_id), response)
    raise UnexpectedAnswer(
        f"The service's answer (HTTP {status}) is not the JSON it should be.",
        http_status=status,
        do=_SOMETHING_BETWEEN,
        task_id=task_id,
    )


def _is_refusal(body: Mapping[str, Any]) -> bool:
    return bool(body.get("code")) and "output" not in body


def _with_pause(error: ServiceError, response: requests.Response) -> ServiceError:
    """Note how long the service asks to wait, where it does, in seconds."""
    asked = response.headers.get("Retry-After", "")
    error.retry_after = float(asked) if asked.isascii() and asked.isdigit() else None
    return error


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value[:2000] if isinstance(value, str) else ""


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0][:500]
