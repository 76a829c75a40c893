"""One GET request with bounds on time and size."""

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass

from gcsim.capture.web.address import Address
from gcsim.units import MIB

CONNECT_SECONDS = 5.0
PAGE_SECONDS = 15.0  # for a whole answer, in addition to the seconds that a page takes by request
_PIECE = 1 << 16
_REDIRECTS, _LOGIN, _MISSING, _BUSY = (301, 302, 303, 307, 308), (401, 403, 407), (404, 405, 410), 429


class NoPageError(Exception):
    """The service has no such page, or its answer is not usable. The text is the reason."""


class NoServiceError(Exception):
    """No service answers at an address. The text is the reason, with a remedy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one answer."""

    most_bytes: int
    seconds: float = PAGE_SECONDS


def get(address: Address, page: str, limits: Limits) -> bytes:
    """The body of a page. Raises NoPageError or NoServiceError.

    Redirects are not followed: another host may be none of the user's business.
    """
    connection = _connection(address)
    try:
        connection.connect()
        held = connection.sock
        # a slow answer sends some bytes before each time-out of the socket, so a timer ends it as a whole
        is_late = threading.Event()
        timer = threading.Timer(limits.seconds, _shut, [held, is_late])
        timer.daemon = True
        timer.start()
        try:
            return _body(connection, address, page, limits)
        finally:
            timer.cancel()
            if is_late.is_set():
                raise NoPageError(f"takes longer than {limits.seconds:g} s")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(error) from error
    finally:
        connection.close()


def _connection(address: Address) -> http.client.HTTPConnection:
    if address.scheme == "https":
        return http.client.HTTPSConnection(address.host, address.port, timeout=CONNECT_SECONDS)
    return http.client.HTTPConnection(address.host, address.port, timeout=CONNECT_SECONDS)


def _body(connection: http.client.HTTPConnection, address: Address, page: str, limits: Limits) -> bytes:
    headers = {"User-Agent": "gcsim", "Accept": "*/*", "Connection": "close"}
    if address.authorization:
        headers["Authorization"] = address.authorization
    held = connection.sock
    held.settimeout(limits.seconds)  # the timer ends the answer
    connection.request("GET", address.base + page, headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        raise NoPageError(_reason(response, limits))
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > limits.most_bytes:
            raise NoPageError(
                f"is larger than {limits.most_bytes // MIB} MiB, the most that is kept of a page"
            )
    if response.length:  # the timer or the service has ended the answer
        raise NoPageError(f"is cut short after {size:,} bytes")
    return b"".join(pieces)


def _reason(response: http.client.HTTPResponse, limits: Limits) -> str:
    status = response.status
    if status in _REDIRECTS:
        place = (response.getheader("Location") or "")[:200]
        return (
            f"redirects to {place if place.isprintable() else 'another page'}; give that address with --url"
        )
    if status in _LOGIN:
        return f"needs a login (status {status}); write http://USER:PASSWORD@HOST:PORT, or forward the port"
    if status in _MISSING:
        return f"does not exist (status {status})"
    if status == _BUSY:
        return "is limited to fewer requests (status 429)"
    text = response.read(min(300, limits.most_bytes)).decode("utf-8", errors="replace").strip()
    said = f": {text.splitlines()[0][:150]}" if text and text.isprintable() else ""
    return f"answers with status {status}{said}"


def _shut(held: socket.socket, is_late: threading.Event) -> None:
    is_late.set()
    with suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)


def _failure(error: Exception) -> Exception:
    """The reason in words."""
    if isinstance(error, ConnectionRefusedError):
        return NoServiceError(
            "nothing listens there (connection refused); start the service, check the port, or forward it, such as with"
            " kubectl port-forward POD 6060"
        )
    if isinstance(error, socket.gaierror):
        return NoServiceError("its host name is not known; check it, or forward the port and use localhost")
    if isinstance(error, ssl.SSLError):
        return NoServiceError(
            f"TLS fails ({(error.reason or 'no reason given').replace('_', ' ').lower()}); write http:// for a plain"
            " port, or forward the port past its certificate"
        )
    if isinstance(error, TimeoutError):
        return NoServiceError(
            f"does not answer within {CONNECT_SECONDS:g} s; check that this machine reaches the service"
        )
    if isinstance(error, (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError)):
        return NoPageError("ends before it is complete")
    if isinstance(error, (http.client.HTTPException, ValueError)):
        return NoServiceError(
            "the port answers, but not in HTTP; give the port of net/http/pprof or of /metrics"
        )
    reason = getattr(error, "strerror", None) or error
    return NoServiceError(f"cannot be reached ({reason}); check that this machine reaches the service")
