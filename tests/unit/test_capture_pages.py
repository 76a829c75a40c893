"""``gcsim capture --url`` against servers that misbehave; tests/golang has a real Go program."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gcsim.capture.web import collect as collecting
from gcsim.capture.web.address import Address
from gcsim.capture.web.collect import Plan, collect
from gcsim.capture.web.fetch import Limits, NoPageError, NoServiceError, get
from gcsim.capture.web.manifest import Manifest
from gcsim.cli.main import run
from gcsim.errors import InputError

METRICS = b"# TYPE go_goroutines gauge\ngo_goroutines 7\n"
Handle = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def served(handle: Handle) -> Iterator[str]:
    """The address of a server that answers GET requests with ``handle``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            handle(self)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def answer(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Sends one answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def only_metrics(handler: BaseHTTPRequestHandler) -> None:
    """A service with /metrics alone; all else does not exist."""
    if handler.path == "/metrics":
        answer(handler, METRICS)
    else:
        answer(handler, b"404 page not found\n", 404)


def plan_of(url: str, folder: Path, **fields: float) -> Plan:
    """A short plan."""
    return Plan(
        addresses=(Address.of(url),), folder=folder, **{"seconds": 1.0, "every_seconds": 0.5, **fields}
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:6060", "http://localhost:6060"),
        ("http://localhost:6060/debug/pprof/heap", "http://localhost:6060"),
        ("https://api.example.com/admin/metrics", "https://api.example.com:443/admin"),
        ("http://user:secret@[::1]:80/debug/vars/", "http://[::1]:80"),
    ],
)
def test_addresses_as_users_paste_them(text: str, address: str) -> None:
    """With or without a scheme, a page or a login, which is never shown."""
    assert str(Address.of(text)) == address


@pytest.mark.parametrize(
    "text", ["ftp://x", "http://", "http://x:99999", "http://a b", "file:///etc/passwd", "x:0"]
)
def test_other_addresses_are_refused(text: str) -> None:
    """The sentence names the option and an example."""
    with pytest.raises(InputError, match=r"^--url: .*http://localhost:6060"):
        Address.of(text)


def test_a_login_is_sent_and_not_kept(tmp_path: Path) -> None:
    """The header has user and password, and neither the manifest nor a file has them."""
    logins = set()

    def handle(handler: BaseHTTPRequestHandler) -> None:
        logins.add(handler.headers["Authorization"])
        only_metrics(handler)

    with served(handle) as url:
        collect(plan_of(url.replace("//", "//me:secret@"), tmp_path / "out"), lambda _text: None)
    assert logins == {"Basic bWU6c2VjcmV0"}
    assert all(b"secret" not in path.read_bytes() for path in (tmp_path / "out").rglob("*.*"))


def test_what_a_service_has_is_collected(tmp_path: Path) -> None:
    """Samples at each interval, the missing pages with their reasons, and requests that only read."""
    said: list[str] = []
    with served(only_metrics) as url:
        found, is_early = collect(plan_of(url, tmp_path / "out"), said.append)
    assert not is_early
    assert found == Manifest.of(tmp_path / "out")
    assert [one.file for one in found.files] == [f"metrics/metrics-{n:04d}.txt" for n in range(3)]
    assert [one.at_seconds for one in found.files] == pytest.approx([0.0, 0.5, 1.0], abs=0.4)
    assert found.is_complete
    assert (tmp_path / "out/metrics/metrics-0001.txt").read_bytes() == METRICS
    assert "does not exist (status 404)" in found.missing["/debug/pprof/heap"]
    assert any("goes on without /debug/vars" in text for text in said)


