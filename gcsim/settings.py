"""The settings of one Go process: GOGC, GOMEMLIMIT, GOMAXPROCS and Go version."""

import re
from dataclasses import dataclass

from gcsim.errors import InputError
from gcsim.units import format_go_bytes, format_gogc


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """GOGC, GOMEMLIMIT, GOMAXPROCS and the Go version of one run."""

    gogc: int | None = 100  # percent; None is GOGC=off
    gomemlimit_bytes: int | None = None  # None is GOMEMLIMIT=off
    gomaxprocs: int = 1
    go: str = "1.27"  # language version, "1.<minor>"

    def __post_init__(self) -> None:
        if self.gogc is not None and self.gogc < 0:
            raise InputError(f"GOGC must be 0 or more, or off; got {self.gogc}")
        if self.gomemlimit_bytes is not None and self.gomemlimit_bytes < 0:
            raise InputError(f"GOMEMLIMIT must be 0 bytes or more, or off; got {self.gomemlimit_bytes}")
        if not 1 <= self.gomaxprocs <= 4096:
            raise InputError(f"GOMAXPROCS must be from 1 to 4096; got {self.gomaxprocs}")
        if not re.fullmatch(r"1\.\d+", self.go):
            raise InputError(f"a Go version must be written like 1.26; got {self.go!r}")

    @property
    def environment(self) -> dict[str, str]:
        """GOGC and GOMEMLIMIT as environment variables, in Go's spelling."""
        return {"GOGC": format_gogc(self.gogc), "GOMEMLIMIT": format_go_bytes(self.gomemlimit_bytes)}

    def __str__(self) -> str:
        limit = format_go_bytes(self.gomemlimit_bytes)
        return f"GOGC={format_gogc(self.gogc)} GOMEMLIMIT={limit} GOMAXPROCS={self.gomaxprocs} Go {self.go}"
