"""The JavaScript libraries that the page embeds, with their versions and licences."""

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

_FOLDER = "vendor"
_MAP = re.compile(r"\n//# sourceMappingURL=\S*\s*$")  # of a file that the page does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One library: its name, version, file, checksum, and the files of its licences."""

    name: str
    version: str
    file: str
    sha256: str
    licences: tuple[str, ...]

    @property
    def script(self) -> str:
        """The source, without the reference to its source map."""
        return _MAP.sub("\n", _text(self.file))

    @property
    def notice(self) -> str:
        """Name, version and licence texts, as a comment of JavaScript."""
        texts = "\n\n".join(_text(name) for name in self.licences)
        return f"/*! {self.name} {self.version}\n\n{texts}*/"


def libraries() -> tuple[Library, ...]:
    """The libraries in the order in which the page loads them."""
    entries = tomllib.loads(_text("vendored.toml"))["library"]
    return tuple(
        Library(
            name=one["name"],
            version=one["version"],
            file=one["file"],
            sha256=one["sha256"],
            licences=tuple(one["licences"]),
        )
        for one in entries
    )


def vendor_folder() -> Traversable:
    """The folder of the libraries."""
    return resources.files(__package__) / _FOLDER


def _text(name: str) -> str:
    return (vendor_folder() / name).read_text(encoding="utf-8")
