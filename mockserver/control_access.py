"""Access to the control API: not for pages of other sites, and not without the token if there is one."""

import hmac
import ipaddress
import re
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import Headers, send_error
from mockserver.context import CONTEXT, Context
from mockserver.errors import ApiError, ControlTokenRequired, ForbiddenHost, ForbiddenSite

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:/@\s]+?)\.?)(?::[0-9]*)?")
_OPEN_OPERATIONS = frozenset({"health.get"})


class ControlAccess:
    """A layer that rejects control requests from web pages of other sites, and those without the token.

    `Origin` and `Sec-Fetch-Site` show which page sent a request; pages of `allowed_origins` may. `Host` shows whether
    an attacker has rebound a host name to this machine: it must be a loopback name, the address that the client is
    connected to, or one of `allowed_hosts`. With a token, any `Host` will do, because such a page does not know the
    token. The health check is open to all, because it reveals nothing and health checks have no credentials.
    """

    def __init__(
        self, app: ASGIApp, *, token: str | None, allowed_hosts: Sequence[str], allowed_origins: Sequence[str]
    ) -> None:
        self._app = app
        self._token = token
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._allowed_origins = frozenset(origin.encode() for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope[CONTEXT]
        error = None if context.operation_id in _OPEN_OPERATIONS else self._find_error(scope, context.headers)
        if error is None:
            await self._app(scope, receive, send)
        else:
            await send_error(send, error)

    def _find_error(self, scope: Scope, headers: Headers) -> ApiError | None:
        # The address of the server's socket; test clients put the host of their base URL there.
        server: str = (scope.get("server") or ("",))[0]
        hosts = self._allowed_hosts | {server.lower()}
        origins = [origin for origin in headers.get_all(b"origin") if origin not in self._allowed_origins]
        is_cross_site = b"cross-site" in headers.get_all(b"sec-fetch-site")
        if is_cross_site and (origins or b"origin" not in headers):
            return ForbiddenSite()
        if not all(_is_host_of(hosts, _authority(origin)) for origin in origins):
            return ForbiddenSite()
        if self._token is not None:
            return None if _is_authorised(headers, self._token) else ControlTokenRequired()
        return None if all(_is_host_of(hosts, host) for host in headers.get_all(b"host")) else ForbiddenHost()


def _is_authorised(headers: Headers, token: str) -> bool:
    scheme, _, sent = b", ".join(headers.get_all(b"authorization")).partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(sent.strip(), token.encode())


def _authority(origin: bytes) -> bytes:
    scheme, _, authority = origin.partition(b"://")
    return authority if scheme in (b"http", b"https") else b""


def _is_host_of(hosts: frozenset[str], authority: bytes) -> bool:
    """Return whether a host, with or without a port, is one of `hosts` or a loopback name."""
    match = _HOST.fullmatch(authority.decode("latin-1").lower())
    if match is None:
        return False
    name: str = match[1] or match[2]
    try:
        return name == "localhost" or name in hosts or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