def test_several_ports_are_one_service(tmp_path: Path) -> None:
    """Each page comes from the first address that has it."""

    def only_goroutines(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/debug/pprof/goroutine?debug=1":
            answer(handler, b"goroutine profile: total 1\n1 @ 0x1\n#\t0x1\tmain.main+0x1\t/m.go:1\n")
        else:
            answer(handler, b"", 404)

    with served(only_metrics) as first, served(only_goroutines) as second:
        addresses = Address.of(first), Address.of(second)
        plan = Plan(addresses=addresses, folder=tmp_path / "out", seconds=0.5, every_seconds=0.5)
        found, _ = collect(plan, lambda _text: None)
    names = {one.file for one in found.files}
    assert names == {
        "metrics/metrics-0000.txt", "metrics/metrics-0001.txt", "goroutine-start.txt", "goroutine-end.txt",
    }  # fmt: skip


def test_a_service_without_pages_leaves_no_folder(tmp_path: Path) -> None:
    """A web page for every path is not taken for a profile; the sentence says how to add the pages."""
    with (
        served(lambda handler: answer(handler, b"<!DOCTYPE html><p>Shop</p>")) as url,
        pytest.raises(InputError, match=r"answers with a web page.*import net/http/pprof"),
    ):
        collect(plan_of(url, tmp_path / "out"), lambda _text: None)
    assert not (tmp_path / "out").exists()


def test_a_service_that_stops_keeps_what_was_collected(tmp_path: Path) -> None:
    """Samples after its end are missed, with one note."""
    answers = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        answers.append(handler.path)
        if answers.count("/metrics") > 1:
            answer(handler, b"", 503)
        else:
            only_metrics(handler)

    said: list[str] = []
    with served(handle) as url:
        found, _ = collect(plan_of(url, tmp_path / "out"), said.append)
    assert len(found.files) == 1
    assert sum("status 503" in text for text in said) == 1


@pytest.mark.parametrize(
    ("handle", "reason"),
    [
        (
            lambda h: answer(h, b"", 302, Location="http://other.example/x"),
            "redirects to http://other.example/x",
        ),
        (lambda h: answer(h, b"no", 401), "needs a login"),
        (lambda h: answer(h, b"broken\n", 500), "answers with status 500: broken"),
        (lambda h: answer(h, b"x" * 100_000), "is larger than 0 MiB"),
        (
            lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nabc"),
            "is cut short after 3 bytes",
        ),
    ],
)
def test_unusable_answers(handle: Handle, reason: str) -> None:
    """The reason is in words."""
    with served(handle) as url, pytest.raises(NoPageError, match=reason):
        get(Address.of(url), "/metrics", Limits(10_000))


def test_a_slow_answer_ends() -> None:
    """A byte now and then does not keep the request open beyond its time."""
    has_ended = threading.Event()

    def handle(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        with suppress(OSError):
            while not has_ended.wait(0.02):
                handler.wfile.write(b"x")

    with served(handle) as url:
        with pytest.raises(NoPageError, match=r"takes longer than 0\.3 s"):
            get(Address.of(url), "/metrics", Limits(1 << 20, 0.3))
        has_ended.set()


def test_a_port_without_http() -> None:
    """Another protocol on the port is named as such."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"SSH-2.0-OpenSSH_9\r\n")

        threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(NoServiceError, match="not in HTTP"):
            get(Address.of(f"127.0.0.1:{server.getsockname()[1]}"), "/metrics", Limits(1000))


def test_a_closed_port_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Status 2, the address, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert run(["capture", "--url", f"localhost:{port}", "-o", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"gcsim: http://localhost:{port}: nothing listens there")
    assert message.count("\n") == 1


def test_a_full_capture_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beyond the bound on all files the sampling stops."""
    monkeypatch.setattr(collecting, "MOST_BYTES", 2 * len(METRICS) - 1)
    said: list[str] = []
    with served(only_metrics) as url:
        found, _ = collect(plan_of(url, tmp_path / "out", seconds=60.0), said.append)
    assert len(found.files) == 2
    assert any("the most that a capture keeps" in text for text in said)


def test_plans_that_cannot_be_carried_out(tmp_path: Path) -> None:
    """Too many samples, an interval that is too short, a profile longer than the capture."""
    for fields, option in (
        ({"every_seconds": 0.1}, "--every"),
        ({"seconds": 1e6, "every_seconds": 0.5}, "--every"),
        ({"cpu_seconds": 2.0}, "--cpu"),
    ):
        with pytest.raises(InputError, match=option):
            plan_of("x:1", tmp_path, **fields)


def test_a_folder_with_files_is_not_touched(tmp_path: Path) -> None:
    """Pages of two captures are never mixed."""
    (tmp_path / "old.txt").touch()
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        collect(plan_of("localhost:1", tmp_path), lambda _text: None)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a\\b"])
def test_a_manifest_names_only_its_own_files(name: str, tmp_path: Path) -> None:
    """A manifest of someone else cannot make gcsim read other files."""
    record = {"file": name, "page": "/metrics", "at_seconds": 0.0, "bytes": 1}
    document = {
        "format": "gcsim capture of pages", "urls": [], "started": "x", "interval_seconds": 5.0, "seconds": 1.0,
        "is_complete": True, "files": [record], "missing": {},
    }  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"manifest\.json"):
        Manifest.of(tmp_path)


def test_options_that_do_not_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    """Each combination is refused with the option to change."""
    for arguments, word in (
        (["--url", "x:1", "--pid", "1"], "one of the three"),
        (["--every", "5s", "--", "true"], "--every belongs to --url"),
        (["--log", "x", "-o", "y", "--", "true"], "--log belongs to --pid"),
        (["--pid", "0", "-o", "x"], "--pid"),
        ([], "nothing to capture"),
        (["--pid", "1"], "-o"),
    ):
        assert run(["capture", *arguments]) == 2
        assert word in capsys.readouterr().err
