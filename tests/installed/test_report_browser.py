"""The HTML report in a real browser: Debian's chromium, driven by Playwright, and axe-core for accessibility."""

import json
import math
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from installed_script import Installed

from gcsim.metrics import Estimate
from gcsim.report.text import format_estimate

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra test, which has Playwright")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the extra test, which has axe-core"
)

NAMES = ("chromium", "chromium-browser", "google-chrome")
GRID = ("--gogc", "50,100,200,400", "--gomemlimit", "off,256MiB,400MiB")
HOW = ("--memory", "512Mi", "--duration", "20s", "--replicas", "4")
MOST_BYTES = 2_000_000
HEAT_MAPS = {
    "memory": "container_peak_bytes",
    "gc-cpu": "gc_cpu_fraction",
    "pause": "stw_p99_seconds",
    "cycle-rate": "gc_rate_hz",
}
DRAWN = "document.documentElement.dataset.drawn === 'yes'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium is installed; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, the page, and the sweep over the same grid."""
    made = tmp_path_factory.mktemp("report")
    log = (
        "simulate",
        "order-service",
        "--gogc",
        "200",
        "--duration",
        "30s",
        "--replicas",
        "1",
        "--trace-out",
        "a.log",
    )
    assert installed.run(*log, cwd=made).returncode == 0
    page = ("report", "order-service", *GRID, *HOW, "--log", "a.log", "-o", "page.html")
    assert installed.run(*page, cwd=made).returncode == 0
    sweep = installed.run("sweep", "order-service", *GRID, *HOW, "--json", cwd=made)
    (made / "sweep.json").write_text(sweep.stdout, encoding="utf-8")
    return made


@pytest.fixture
def opened(browser: Any, folder: Path) -> Iterator[Any]:
    """The page in a window of 1,280 pixels, without a network, drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    page.goto(f"file://{folder / 'page.html'}")
    page.wait_for_function(DRAWN)
    yield page
    context.close()


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def texts_of(page: Any, stem: str) -> list[str]:
    """The texts of a figure's values, in order."""
    data = json.loads(page.locator(f"#figure-{stem} > script").text_content())
    return [value["text"] for value in data["spec"]["data"]["values"]]


def test_the_page_loads_nothing_and_reports_no_error(browser: Any, folder: Path) -> None:
    """No request but the page itself, no message on the console, less than 2 MB, every figure drawn."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"file://{folder / 'page.html'}")
    page.wait_for_function(DRAWN)
    assert [url for url in asked if not url.startswith("data:")] == [f"file://{folder / 'page.html'}"]
    assert said == []
    assert page.locator("figure.chart .plot svg").count() == page.locator("figure.chart").count() >= 10
    assert (folder / "page.html").stat().st_size < MOST_BYTES
    context.close()


def test_the_value_under_the_pointer_is_the_predicted_one(opened: Any, folder: Path) -> None:
    """The line below a heat map and the text next to the pointer are the prediction in the sweep's JSON."""
    assert [_compare_with_json(opened, folder, stem) for stem in HEAT_MAPS] == [12] * 4


def _compare_with_json(opened: Any, folder: Path, stem: str) -> int:
    """Points at each cell that the sweep has; returns their number."""
    cells = opened.locator(f"#figure-{stem} .plot svg .mark-rect.role-mark").last.locator("path")
    texts = texts_of(opened, stem)
    assert cells.count() == len(texts)
    checked = 0
    for run in json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["runs"]:
        limit, gogc = run["settings"]["gomemlimit_bytes"], run["settings"]["gogc"]
        where = f"GOGC={gogc} GOMEMLIMIT={'off' if limit is None else f'{limit >> 20}MiB'}: "
        place = next(i for i, text in enumerate(texts) if text.startswith(where))
        shown = format_estimate(HEAT_MAPS[stem], Estimate(**run["metrics"][HEAT_MAPS[stem]]))
        cells.nth(place).hover()
        under = opened.locator(f"#value-{stem}").text_content()
        assert under == texts[place]
        assert f" {shown}; {'feasible' if run['feasible'] else 'infeasible'}" in under
        assert opened.locator("#vg-tooltip-element.visible").inner_text() == under
        checked += 1
    return checked


def test_the_nearest_value_of_a_curve_is_under_the_pointer(opened: Any) -> None:
    """Between the points of a curve the pointer shows the closest one."""
    points = opened.locator("#figure-trade-off .plot svg .mark-symbol.role-mark").last.locator("path")
    texts = texts_of(opened, "trade-off")
    opened.locator("#figure-trade-off .plot").scroll_into_view_if_needed()
    boxes = [one.bounding_box() for one in points.all()]
    middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
    assert len(middles) == len(texts)
    today = middles[next(i for i, text in enumerate(texts) if text.endswith("; today"))]
    for across, down in ((-60, 40), (-45, -30), (30, -50)):
        at = (today[0] + across, today[1] + down)
        opened.mouse.move(*at)
        nearest = min(math.dist(at, one) for one in middles)
        found = texts.index(opened.locator("#value-trade-off").text_content())
        assert math.dist(at, middles[found]) == pytest.approx(nearest, abs=0.5)


