"""Host checks for URLs from responses: only public hosts are allowed, not this machine or its network."""

from __future__ import annotations

import re
import socket
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from ..errors import DownloadFailed, WanError
from ..messages import Message

Origin = tuple[str, int]
"""A host name and a port."""

PORTS = {"http": 80, "https": 443}
MAX_ADDRESSES = 4
"""Number of a name's addresses that are tried."""

_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "home.arpa")
# IANA's special-purpose registries, with the multicast and reserved ranges. Python's `is_global` differs between
# releases. The public anycast addresses in these ranges (192.0.0.9, 2001:1::1) serve no videos.
_SPECIAL = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
)
_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 that is assigned to public hosts."""

_NAT64 = IPv6Network("64:ff9b::/96")
# The addresses that transparent proxies (Clash, sing-box) return for every name, which they resolve themselves.
_FAKE_IPS = ip_network("198.18.0.0/15")


class BlockedHost(WanError):
    """The host is private or local. Nothing was sent."""


def validate_url(url: str) -> None:
    """Reject a URL that cannot be a video's. Its host is checked on connecting.

    Raises:
        DownloadFailed: the URL is not http or https, or has no host.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in ("", "http", "https"):
        told = Message("The video's URL must be http or https; it begins with '{scheme}:'.", scheme=scheme[:20])
        raise DownloadFailed(told)
    if not scheme or not host:
        raise DownloadFailed(Message("The video's URL is invalid."))


def origin_of(url: str) -> Origin:
    """Return the host and the port of an http(s) URL; ("", 0) if it has none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0))
    except ValueError:
        return ("", 0)


def require_public_host(host: str) -> None:
    """Reject a host that is private or local, as far as that is known without DNS.

    Raises:
        BlockedHost: the host is a private address, a number that stands for an address, or a local name.
    """
    name = host.strip("[]").rstrip(".").lower()
    try:
        private = not is_public(name)
    except ValueError:
        last = name.rpartition(".")[2]
        # "127.1", "0x7f.1" and "2130706433" are addresses to a resolver.
        number = re.fullmatch(r"\d+|0x[0-9a-f]*", last) is not None
        private = number or "." not in name or name.endswith(tuple(f".{local}" for local in _LOCAL_NAMES))
    if private:
        raise _blocked(host)


def is_public(address: str) -> bool:
    """Tell whether an IP address is public. Raises ValueError if it is not an address."""
    return _is_public(ip_address(address.partition("%")[0]))


def public_addresses(host: str, port: int) -> list[str]:
    """Resolve a host and return its public addresses, the only ones to connect to.

    Raises:
        BlockedHost: the host has no public address.
        OSError, UnicodeError: the host cannot be resolved.
    """
    require_public_host(host)
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    public = [address for address in dict.fromkeys(found) if is_public(address) or _is_fake_ip(address)]
    if not public:
        raise _blocked(host)
    return public[:MAX_ADDRESSES]


class PublicOnlyConnection:
    """Connects to public addresses only, and to the very address that was checked: a name is resolved once."""

    allowed_local_origin: Origin | None = None
    host: str
    port: int
    timeout: Any
    source_address: Any
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        """Return a connected socket. Raises BlockedHost before anything is sent."""
        if (self.host.strip("[]").lower(), self.port) == self.allowed_local_origin:
            return super()._new_conn()  # type: ignore[misc,no-any-return]  # each connection has it
        failure: Exception | None = None
        try:
            for address in public_addresses(self.host, self.port):
                try:
                    return create_connection(
                        (address, self.port),
                        self.timeout,
                        source_address=self.source_address,
                        socket_options=self.socket_options,
                    )
                except OSError as error:
                    failure = error
        except (OSError, UnicodeError) as error:
            failure = error
        raise NewConnectionError(self, f"Failed to connect: {failure}") from failure  # type: ignore[arg-type]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST:
            return False
    return not any(address in network for network in _special_networks())


def _blocked(host: str) -> BlockedHost:
    return BlockedHost(Message("{host} is a private or local address; request blocked.", host=host[:100]))


@cache
def _special_networks() -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, _SPECIAL))


def _is_fake_ip(address: str) -> bool:
    return ip_address(address.partition("%")[0]) in _FAKE_IPS
