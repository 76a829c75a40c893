"""Logs in other encodings, wrapped by other programs, and packed, whose right reading is known."""

import bz2
import codecs
import gzip
import io
import json
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from damaged_logs import BARE, LOG, gc, numbers, read

from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.gctrace import source as gctrace_source

# Encodings and wrappers.

UTF16 = ("utf-16-le", "utf-16-be")


@pytest.mark.parametrize("encoding", UTF16)
def test_utf16_in_any_part_of_a_file(encoding: str) -> None:
    """With a byte-order mark or without, alone, before or after UTF-8."""
    first, second = "\n".join(LOG[:5]) + "\n", "\n".join(LOG[5:]) + "\n"
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    for data in (
        (first + second).encode(encoding), mark + (first + "Grüße, мир\n" + second).encode(encoding),
        first.encode() + second.encode(encoding), first.encode() + mark + second.encode(encoding),
        first.encode(encoding) + second.encode(), mark + first.encode(encoding) + second.encode(),
        first.encode() + second.encode(encoding) + gc(10).encode(),
    ):  # fmt: skip
        assert numbers(data)[0][:9] == list(range(1, 10))
        assert len(read(data)) == 1


def layers(text: str, count: int) -> str:
    for key in ("log", "message", "msg")[:count]:
        text = json.dumps({key: text})
    return text


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: layers(t.replace(">", "\\u003e"), 2),
        lambda t: layers(json.dumps({"log": t}).replace(">", "\\u003e").replace("/", "\\/"), 2),
        lambda t: json.dumps({"msg": t}).replace("/", "\\/"),
        lambda t: json.dumps({"msg": t}).replace("+", "\\u002B").replace(">", "\\u003E"),
        lambda t: t.replace("->", "\u2192"),
        lambda t: t.replace("->", "\u27f6"),
        lambda t: t.replace("->", "\u2013>"),
        lambda t: t.replace("->", " \u2192 "),
        lambda t: json.dumps({"msg": t.replace("->", "\u2192")}),
        lambda t: t.replace(" ", "\u00a0"),
        lambda t: t.replace(" ", "\u202f"),
        lambda t: t.replace(" ", "&nbsp;").replace(">", "&gt;"),
        lambda t: json.dumps({"msg": t.replace(" ", "\u00a0")}),
        lambda t: t.replace(">", "&amp;gt;"),
        lambda t: t.replace(">", "&#62;").replace("/", "&#x2F;"),
        lambda t: f"\u200b{t.replace('->', '-' + chr(0x200b) + '>')}",
        lambda t: json.dumps({"MESSAGE": list(f"\x1b[33m{t}\x1b[0m\n".encode())}),
        lambda t: json.dumps({"MESSAGE": list(t.encode()), "_PID": "7"}, indent=1),
    ],
)  # fmt: skip
def test_one_more_layer_of_wrapping_changes_nothing(wrap: object) -> None:
    """Escapes in layers, typed arrows, no-break spaces and lists of bytes."""
    assert callable(wrap)
    wrapped = read("\n".join(wrap(line) for line in LOG))
    assert wrapped == BARE


def test_a_no_break_space_in_latin_1() -> None:
    """The single byte A0 is a blank, too."""
    assert read("\n".join(LOG).encode().replace(b" ", b"\xa0")) == BARE