def test_every_figure_is_read_by_keyboard(opened: Any) -> None:
    """The Tab key reaches each figure, the arrow keys move through its values, and the ends stay."""
    opened.keyboard.press("Tab")
    reached = []
    for _ in range(200):
        stem = opened.evaluate("document.activeElement.closest('figure.chart')?.id")
        if stem is not None and opened.evaluate("document.activeElement.classList.contains('plot')"):
            reached.append(stem.removeprefix("figure-"))
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement === document.body"):
            break
    figures = opened.evaluate("[...document.querySelectorAll('figure.chart')].map((one) => one.id)")
    assert reached == [one.removeprefix("figure-") for one in figures]
    for stem in reached:
        texts, value = texts_of(opened, stem), opened.locator(f"#value-{stem}")
        opened.locator(f"#figure-{stem} .plot").focus()
        opened.keyboard.press("ArrowRight")
        assert value.text_content() == texts[0]
        opened.keyboard.press("ArrowRight")
        assert value.text_content() == texts[1]
        opened.keyboard.press("End")
        opened.keyboard.press("ArrowRight")
        assert value.text_content() == texts[-1]
    opened.locator("#figure-gc-cpu .plot").focus()
    opened.keyboard.press("Home")
    opened.keyboard.press("ArrowDown")
    columns = opened.locator("#figure-gc-cpu thead th").count() - 1
    assert opened.locator("#value-gc-cpu").text_content() == texts_of(opened, "gc-cpu")[columns]


def test_a_snippet_is_copied(browser: Any, folder: Path) -> None:
    """The button puts the two variables into the clipboard and says so."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"file://{folder / 'page.html'}")
    page.locator(".answer button.copy").click()
    page.wait_for_function("document.querySelector('.answer button.copy').textContent === 'Copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".answer pre").text_content()
    assert copied.startswith("GOGC=")
    context.close()


@pytest.mark.parametrize(("scheme", "checked"), [("light", 1280), ("dark", 390)])
def test_the_page_fits_its_window_and_axe_finds_nothing(
    browser: Any, folder: Path, scheme: str, checked: int
) -> None:
    """From a phone to a desk, also with every part opened; contrast, names, roles and order."""
    context = browser.new_context(viewport={"width": checked, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"file://{folder / 'page.html'}")
    page.wait_for_function(DRAWN)
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["impact"], one["id"], one["nodes"][0]["html"][:90]) for one in found] == []
    for width in (390, 420, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false })")
        assert overflow(page) <= 0
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert overflow(page) <= 0
    context.close()


def test_numbers_in_cells_can_be_read(opened: Any) -> None:
    """Their contrast is 4.5 or more, in light and dark: the accessibility checker does not look into drawings."""
    cells = "[...document.querySelectorAll('#figure-{} svg {} {}')].map((one) => getComputedStyle(one).{})"
    for scheme, paper in (("light", (255, 255, 255)), ("dark", (20, 24, 29))):
        opened.emulate_media(color_scheme=scheme)
        for stem in HEAT_MAPS:
            fills, opacity = (
                opened.evaluate(cells.format(stem, ".mark-rect.layer_0_marks", "path", name))
                for name in ("fill", "fillOpacity")
            )
            texts = opened.evaluate(cells.format(stem, ".mark-text.role-mark", "text", "fill"))
            assert len(fills) == len(texts) == len(texts_of(opened, stem))
            for fill, share, text in zip(fills, opacity, texts, strict=True):
                mixed = [
                    float(share) * c + (1 - float(share)) * p for c, p in zip(_rgb(fill), paper, strict=True)
                ]
                light, dark = sorted((_luminance(mixed), _luminance(_rgb(text))), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (scheme, stem, fill, text)


def _rgb(colour: str) -> list[float]:
    return [float(part) for part in re.findall(r"[\d.]+", colour)[:3]]


def _luminance(rgb: Sequence[float]) -> float:
    """The relative luminance of WCAG."""
    linear = [c / 3294.6 if c <= 10.0 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_without_javascript_figures_are_images_and_tables(browser: Any, folder: Path) -> None:
    """Each figure has a still image or an open table; no button without effect is shown."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto(f"file://{folder / 'page.html'}")
    for figure in page.locator("figure.chart").all():
        still, table = figure.locator("img.still"), figure.locator("details[open] table")
        assert still.count() + table.count() >= 1
        assert still.count() == 0 or still.get_attribute("alt")
        assert not figure.locator("output").is_visible()
    assert page.locator("button:visible").count() == 0
    assert "GOMEMLIMIT=" in page.locator(".answer pre").text_content()
    context.close()


def test_the_page_prints(browser: Any, folder: Path) -> None:
    """On paper of a usual width nothing is cut off, in light colours, without what only a screen can use."""
    context = browser.new_context(viewport={"width": 740, "height": 1000}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"file://{folder / 'page.html'}")
    page.wait_for_function(DRAWN)
    page.emulate_media(media="print", color_scheme="dark")
    assert overflow(page) <= 0
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("nav").is_visible()
    assert not page.locator(".answer button.copy").is_visible()
    context.close()


def test_the_same_command_gives_the_same_page(installed: Installed, folder: Path) -> None:
    """Byte for byte."""
    page = ("report", "order-service", *GRID, *HOW, "--log", "a.log", "-o", "again.html")
    assert installed.run(*page, cwd=folder, env={"PYTHONHASHSEED": "7"}).returncode == 0
    assert (folder / "again.html").read_bytes() == (folder / "page.html").read_bytes()
