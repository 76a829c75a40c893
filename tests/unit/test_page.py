"""The HTML report: its text, its embedded libraries, and what it shows when there is little to show."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from example_service import example_service

from gcsim.calibration.validation import Comparison, Validation
from gcsim.cli.main import run
from gcsim.engine.plan import Plan
from gcsim.metrics import Estimate
from gcsim.report.page.accuracy import Accuracy
from gcsim.report.page.charts.axes import log_ticks
from gcsim.report.page.charts.chart import script_json
from gcsim.report.page.content import Content
from gcsim.report.page.document import html_page
from gcsim.report.page.elements import Table, snippet
from gcsim.report.page.vendored import libraries, vendor_folder
from gcsim.service.assessment import Assessment, Finding
from gcsim.tuning.compare import compare
from gcsim.tuning.grid import shares_of
from gcsim.tuning.recommend import Recommendation, recommend
from gcsim.tuning.recorded import record_runs
from gcsim.tuning.sweep import Sweep, sweep
from gcsim.units import MIB

PLAN = Plan(duration_seconds=20.0, replicas=2)


@pytest.fixture(scope="module")
def grid() -> Sweep:
    limits = [None, 256 * MIB]
    return sweep(
        example_service(), gogc=[50, 100, 200], gomemlimit_bytes=limits, plan=PLAN, memory_bytes=512 * MIB
    )


@pytest.fixture(scope="module")
def found() -> Recommendation:
    return recommend(example_service(), memory_bytes=512 * MIB, plan=PLAN)


def _with(found: Recommendation) -> Sweep:
    """A grid of today's and the recommended setting."""
    settings = [found.today.settings, found.settings]
    return sweep(
        example_service(),
        gogc=list(dict.fromkeys(one.gogc for one in settings)),
        gomemlimit_bytes=list(dict.fromkeys(one.gomemlimit_bytes for one in settings)),
        plan=PLAN,
        memory_bytes=found.memory_bytes,
    )


@pytest.mark.parametrize("library", libraries(), ids=lambda one: one.name)
def test_an_embedded_library_is_the_published_one(library: object) -> None:
    """Its bytes have the checksum of the npm package, and its licence is in the page with it."""
    (one,) = (each for each in libraries() if each == library)
    data = (vendor_folder() / one.file).read_bytes()
    assert hashlib.sha256(data).hexdigest() == one.sha256
    assert "Redistribution and use" in one.notice
    assert "</script" not in one.script.lower()
    assert "sourceMappingURL" not in one.script


def test_a_page_without_a_container_has_today_and_the_grid(grid: Sweep) -> None:
    """It says how to get a recommendation, and leaves out the sections that need one."""
    page = html_page(Content(model=example_service(), sweep=replace(grid, memory_bytes=None)))
    assert "No recommendation" in page
    assert "--memory" in page
    headings = re.findall(r'<h2 id="[^"]*">([^<]*)</h2>', page)
    assert headings[:3] == ["No recommendation", "Today&#x27;s setting", "All settings"]
    assert "Rules of thumb" not in headings
    assert "Roll back" not in page


def test_a_page_with_a_recommendation_says_how_to_apply_it_and_to_roll_back(found: Recommendation) -> None:
    """Both settings are ready to paste; the new one is in the answer."""
    model = example_service()
    settings = list(dict.fromkeys([found.today.settings, found.settings]))
    content = Content(
        model=model,
        sweep=_with(found),
        recommendation=found,
        comparison=compare(model, memory_bytes=found.memory_bytes, plan=PLAN, recommendation=found),
        recorded=record_runs(model, settings, PLAN),
    )
    page = html_page(content)
    answer = page.split('class="answer')[1].split("</section>")[0]
    assert all(f"{name}={value}" in answer for name, value in found.env.items())
    rolled = page.split("<h3>Roll back</h3>")[1].split("</section>")[0]
    assert "GOGC=100\nGOMEMLIMIT=off" in rolled
    assert page.count('<figure class="chart"') == 4 + 1 + 2 + 1 + 2  # maps, trade-off, heaps, pauses, rules
    assert html_page(content) == page


def test_a_miss_has_nothing_to_paste(grid: Sweep) -> None:
    """The reasons stand in the answer; no snippet has the nearest miss."""
    miss = recommend(example_service(), memory_bytes=64 * MIB, plan=PLAN)
    page = html_page(
        Content(model=example_service(), sweep=replace(grid, memory_bytes=64 * MIB), recommendation=miss)
    )
    assert "No setting is feasible" in page
    assert "Not possible" in page.split('class="answer')[1].split("</section>")[0]
    assert '<div class="snippet">' not in page
    assert "Apply and roll back" not in page