@pytest.mark.parametrize("cut", [10, 40, 41, 42, 43, 44, 60, 100, 120])
def test_a_record_that_a_container_runtime_cut_is_whole_again(cut: int) -> None:
    """docker leaves out the line break, CRI writes P; other streams may stand between."""

    def cri(flag: str, text: str, stream: str = "stderr") -> str:
        return f"2026-11-29T20:00:00.{cut}Z {stream} {flag} {text}"

    def docker(text: str, stream: str = "stderr") -> str:
        return json.dumps({"log": text, "stream": stream, "time": "2026-11-29T20:00:00Z"})

    def fluentd(text: str, **flags: str) -> str:
        return json.dumps({"log": text, "source": "stderr", **flags})

    def parts(line: str) -> list[str]:
        return ["x" * 300, line[:cut], line[cut:]]

    crio = [
        text
        for line in LOG
        for a, b, c in (parts(line),)
        for text in (cri("P", a), cri("P", b), cri("F", "7", "stdout"), cri("F", c))
    ]
    assert read("\n".join(crio)) == BARE
    jsons = [
        text
        for line in LOG
        for a, b, c in (parts(line),)
        for text in (docker(a + b), docker("7\n", "stdout"), docker(c + "\n"))
    ]
    (trace,) = read("\n".join(jsons))
    assert [trace] == BARE
    assert trace.line_numbers.tolist() == list(range(1, 28, 3))
    around = [json.dumps({"log": text, "pod": "web"}) for text in crio]
    assert read("\n".join(around)) == BARE
    flags = {"partial_message": "true", "partial_id": "a"}
    shipped = [
        text
        for line in LOG
        for _, b, c in (parts(line),)
        for text in (fluentd(b, **flags, partial_last="false"), fluentd(c, **flags, partial_last="true"))
    ]
    assert read("\n".join(shipped)) == BARE


def test_the_advice_for_a_wrapped_log_is_not_to_capture_it_again() -> None:
    """The text before the tool is what helps."""
    with pytest.raises(InputError, match="no gc line in it is whole") as error:
        read("\n".join(line.replace("->", " to ") for line in LOG))
    assert "again" not in str(error.value)
    assert "pass the text that the program printed" in str(error.value)


# Sources.


def test_packed_logs_are_unpacked(tmp_path: Path) -> None:
    """gzip, xz and bzip2 are read; for others the sentence says how to unpack."""
    data = "\n".join(LOG).encode()
    for packed in (
        gzip.compress(data),
        lzma.compress(data),
        bz2.compress(data),
        gzip.compress(gzip.compress(data)),
    ):
        assert read(packed) == BARE
    for magic, word in ((b"\x28\xb5\x2f\xfd", "zstd -dc"), (b"PK\x03\x04", "unzip -p")):
        path = tmp_path / "packed.log"
        path.write_bytes(magic + bytes(100))
        with pytest.raises(InputError, match=f"packed.log.*{word}"):
            read_gctrace(path)
    for packed in (lzma.compress(data * 99), bz2.compress(data * 99)):
        with pytest.raises(InputError, match="damaged or cut short"):
            read(packed[:-20])


def test_no_source_is_read_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed, plain and from an open file, a log beyond the bound is refused."""
    monkeypatch.setattr(gctrace_source, "MAX_BYTES", 1 << 20)
    path = tmp_path / "large.log"
    for data in (bytes(2 << 20), gzip.compress(bytes(64 << 20)), lzma.compress(bytes(2 << 20))):
        path.write_bytes(data)
        for source in (path, io.BytesIO(data)):
            with pytest.raises(InputError, match="more than 1 MiB, the most that is read") as error:
                read_gctrace(source)
            assert "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a system without /dev/zero")
def test_devices_are_refused() -> None:
    """The command refuses /dev/zero with one sentence and exit status 2, as a name and as standard input."""
    for arguments, device in ((["/dev/zero"], "/dev/null"), (["-"], "/dev/zero")):
        with Path(device).open("rb") as stdin:
            done = subprocess.run(
                [sys.executable, "-m", "gcsim", "inspect", *arguments],
                stdin=stdin, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        assert done.returncode == 2
        assert "is a device" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_large_binary_files_are_refused_at_once(packed: bool, tmp_path: Path) -> None:
    """Zeros and random bytes are not searched for gc lines to their end; a log after zeros is."""
    path = tmp_path / "a.log"
    for content in (bytes(16 << 20), np.random.default_rng(1).bytes(8 << 20)):
        path.write_bytes(gzip.compress(content, 1) if packed else content)
        with pytest.raises(InputError, match="is a binary file, not a gctrace log"):
            read_gctrace(path)
    text = gzip.decompress((Path(__file__).parents[1] / "data/quiet-blobcache.log.gz").read_bytes())
    whole = text + bytes(8 << 20)
    path.write_bytes(gzip.compress(whole, 1) if packed else whole)
    assert len(read_gctrace(path).cycles) > 10
