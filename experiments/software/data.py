"""Generated data for real programs: a site, a tree of files, a TypeScript project. The same bytes in every run."""

import json
import random
import subprocess
from pathlib import Path
from typing import Literal

from experiments.toolchains import Toolchain

_WORDS = [
    "memory", "heap", "limit", "service", "request", "latency", "cache", "index", "store", "queue", "page",
    "table", "order", "stream", "worker", "socket", "buffer", "object", "marker", "pacer", "trigger",
    "assist", "cycle", "sweep", "span", "arena", "thread", "kernel", "cgroup", "limit", "budget", "margin",
    "replica", "seed"
]  # fmt: skip


_ALL_TYPES = {"match": {"headers": {"Content-Type": ["*"]}}}  # of an encoder


def text(rng: random.Random, words: int) -> str:
    """A paragraph of ``words`` words."""
    return " ".join(rng.choices(_WORDS, k=words)).capitalize() + "."


def template_site(folder: Path, pages: int = 300) -> list[str]:
    """A site of server-side templates with partials and Markdown, and static files; returns the request lines."""
    rng = random.Random(1)
    partials = folder / "partials"
    partials.mkdir(parents=True)
    for name in ("header", "menu", "footer"):
        items = "".join(f"<li>{text(rng, 12)}</li>" for _ in range(30))
        (partials / f"{name}.html").write_text(f"<div class={name}><ul>{items}</ul></div>\n")
    calls = []
    for k in range(pages):
        sections = "\n".join(_template_section(rng) for _ in range(rng.randint(4, 24)))
        (folder / f"page-{k}.html").write_text(
            f'{{{{include "/partials/header.html"}}}}{{{{include "/partials/menu.html"}}}}\n'
            f'<p>{{{{.Req.Host}}}} {{{{now | date "2006-01-02"}}}}</p>\n{sections}\n'
            '{{include "/partials/footer.html"}}\n'
        )
        calls.append(f"GET /page-{k}.html")
    for k in range(60):
        (folder / f"asset-{k}.css").write_text(text(rng, int(rng.lognormvariate(7, 1))))
        calls.append(f"GET /asset-{k}.css")
    return calls


def _template_section(rng: random.Random) -> str:
    rows = "\n".join(f"- {text(rng, 8)}" for _ in range(rng.randint(3, 12)))
    return f"{{{{markdown `## {text(rng, 4)}\n\n{text(rng, 60)}\n\n{rows}\n`}}}}"


def file_tree(folder: Path, *, folders: int, files: int) -> list[str]:
    """``folders`` folders of ``files`` files with log-normal sizes of about 2 KiB; returns the request lines."""
    rng = random.Random(2)
    calls = []
    for d in range(folders):
        here = folder / f"folder-{d:03d}"
        here.mkdir(parents=True)
        calls.append(f"GET /folder-{d:03d}/")
        for f in range(files):
            size = min(int(rng.lognormvariate(7.5, 1.2)), 1 << 20)
            (here / f"file-{f:04d}.bin").write_bytes(rng.randbytes(size))
            if f % 20 == 0:
                calls.append(f"GET /folder-{d:03d}/file-{f:04d}.bin")
    return calls


