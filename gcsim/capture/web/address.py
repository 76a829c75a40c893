"""Addresses of services, as users paste them."""

import base64
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from gcsim.errors import InputError
from gcsim.printable import quoted

_PORTS = {"http": 80, "https": 443}
_PAGES = re.compile(r"/(?:debug/pprof(?:/.*)?|debug/vars|metrics|debug)/?$")
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,255}")
_LONGEST = 2000
_ADVICE = "write for example http://localhost:6060"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a service serves its diagnostic pages."""

    scheme: str  # "http" or "https"
    host: str
    port: int
    base: str = ""  # path before /debug and /metrics, without a slash at its end
    authorization: str = ""  # the header's value, from USER:PASSWORD@ in the address; never printed or saved

    @classmethod
    def of(cls, text: str) -> Self:
        """The address in a text, with or without a scheme or one of the pages. Raises InputError."""
        stripped = text.strip()
        if len(stripped) > _LONGEST or not stripped.isprintable() or " " in stripped:
            raise InputError(f"--url: {quoted(stripped[:80])} is not an address; {_ADVICE}")
        if "://" not in stripped:
            stripped = f"http://{stripped}"
        try:
            parts = urlsplit(stripped)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise InputError(f"--url: {quoted(_without_login(text))} is not an address; {_ADVICE}") from None
        shown = quoted(_without_login(text.strip()))
        if parts.scheme not in _PORTS:
            raise InputError(f"--url: {shown} is neither http nor https; {_ADVICE}")
        if not _HOST.fullmatch(host) or port == 0 or not parts.path.isascii():
            raise InputError(f"--url: {shown} names no host and port; {_ADVICE}")
        login = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            login = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(
            scheme=parts.scheme,
            host=host,
            port=_PORTS[parts.scheme] if port is None else port,
            base=_PAGES.sub("", parts.path).rstrip("/"),
            authorization=login,
        )

    def __str__(self) -> str:
        """The address without a login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.base}"


def _without_login(text: str) -> str:
    """The text without a user and password before an @."""
    scheme, mark, rest = text.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
