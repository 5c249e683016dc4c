"""The cause of a failed request: derived from the stage of the exchange and from the types of the exceptions.

An exception's own text is never quoted: it can contain the request, the key, or a proxy's password.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy

from ..frozen import frozen
from ..messages import Message, sentences
from .hosts import origin_of
from .http import Deadline, Stage

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables with requests' certificates, of which the first one that is set counts."""

_CHECK_NETWORK = Message("Check the network, then run again.")
_CHECK_PROXY = Message("Check HTTPS_PROXY, and that the proxy is running.")
_PROXY_FORM = Message(
    "Write it as http://host:port or http://name:password@host:port, with special characters of a password "
    "percent-encoded (# as %23, / as %2F, @ as %40), then restart ComfyUI."
)
_INSPECTED = Message(
    "If a company proxy or an antivirus program inspects connections, set REQUESTS_CA_BUNDLE to a file with its "
    "CA certificate (PEM), then restart ComfyUI."
)
_CLOCK = Message("Check this machine's date and time.")
_ADDRESS = Message("Check DASHSCOPE_BASE_URL and the proxy: another server may respond under this name.")
_CERTIFICATES = {
    9: (Message("is not valid yet"), _CLOCK),
    10: (Message("has expired"), sentences(_CLOCK, _INSPECTED)),
    18: (Message("is self-signed"), _INSPECTED),
    19: (Message("comes from an unknown issuer (self-signed)"), _INSPECTED),
    20: (Message("comes from an unknown issuer"), _INSPECTED),
    21: (Message("comes from an unknown issuer"), _INSPECTED),
    62: (Message("is for another host name"), _ADDRESS),
    64: (Message("is for another address"), _ADDRESS),
}
"""The common X509_V_ERR codes of OpenSSL, with a hint for each. Source: openssl/x509_vfy.h."""

_PROXY_LOGIN = 407
_PASSING_REFUSALS = frozenset({408, 425, 429})


@frozen
class Cause:
    """The message and hint of a failure, and whether it is permanent: a retry within seconds is useless."""

    message: str
    hint: str = _CHECK_NETWORK
    permanent: bool = False


def cause_of(error: Exception, url: str, *, limit: Deadline) -> Cause:
    """Return the cause of a failed request."""
    return (_sent if limit.sent else _not_sent)(tuple(_behind(error)), url, limit)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and every error behind it: requests and urllib3 wrap them in many ways."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        one = left.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def _has(errors: tuple[BaseException, ...], *kinds: type[BaseException]) -> bool:
    return any(isinstance(one, kinds) for one in errors)


def _timed_out(errors: tuple[BaseException, ...], limit: Deadline) -> bool:
    # In urllib3 the error of a failed connection is a subclass of a time-out.
    return limit.over or any(
        isinstance(one, (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError))
        and not isinstance(one, urllib3.exceptions.NewConnectionError)
        for one in errors
    )


def _sent(errors: tuple[BaseException, ...], url: str, limit: Deadline) -> Cause:
    host = origin_of(url)[0]
    if _timed_out(errors, limit):
        return Cause(Message("{host} did not respond in time.", host=host))
    if _has(errors, requests.exceptions.InvalidHeader, urllib3.exceptions.InvalidHeader) or any(
        isinstance(one, http.client.HTTPException)
        and not isinstance(one, (http.client.RemoteDisconnected, http.client.IncompleteRead))
        for one in errors
    ):
        return Cause(
            Message("The response of {host} is not valid HTTP.", host=host),
            Message(
                "The response may come from a proxy or gateway: check the network, the proxy and DASHSCOPE_BASE_URL."
            ),
        )
    return Cause(Message("The connection to {host} broke.", host=host))


def _not_sent(errors: tuple[BaseException, ...], url: str, limit: Deadline) -> Cause:
    host = origin_of(url)[0]
    if cause := _settings(errors, url, limit):
        return cause
    if limit.stage is Stage.CONNECTING:
        return _unreachable(errors, host, limit)
    if limit.stage is Stage.PROXY:
        return _proxy(errors, host, limit)
    if limit.stage is Stage.HANDSHAKE:
        return _handshake(errors, host, limit)
    return Cause(
        Message("The request to {host} could not be sent.", host=host),
        Message("Check the key and DASHSCOPE_BASE_URL."),
        permanent=True,
    )


def _settings(errors: tuple[BaseException, ...], url: str, limit: Deadline) -> Cause | None:
    """Return the cause if it is a wrong setting for the proxy or the certificates."""
    starting = limit.stage is Stage.NOTHING
    proxy = select_proxy(url, get_environ_proxies(url)) if url.startswith("https://") else None
    if proxy and starting and _has(errors, requests.exceptions.InvalidSchema) and proxy.lower().startswith("socks"):
        return Cause(
            Message("The proxy is a SOCKS proxy, and its Python package is not installed."),
            Message(
                "Run `pip install pysocks` in ComfyUI's Python and restart ComfyUI, or set HTTPS_PROXY to an HTTP "
                "proxy."
            ),
            permanent=True,
        )
    # The exceptions of requests are OSErrors too.
    unreadable = starting and _has(errors[:1], OSError) and not _has(errors[:1], requests.RequestException)
    if (unreadable or _has(errors, ssl.SSLError)) and (bundle := _unusable_bundle()):
        return Cause(
            Message("The certificates that {bundle} names cannot be read.", bundle=bundle),
            Message(
                "Set {bundle} to an existing file with CA certificates (PEM), or unset it, then restart ComfyUI.",
                bundle=bundle,
            ),
            permanent=True,
        )
    misread = starting and _has(errors, ValueError, urllib3.exceptions.LocationValueError)
    if proxy and (misread or (limit.stage is Stage.CONNECTING and _is_cut(proxy))):
        return Cause(
            Message("The URL of the proxy (HTTPS_PROXY or ALL_PROXY) is malformed."), _PROXY_FORM, permanent=True
        )
    if unreadable:
        return Cause(
            Message("Python's CA certificates cannot be read."),
            Message("Run `pip install --force-reinstall certifi` in ComfyUI's Python and restart ComfyUI."),
            permanent=True,
        )
    return None