def test_a_model_that_is_not_to_be_trusted_says_so_first(found: Recommendation) -> None:
    """In the heading of the answer, with the finding."""
    assessment = Assessment(findings=(Finding("k", "distrust", "the log is of another program"),))
    model = replace(example_service(), assessment=assessment)
    answer = html_page(Content(model=model, sweep=_with(found), recommendation=found)).split('class="answer')[
        1
    ]
    assert answer.startswith(" bad")
    assert "Do not use this setting" in answer
    assert "the log is of another program" in answer.split("</section>")[0]


def test_bad_options_are_refused_before_the_simulation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Bounds without a container, a log that does not exist, a grid of one setting: status 2 and a sentence."""
    page = str(tmp_path / "a.html")
    for options, words in (
        (["--max-gc-cpu", "5%"], "pass --memory"),
        (["--log", "none.log"], "none.log"),
        (["--gogc", "100", "--gomemlimit", "off"], "two or more"),
    ):
        assert run(["report", "order-service", *options, "-o", page]) == 2
        assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_figure_has_a_text_and_a_table_row_for_each_value(grid: Sweep) -> None:
    """So that no value is lost without a pointer, or without JavaScript."""
    check = Validation(
        settings=example_service().settings,
        comparisons=(
            Comparison(name="gc_cpu_fraction", predicted=Estimate(0.2, 0.1, 0.3), observed=0.25),
            Comparison(name="gc_rate_hz", predicted=Estimate(2.0, 1.8, 2.2), observed=3.0),
        ),
    )
    page = html_page(Content(model=example_service(), sweep=grid, checks={"a.log": check}))
    figures = re.findall(r'<figure class="chart" id="figure-([^"]*)">(.*?)</figure>', page, re.DOTALL)
    assert [name for name, _ in figures] == ["memory", "gc-cpu", "pause", "cycle-rate", "trade-off", "fit-0"]
    for name, figure in figures:
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', figure, re.DOTALL)[1])
        values = data["spec"]["data"]["values"]
        assert [one["i"] for one in values] == list(range(len(values)))
        assert all(re.search(r"\d", one["text"]) for one in values)
        body = figure.split("<tbody")[1].split("</tbody>")[0]
        cells = body.count("<td") if data["perRow"] else body.count("<tr")
        assert cells == len(values), name
    fit = dict(figures)["fit-0"]
    assert "predicted 20 % (10 to 30 %), observed 25 %; inside the interval" in fit
    assert "predicted 2 /s (1.8 to 2.2 /s), observed 3 /s; outside the interval" in fit


def test_text_from_outside_is_escaped(grid: Sweep) -> None:
    """A name with markup, in the text and in the data of the script."""
    model = replace(example_service(), name="</script><b>'\"&\x1b")
    page = html_page(Content(model=model, sweep=replace(grid, model=model.name)))
    assert "<b>" not in page.split("<script>")[0]
    assert "\x1b" not in page
    assert script_json({"a": "</script>"}) == '{"a":"\\u003c/script>"}'
    assert "&lt;/pre&gt;" in snippet("Shell", "</pre>")


def test_numbers_of_the_script_are_finite() -> None:
    """NaN and infinities are null, which JSON has; six digits are enough to draw."""
    assert script_json([float("nan"), float("inf"), 1.23456789, 7]) == "[null,null,1.23457,7]"


def test_a_table_of_words_keeps_its_roles_on_a_phone() -> None:
    """The style sheet shows its rows as blocks, which takes the roles of a table away."""
    table = Table(caption="c", columns=("a", "", "b"), rows=(("x", "1", "words"),), texts=(2,)).html()
    assert all(f'role="{role}"' in table for role in ("table", "row", "columnheader", "rowheader", "cell"))
    assert 'data-label="b"' in table
    assert '<th scope="col"' in table
    assert 'role="cell"></td>' in table  # an empty heading is none


def test_the_page_states_the_measured_errors() -> None:
    """Those of the documentation, which the wheel ships."""
    accuracy = Accuracy.shipped()
    assert accuracy is not None
    assert re.fullmatch(r"[\d.]+ \(\d+\) %", accuracy.error_of("GC CPU"))
    assert [table.columns[0] for table in accuracy.tables] == ["metric", "metric"]
    assert len(accuracy.doubts) >= 5
    assert not any(mark in doubt for doubt in accuracy.doubts for mark in ("**", "`", "]("))


def test_limits_of_a_container() -> None:
    """From 40 to 95 % of it, in whole MiB."""
    limits = shares_of(512 * MIB)
    assert limits == sorted(limits)
    assert all(limit % MIB == 0 and 0.39 < limit / (512 * MIB) <= 0.95 for limit in limits)


def test_ticks_are_round_and_few() -> None:
    """Over half a decade and over four."""
    assert log_ticks(100.0, 400.0) == [100.0, 150.0, 200.0, 300.0]
    assert log_ticks(0.5, 2000.0) == [1.0, 10.0, 100.0, 1000.0]
