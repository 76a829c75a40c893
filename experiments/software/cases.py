"""Real programs under load: what runs, on which data, with which load.

Forms, priors and widths are chosen on the programs marked ``development``. The others are held out: nobody looks at
their residuals while choosing. Cases marked ``short`` are held out too, and collect two to four times in their load of
10 s at some settings. The last four were held out until their results were published (``first_look.md``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments import toolchains
from experiments.software import data, packages

_PORT = 18700
Split = Literal["development", "held out", "short"]
Limits = tuple[int, int, int]  # MiB: barely above the need at GOGC=100, moderate, generous


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one run: generated data, which runs share, and scratch, which is empty at the start."""

    data: Path
    scratch: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A program with its data and load. A case without ``load`` is a job that ends by itself."""

    label: str
    program: str  # of ``packages.PACKAGES``, or "go"
    split: Split
    about: str  # what it does
    limits_mib: Limits
    command: Callable[[Places], Sequence[str]]
    prepare: Callable[
        [Path], Sequence[str] | None
    ]  # makes the data; returns the request lines of an HTTP load
    load: tuple[str, ...] = ()
    port: int = 0
    go: str = ""  # the Go version, where it is not the package's
    writes_to_memory: bool = False  # the scratch folder is on a memory file system, where there is one
    gogcs: tuple[int, int, int, int] = (50, 200, 400, 25)  # percent, in addition to 100
    warm_seconds: float = 2.0  # load before the measured time
    load_seconds: float = 10.0  # the measured time: long enough for ten collections or so at GOGC=100

    @property
    def is_job(self) -> bool:
        """Whether the program ends by itself."""
        return not self.load

    @property
    def go_version(self) -> str:
        """The Go version of the executable."""
        return self.go or packages.PACKAGES[self.program].go_version

    @property
    def settings(self) -> tuple[tuple[int | None, int | None], ...]:
        """(GOGC, limit in MiB), eight of them; None is off. Predictions are calibrated on the first."""
        tight, moderate, generous = self.limits_mib
        a, b, c, d = self.gogcs
        return ((100, None), (a, None), (b, None), (c, None), (None, moderate), (100, tight), (d, None),
                (None, generous))  # fmt: skip


def _executable(name: str) -> str:
    return str(packages.program(name))


def _caddy(places: Places) -> Sequence[str]:
    return [_executable("caddy"), "run", "--config", str(places.data / "caddy.json")]


def _caddy_templates(folder: Path) -> Sequence[str]:
    calls = data.template_site(folder / "site")
    (folder / "caddy.json").write_text(data.caddy_config(folder / "site", port=_PORT, kind="templates"))
    return calls


def _caddy_gateway(folder: Path) -> Sequence[str]:
    calls = data.file_tree(folder / "site", folders=10, files=200)
    (folder / "caddy.json").write_text(data.caddy_config(folder / "site", port=_PORT + 1, kind="proxy"))
    return [call for call in calls if call.endswith(".bin")]


def _nats(places: Places) -> Sequence[str]:
    return [
        _executable("nats"), "-a", "127.0.0.1", "-p", str(_PORT + 2), "-js", "-sd", str(places.scratch)
    ]  # fmt: skip


def _rclone_serve(places: Places) -> Sequence[str]:
    address = f"127.0.0.1:{_PORT + 3}"
    return [
        _executable("rclone"),
        "serve",
        "http",
        "--config",
        "/dev/null",
        "--addr",
        address,
        str(places.data / "tree"),
    ]


def _rclone_sync(places: Places) -> Sequence[str]:
    return [
        _executable("rclone"), "sync", "--config", "/dev/null", "--checkers", "8", "--transfers", "8",
        str(places.data / "tree"), str(places.scratch / "copy"),
    ]  # fmt: skip


def _hugo_build(places: Places) -> Sequence[str]:
    return [
        _executable("hugo"), "build", "--quiet", "--source", str(places.data / "site"),
        "--destination", str(places.scratch / "public"),
    ]  # fmt: skip


def _hugo_server(places: Places) -> Sequence[str]:
    return [
        _executable("hugo"), "server", "--renderToMemory", "--quiet", "--bind", "127.0.0.1", "--port", str(_PORT + 4),
        "--source", str(places.data / "site"),
    ]  # fmt: skip


def _caddy_files(folder: Path) -> Sequence[str]:
    calls = data.file_tree(folder / "site", folders=10, files=400)
    (folder / "caddy.json").write_text(data.caddy_config(folder / "site", port=_PORT + 5, kind="files"))
    return [call for call in calls if call.endswith(".bin")]


def _rclone_webdav(places: Places) -> Sequence[str]:
    return [
        _executable("rclone"), "serve", "webdav", "--config", "/dev/null", "--read-only",
        "--addr", f"127.0.0.1:{_PORT + 6}", str(places.data / "tree"),
    ]  # fmt: skip


def _webdav_calls(folder: Path) -> Sequence[str]:
    calls = data.file_tree(folder / "tree", folders=60, files=100)
    return [call.replace("GET", "PROPFIND") if call.endswith("/") else call for call in calls]


def _gofmt(places: Places) -> Sequence[str]:
    files = (places.data / "files.txt").read_text().split()
    return [str(toolchains.find("1.27.3").root / "bin" / "gofmt"), "-l", *files]


def _tsgo(places: Places) -> Sequence[str]:
    return [_executable("tsgo"), "-p", str(places.data / "project")]


def _compile(places: Places, version: str, package: str) -> Sequence[str]:
    toolchain = toolchains.find(version)
    files = (places.data / "files.txt").read_text().split()
    return [
        str(toolchain.compiler), "-o", str(places.scratch / "out.a"), "-p", package, "-complete", "-c=2",
        "-importcfg", str(places.data / "importcfg"), *files,
    ]  # fmt: skip


def _none(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        make(folder)

    return prepare


def _no_data(folder: Path) -> None:
    """The load brings all data."""


_HTTP = ("-kind", "http")
_TOUCH = ("-touch", "{data}/site/content/section-0/page-00000.md")
_NATS_STREAM = ("-kind", "nats", "-rate", "5000", "-conns", "8", "-size", "2000", "-stream", "50000000")
_NATS_GROWING = ("-kind", "nats", "-rate", "4000", "-conns", "8", "-size", "1000")
CASES = (
    Case(
        label="caddy-templates", program="caddy", split="development",
        about="serves pages made from templates, 150 requests/s",
        limits_mib=(26, 32, 64),
        command=_caddy, prepare=_caddy_templates, port=_PORT, load=(*_HTTP, "-rate", "150"),
    ),
    Case(
        label="caddy-gateway", program="caddy", split="development",
        about="proxies files, 24 connections at full speed",
        limits_mib=(30, 40, 80),
        command=_caddy, prepare=_caddy_gateway, port=_PORT + 1, load=(*_HTTP, "-conns", "24"),
    ),
    Case(
        label="tsgo-check", program="tsgo", split="development",
        about="checks a TypeScript project of 450 files",
        limits_mib=(700, 800, 1200),
        command=_tsgo, prepare=_none(lambda folder: data.typescript_project(folder / "project", 450)),
    ),
    Case(
        label="go-compile", program="go", split="development",
        about="compiles net/http",
        limits_mib=(100, 130, 260), go="1.27.3",
        command=lambda places: _compile(places, "1.27.3", "net/http"),
        prepare=_none(lambda folder: data.compile_inputs(folder, toolchains.find("1.27.3"), "net/http")),
    ),
    Case(
        label="nats-stream", program="nats", split="short",
        about="keeps the newest 50 MB of a stream, 5,000 messages/s",
        limits_mib=(110, 140, 220), command=_nats,
        prepare=_no_data, port=_PORT + 2, load=_NATS_STREAM,
    ),
    Case(
        label="nats-stream-long", program="nats", split="held out",
        about="the same for 40 s, when the stream is full",
        limits_mib=(110, 140, 220), command=_nats,
        prepare=_no_data, port=_PORT + 2, load=_NATS_STREAM, warm_seconds=8.0, load_seconds=40.0,
    ),
    Case(
        label="nats-growing", program="nats", split="short",
        about="keeps a stream that grows, 4,000 messages/s",
        limits_mib=(70, 85, 140), command=_nats,
        prepare=_no_data, port=_PORT + 2, load=_NATS_GROWING,
    ),
    Case(
        label="nats-growing-long", program="nats", split="held out",
        about="the same for 30 s",
        limits_mib=(175, 210, 350), command=_nats,
        prepare=_no_data, port=_PORT + 2, load=_NATS_GROWING, load_seconds=30.0,
    ),
    Case(
        label="rclone-serve", program="rclone", split="held out",
        about="serves 20,000 files, 400 requests/s",
        limits_mib=(44, 56, 100), command=_rclone_serve,
        prepare=lambda folder: data.file_tree(folder / "tree", folders=40, files=500), port=_PORT + 3,
        load=(*_HTTP, "-rate", "400"),
    ),
    Case(
        label="rclone-sync", program="rclone", split="held out",
        about="copies 36,000 files to a memory file system",
        limits_mib=(26, 34, 70), command=_rclone_sync, writes_to_memory=True,
        prepare=_none(lambda folder: data.file_tree(folder / "tree", folders=60, files=600)),
    ),
    Case(
        label="hugo-build", program="hugo", split="held out",
        about="builds a site of 3,000 pages",
        limits_mib=(420, 560, 900), command=_hugo_build,
        prepare=_none(lambda folder: data.hugo_site(folder / "site", 3000)),
    ),
    Case(
        label="hugo-server", program="hugo", split="short",
        about="serves a site of 1,000 pages that changes, 80 requests/s",
        limits_mib=(230, 300, 480), command=_hugo_server,
        prepare=lambda folder: data.hugo_site(folder / "site", 1000), port=_PORT + 4,
        load=(*_HTTP, "-rate", "80", *_TOUCH),
    ),
    Case(
        label="hugo-server-long", program="hugo", split="held out",
        about="the same for 20 s with 320 requests/s",
        limits_mib=(230, 300, 480), command=_hugo_server,
        prepare=lambda folder: data.hugo_site(folder / "site", 1000), port=_PORT + 4,
        load=(*_HTTP, "-rate", "320", *_TOUCH), warm_seconds=5.0, load_seconds=20.0,
    ),
    Case(
        label="caddy-files", program="caddy", split="development",
        about="serves compressed files, 2,500 requests/s",
        limits_mib=(25, 30, 56),
        command=_caddy, prepare=_caddy_files, port=_PORT + 5, load=(*_HTTP, "-rate", "2500"),
    ),
    Case(
        label="rclone-webdav", program="rclone", split="development",
        about="lists folders and serves files over WebDAV, 500 requests/s",
        limits_mib=(30, 36, 64), command=_rclone_webdav, prepare=_webdav_calls, port=_PORT + 6,
        load=(*_HTTP, "-rate", "500"),
    ),
    Case(
        label="nats-small", program="nats", split="development",
        about="keeps the newest 8 MB of a stream of small messages, 16 connections at full speed",
        limits_mib=(30, 36, 60), command=_nats,
        prepare=_no_data, port=_PORT + 2,
        load=("-kind", "nats", "-conns", "16", "-size", "300", "-stream", "8000000"),
    ),
    Case(
        label="gofmt-list", program="go", split="development",
        about="formats the standard library",
        limits_mib=(60, 75, 150), go="1.27.3", command=_gofmt,
        prepare=_none(lambda folder: data.source_files(folder, toolchains.find("1.27.3"))),
    ),
)  # fmt: skip
CASE = {case.label: case for case in CASES}
