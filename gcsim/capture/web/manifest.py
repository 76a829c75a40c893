"""The manifest of a folder of pages: its files, their times, and the pages that the service lacks."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from gcsim.atomic import write_text_atomically
from gcsim.documents import number, read_document, text_of
from gcsim.errors import InputError

NAME = "manifest.json"
FORMAT = "gcsim capture of pages"
_MOST_FILES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPage:
    """One saved answer."""

    file: str  # relative to the folder, with forward slashes
    page: str  # its path at the service
    at_seconds: float  # since the start of the capture
    bytes: int

    @classmethod
    def from_json(cls, record: Any) -> Self:
        """The saved page of a record. Raises InputError for a name outside the folder."""
        name = text_of(record, "file")
        parts = name.split("/")
        if not name or "\\" in name or "\0" in name or name.startswith("/") or {"", ".", ".."} & set(parts):
            raise InputError("names a file outside its folder; capture again")
        return cls(
            file=name,
            page=text_of(record, "page"),
            at_seconds=number(record, "at_seconds"),
            bytes=int(number(record, "bytes")),
        )


@dataclass(slots=True, kw_only=True)
class Manifest:
    """The content of a folder of pages."""

    urls: list[str]
    started: str  # ISO 8601, UTC
    interval_seconds: float
    seconds: float = 0.0
    is_complete: bool = False
    files: list[SavedPage] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # reason by page

    def save(self, folder: Path) -> None:
        """Writes the manifest whole or not at all. Raises InputError."""
        write_text_atomically(folder / NAME, json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The manifest of a folder. Raises InputError, naming it, if it has none."""
        return read_document(
            folder / NAME,
            cls._from_json,
            form="JSON",
            what="the manifest of gcsim capture --url",
            advice="name a folder that gcsim capture --url wrote",
        )

    @classmethod
    def _from_json(cls, document: Any) -> Self:
        if document.get("format") != FORMAT:
            raise InputError("is not the manifest of gcsim capture --url; name a folder that it wrote")
        files = document["files"]
        if not isinstance(files, list) or len(files) > _MOST_FILES:
            raise InputError(f"files must be a list of at most {_MOST_FILES:,}")
        return cls(
            urls=[str(url) for url in document["urls"]],
            started=text_of(document, "started"),
            interval_seconds=number(document, "interval_seconds"),
            seconds=number(document, "seconds"),
            is_complete=document["is_complete"] is True,
            files=[SavedPage.from_json(record) for record in files],
            missing={str(page): str(reason) for page, reason in document["missing"].items()},
        )


def has_manifest(folder: Path) -> bool:
    """Whether a folder is one of ``gcsim capture --url``."""
    return (folder / NAME).is_file()