def _is_cut(proxy: str) -> bool:
    """Tell whether an unquoted character in a proxy's password cuts its URL short."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        return True
    return "@" in parts.path + parts.query + parts.fragment


def _unusable_bundle() -> str:
    """Return the variable whose certificates cannot be loaded, "" if they can."""
    name = next((name for name in _BUNDLES if os.environ.get(name)), "")
    if not name or Path(os.environ[name]).is_dir():
        return ""
    try:
        ssl.create_default_context(cafile=os.environ[name])
    except (OSError, ValueError):
        return name
    return ""


def _unreachable(errors: tuple[BaseException, ...], host: str, limit: Deadline) -> Cause:
    named, hint = (
        (Message("The proxy {proxy}", proxy=limit.proxy), _CHECK_PROXY) if limit.proxy else (host, _CHECK_NETWORK)
    )
    # The exceptions of PySocks, which need not be installed.
    socks = {type(one).__name__ for one in errors}
    if "SOCKS5AuthError" in socks:
        return _login(limit)
    if socks & {"SOCKS5Error", "SOCKS4Error", "GeneralProxyError"}:
        return Cause(Message("{named} rejected the connection to {host}.", named=named, host=host), hint)
    if _has(errors, socket.gaierror):
        return Cause(Message("{named} cannot be found: its name cannot be resolved (DNS).", named=named), hint)
    if _timed_out(errors, limit):
        return Cause(Message("{named} cannot be reached: connecting took too long.", named=named), hint)
    if _has(errors, ConnectionRefusedError):
        return Cause(Message("{named} cannot be reached: the connection was refused.", named=named), hint)
    return Cause(Message("{named} cannot be reached.", named=named), hint)


def _proxy(errors: tuple[BaseException, ...], host: str, limit: Deadline) -> Cause:
    named, status = Message("The proxy {proxy}", proxy=limit.proxy), limit.proxy_status
    if status == _PROXY_LOGIN:
        return _login(limit)
    if status:
        return Cause(
            Message(
                "{named} rejected the connection to {host} (HTTP {status}).", named=named, host=host, status=status
            ),
            Message("Ask the proxy's administrator to allow this host, or change HTTPS_PROXY or NO_PROXY."),
            permanent=status < 500 and status not in _PASSING_REFUSALS,
        )
    if cause := _certificate(errors, Message("the proxy {proxy}", proxy=limit.proxy)):
        return cause
    if _has(errors, ssl.SSLError):
        return Cause(
            Message("The secure connection to the proxy {proxy} failed.", proxy=limit.proxy),
            Message("For a proxy that uses plain HTTP, as most do, HTTPS_PROXY must begin with http://."),
            permanent=any(getattr(one, "reason", "") == "WRONG_VERSION_NUMBER" for one in errors),
        )
    if _timed_out(errors, limit):
        return Cause(Message("{named} did not respond in time.", named=named), _CHECK_PROXY)
    return Cause(
        Message("{named} closed the connection before it had connected to {host}.", named=named, host=host),
        _CHECK_PROXY,
    )


def _login(limit: Deadline) -> Cause:
    return Cause(
        Message(
            "The proxy {proxy} requires a valid name and password (HTTP {status}).",
            proxy=limit.proxy,
            status=_PROXY_LOGIN,
        ),
        sentences(Message("Set them in HTTPS_PROXY."), _PROXY_FORM),
        permanent=True,
    )


def _handshake(errors: tuple[BaseException, ...], host: str, limit: Deadline) -> Cause:
    if cause := _certificate(errors, host):
        return cause
    late = Message("It did not respond in time.") if _timed_out(errors, limit) else ""
    return Cause(
        sentences(Message("The secure connection to {host} failed in the TLS handshake.", host=host), late),
        Message("A proxy, firewall or antivirus program may interfere: check the network, then run again."),
    )


def _certificate(errors: tuple[BaseException, ...], named: str) -> Cause | None:
    for one in errors:
        # urllib3 itself compares names if OpenSSL does not, and its error has no code.
        own = urllib3.connection.CertificateError  # type: ignore[attr-defined]  # where it is in every version
        if isinstance(one, (ssl.SSLCertVerificationError, own)):
            said, hint = _CERTIFICATES.get(getattr(one, "verify_code", 62), (Message("cannot be verified"), _INSPECTED))
            what = Message(
                "The secure connection to {host} failed: its certificate {problem}.", host=named, problem=said
            )
            return Cause(what, hint, permanent=True)
    return None
