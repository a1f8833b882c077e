"""Keeps other web pages from using a server on this machine, and headers on answers."""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing from elsewhere, no script in the page itself, and nobody frames it. Pictures
# come inside of the answers, the player plays the visitor's own file.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# What browsers say of requests by the page itself, or by the visitor.
_OWN = ("same-origin", "none")


def guarded(app: ASGIApp, host: str, proxies: frozenset[str]) -> ASGIApp:
    """Refuses requests that another site may have caused, and adds `HEADERS`.

    Visitors may use the name `host`, addresses, "localhost" and this machine's name,
    and those of proxies.
    """
    names = proxies | {host.lower(), "localhost", socket.gethostname().lower()}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        problem = _problem(scope["method"], Headers(scope=scope), names, proxies)
        answer = JSONResponse({"error": problem}, 403) if problem else app
        return await answer(scope, receive, send_with_headers)

    return guard


def _problem(
    method: str, headers: Headers, names: frozenset[str], proxies: frozenset[str]
) -> str:
    """Says why a request is refused; "" where it is not."""
    host = headers.get("host", "")
    if not _is_ours(host, names):
        return (
            f"This server does not answer to the name {host!r}; use its address, or "
            "start it with --names and that name."
        )
    origin = headers.get("origin", f"http://{host}")
    site = headers.get("sec-fetch-site", "none")
    is_same = origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
    # A proxy may give its requests the server's own address.
    is_same = is_same or _name_in(origin) in proxies
    if method not in ("GET", "HEAD") and not (is_same and site in _OWN):
        return (
            f"A page of {origin!r} may not use this server; open the server's own, or, "
            "behind a proxy, start it with --names and that name."
        )
    return ""


def _is_ours(host: str, names: frozenset[str]) -> bool:
    """Tells whether a Host header names this server, whatever the port.

    A foreign page can make its own name lead to this machine (DNS rebinding), but not
    a number. The port is another one behind a tunnel.

    >>> names = frozenset({"localhost"})
    >>> [_is_ours(host, names) for host in ("LOCALHOST:80", "[::1]:1", "a.org", "")]
    [True, True, False, False]
    """
    name = _name_in(f"//{host}")
    try:
        return name in names or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _name_in(address: str) -> str:
    """Returns the name that an address has, in small letters; "" if it has none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