def hugo_site(folder: Path, pages: int) -> list[str]:
    """A site of Markdown pages with tags, code blocks and shortcodes; returns the request lines."""
    rng = random.Random(3)
    files = {
        "hugo.toml": 'baseURL = "http://127.0.0.1/"\ntitle = "Site"\n[taxonomies]\ntag = "tags"\n',
        "layouts/_default/baseof.html": (
            '<html><body>{{ partial "menu.html" . }}{{ block "main" . }}{{ end }}</body></html>'
        ),
        "layouts/_default/single.html": (
            '{{ define "main" }}<h1>{{ .Title }}</h1>{{ .TableOfContents }}{{ .Content }}'
            "<ul>{{ range first 10 (.Site.RegularPages.Related .) }}"
            "<li>{{ .Title }} {{ .ReadingTime }}</li>{{ end }}</ul>"
            '{{ range .Params.tags }}<a href="/tags/{{ . }}">{{ . }}</a>{{ end }}{{ end }}'
        ),
        "layouts/_default/list.html": (
            '{{ define "main" }}{{ range .Pages.ByDate }}<p><a href="{{ .RelPermalink }}">{{ .Title }}</a>'
            "{{ .Summary }}</p>{{ end }}{{ end }}"
        ),
        "layouts/partials/menu.html": "<nav>{{ range first 50 .Site.RegularPages }}<a>{{ .Title }}</a>{{ end }}</nav>",
        "layouts/shortcodes/note.html": '<div class="note">{{ .Inner | markdownify }}</div>',
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    calls = ["GET /"]
    for k in range(pages):
        section = f"section-{k % 12}"
        page = folder / "content" / section / f"page-{k:05d}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(_hugo_page(rng, k))
        calls.append(f"GET /{section}/page-{k:05d}/")
    return calls


def _hugo_page(rng: random.Random, k: int) -> str:
    tags = ", ".join(f'"{tag}"' for tag in rng.sample(_WORDS, 3))
    parts = [f'---\ntitle: "{text(rng, 5)}"\ndate: 2026-01-{k % 28 + 1:02d}\ntags: [{tags}]\n---\n']
    parts += [f"## {text(rng, 4)}\n\n{text(rng, rng.randint(40, 160))}\n" for _ in range(rng.randint(3, 9))]
    code = "\n".join(
        f"func f{n}(x int) int {{ return x*{n} + len(names) }}" for n in range(rng.randint(5, 25))
    )
    parts.append(f"```go\n{code}\n```\n\n{{{{< note >}}}}{text(rng, 30)}{{{{< /note >}}}}\n")
    return "\n".join(parts)


def typescript_project(folder: Path, files: int) -> None:
    """A strict TypeScript project whose files import each other and use generic types."""
    rng = random.Random(4)
    source = folder / "src"
    source.mkdir(parents=True)
    (folder / "tsconfig.json").write_text(
        '{"compilerOptions": {"strict": true, "target": "es2022", "module": "esnext", "moduleResolution": "bundler",'
        ' "noEmit": true, "types": []}, "include": ["src"]}\n'
    )
    for k in range(files):
        imports = sorted(rng.sample(range(k), min(k, 3)))
        lines = [f'import {{ Store{n}, make{n} }} from "./module{n}";' for n in imports]
        lines += [_typescript_part(rng, k, imports)]
        (source / f"module{k}.ts").write_text("\n".join(lines))


def _typescript_part(rng: random.Random, k: int, imports: list[int]) -> str:
    fields = "\n".join(
        f"  field{n}: {rng.choice(['string', 'number', 'boolean', 'Date'])};" for n in range(20)
    )
    kinds = " | ".join(f'{{ kind: "k{n}"; value{n}: {rng.choice(["string", "number"])} }}' for n in range(12))
    cases = "\n".join(f'    case "k{n}": return String(event.value{n}) + total;' for n in range(12))
    methods = "\n".join(
        f"  async find{n}<K extends keyof Store{k}>(keys: readonly K[], by: Mapped{k}<Store{k}>): "
        f"Promise<Pick<Store{k}, K> | undefined> {{\n"
        f"    const found = keys.map((key) => [key, by[key]] as const).filter(([, value]) => value !== undefined);\n"
        f"    return Object.fromEntries(found) as unknown as Pick<Store{k}, K>;\n  }}"
        for n in range(12)
    )
    uses = "\n".join(f"export const other{n} = make{n}({{ field0: undefined as never }});" for n in imports)
    return f"""
export interface Store{k} {{
{fields}
}}
type Mapped{k}<T> = {{ readonly [P in keyof T]?: T[P] extends Date ? string : T[P] }};
export type Event{k} = {kinds};
export class Service{k} {{
{methods}
  handle(event: Event{k}, total: number): string {{
    switch (event.kind) {{
{cases}
    }}
  }}
}}
export function make{k}<T extends Partial<Store{k}>>(value: T): T & {{ made: true }} {{
  return {{ ...value, made: true }};
}}
{uses}
"""


def caddy_config(site: Path, *, port: int, kind: Literal["templates", "proxy", "files"]) -> str:
    """A configuration of caddy: templates, files, or a proxy before a file server; each with compression."""
    files: dict[str, object] = {"handler": "file_server", "root": str(site)}
    encode: dict[str, object] = {
        "handler": "encode",
        "encodings": {"zstd": {}, "gzip": {}},
        "minimum_length": 256,
    }
    listen, behind = f"127.0.0.1:{port}", f"127.0.0.1:{port + 100}"
    if kind == "proxy":
        proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": behind}], "request_buffers": 65536,
                 "response_buffers": 65536}  # fmt: skip
        servers = {
            "front": _caddy_server(listen, [encode | _ALL_TYPES, proxy]),
            "files": _caddy_server(behind, [files]),
        }
    elif kind == "files":
        servers = {"site": _caddy_server(listen, [encode | _ALL_TYPES, files])}
    else:
        servers = {
            "site": _caddy_server(listen, [encode, {"handler": "templates", "file_root": str(site)}, files])
        }
    return json.dumps(
        {
            "admin": {"disabled": True},
            "logging": {"logs": {"default": {"level": "ERROR"}}},
            "apps": {"http": {"servers": servers}},
        }
    )


def _caddy_server(listen: str, handlers: list[dict[str, object]]) -> dict[str, object]:
    return {"listen": [listen], "automatic_https": {"disable": True}, "routes": [{"handle": handlers}]}


def compile_inputs(folder: Path, toolchain: Toolchain, package: str) -> None:
    """What the Go compiler needs to compile one package of the standard library: the files, and export data."""
    lines = _export_lines(folder, toolchain, package)
    vendored = [line.split()[1].split("=")[0] for line in lines if line.startswith("packagefile vendor/")]
    lines += [f"importmap {path.removeprefix('vendor/')}={path}" for path in vendored]
    (folder / "importcfg").write_text("\n".join(lines) + "\n")
    (folder / "files.txt").write_text(_go_list(folder, toolchain, package, "-f", _GO_FILES))


def source_files(folder: Path, toolchain: Toolchain) -> None:
    """The names of all files of the standard library that parse."""
    files = [
        file for file in sorted(toolchain.source_dir.rglob("*.go"))
        if "testdata" not in file.parts and file.is_file()
    ]  # fmt: skip
    (folder / "files.txt").write_text("\n".join(map(str, files)) + "\n")


_EXPORTS = "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}"
_GO_FILES = "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}"


def _export_lines(folder: Path, toolchain: Toolchain, package: str) -> list[str]:
    exports = _go_list(folder, toolchain, package, "-export", "-deps", "-f", _EXPORTS)
    return [line for line in exports.splitlines() if line]


def _go_list(folder: Path, toolchain: Toolchain, package: str, *arguments: str) -> str:
    env = {**toolchain.environment, "GOCACHE": str(folder / "cache"), "GOROOT": str(toolchain.root)}
    command = [str(toolchain.go), "list", *arguments, package]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
