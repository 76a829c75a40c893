"""Figures: their data by value, their drawing without touching anything global, their bytes repeatable."""

import io
import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from example_service import example_service
from PIL import Image

from gcsim.atomic import replacing_set
from gcsim.cycles import CycleTable
from gcsim.engine.simulate import record_cycles
from gcsim.metrics import METRIC_LABELS, METRICS, Estimate, cycle_metrics, format_metric
from gcsim.report import plots
from gcsim.report.cell_numbers import CellNumbers
from gcsim.report.figures import heap_figure, heat_map_figure, pauses_figure, trade_off_figure
from gcsim.report.heap_curve import ceiling_mib, heap_curve_data
from gcsim.report.heatmap import heat_map_data
from gcsim.report.pauses import pause_curve_data
from gcsim.report.plots import Shown, figures_of, write_figures
from gcsim.report.png_file import png_bytes
from gcsim.report.style import new_figure, render
from gcsim.report.text import format_estimate
from gcsim.report.tradeoff import trade_off_data
from gcsim.settings import Settings
from gcsim.tuning.sweep import Sweep, sweep
from gcsim.units import GIB, MIB


@pytest.fixture(scope="module")
def grid() -> Sweep:
    return sweep(
        example_service(),
        gogc=[None, 50, 100, 400],
        gomemlimit_bytes=[None, 256 * MIB, 150 * MIB],
        duration_seconds=60.0,
        replicas=4,
    )


@pytest.fixture(scope="module")
def cycles() -> CycleTable:
    settings = Settings(gogc=100, gomemlimit_bytes=256 * MIB, gomaxprocs=2, go="1.27")
    return record_cycles(example_service(), settings, duration_seconds=60.0, seed=1)


def test_a_heat_map_runs_from_the_tightest_setting_to_off(grid: Sweep) -> None:
    """Whatever the order on the command line; values are in the unit shown and stay with their labels."""
    data = heat_map_data(grid, "rss_peak_bytes", memory_bytes=220 * MIB, chosen=(1, 2))
    assert data.limit_labels == ("150MiB", "256MiB", "off")
    assert data.gogc_labels == ("50", "100", "400", "off")
    row, column = data.limit_labels.index("256MiB"), data.gogc_labels.index("100")
    assert data.chosen == (row, column)
    assert data.unit == "GiB"  # GOGC=off without a limit keeps all that was ever allocated
    assert data.value[row, column] == pytest.approx(grid.metric("rss_peak_bytes").value[1, 2] / GIB)
    assert data.infeasible[row, column] == grid.infeasible(220 * MIB)[1, 2]


def test_a_heap_curve_is_the_sawtooth_of_its_cycles(cycles: CycleTable) -> None:
    """Start, end of marking, swept: h0, h1, h2 of each cycle, times rising."""
    data = heap_curve_data(cycles)
    last = cycles.select(slice(len(cycles) - 10, len(cycles)))
    assert np.array_equal(data.heap_mib[0::3], last.heap_start_bytes / MIB)
    assert np.array_equal(data.heap_mib[1::3], last.heap_end_bytes / MIB)
    assert np.array_equal(data.heap_mib[2::3], last.heap_marked_bytes / MIB)
    assert (np.diff(data.time_s) >= 0).all()
    assert ceiling_mib([data]) > data.heap_mib.max()


def test_a_window_of_seconds_starts_before_its_left_edge(cycles: CycleTable) -> None:
    """So that lines reach the edge of the axes."""
    data = heap_curve_data(cycles, seconds=2.0)
    assert data.start_s[0] < 0 < data.start_s[-1]
    assert data.end_s[-1] == pytest.approx(2.0)


def test_a_goal_beyond_any_heap_is_not_drawn(cycles: CycleTable) -> None:
    """GOGC=off without a limit prints one near 2^63."""
    far = CycleTable(
        **{
            name: getattr(cycles, name)
            for name in CycleTable.__dataclass_fields__
            if name != "heap_goal_bytes"
        },
        heap_goal_bytes=np.full(len(cycles), 2**62),
    )
    assert np.isnan(heap_curve_data(far).goal_mib).all()


def test_pause_quantiles_are_those_of_the_metrics(cycles: CycleTable) -> None:
    """The marks in the figure and the numbers in the table agree."""
    data, metrics = pause_curve_data(cycles), cycle_metrics(cycles)
    assert data.p50_seconds == metrics["stw_p50_seconds"]
    assert data.p99_seconds == metrics["stw_p99_seconds"]
    assert (data.share_longer[0], data.share_longer[-1]) == (1.0, 1.0 / (2 * len(cycles)))


def test_the_front_falls(grid: Sweep) -> None:
    """More memory, less GC CPU, among feasible settings only."""
    data = trade_off_data(grid.finished, memory_bytes=512 * MIB)
    assert (np.diff(data.front_mib) > 0).all()
    assert (np.diff(data.front_percent) < 0).all()
    assert set(data.front_mib) <= set(data.memory_mib[data.feasible])


def test_drawing_leaves_global_style_alone(grid: Sweep, cycles: CycleTable) -> None:
    """Every figure, with the same SVG bytes when drawn again."""
    before = dict(mpl.rcParams)
    makers = [
        lambda: heat_map_figure(heat_map_data(grid, "gc_cpu_fraction", memory_bytes=220 * MIB), "about"),
        lambda: heap_figure([heap_curve_data(cycles, label="one")], "about"),
        lambda: pauses_figure([pause_curve_data(cycles, label="one")], "about"),
        lambda: trade_off_figure(trade_off_data(grid.finished, chosen=grid.finished[1]), "about"),
    ]
    for make in makers:
        assert render(make(), "svg") == render(make(), "svg")
        assert render(make(), "png").startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_a_png_file_has_the_pixels_without_their_opacity() -> None:
    """Pillow reads the same colours and the resolution."""
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    with Image.open(io.BytesIO(png_bytes(pixels, 180))) as found:
        assert (found.mode, found.info["Software"], round(found.info["dpi"][0])) == ("RGB", "gcsim", 180)
        np.testing.assert_array_equal(np.asarray(found), pixels[:, :, :3])


def test_a_number_stands_in_the_middle_of_its_cell() -> None:
    """The ink of each text is centred on the place of its cell."""
    figure = new_figure(2.0)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, 2)
    axes.set_ylim(0, 1)
    CellNumbers(axes, np.array([[0.5, 0.5], [1.5, 0.5]]), ["9.5", "1440"], ["#000000"] * 2, 8.0)
    with Image.open(io.BytesIO(render(figure, "png"))) as found:
        ink = 255.0 - np.asarray(found.convert("L"), dtype=np.float64)
    height, width = ink.shape
    for column in (0.5, 1.5):
        half = ink[:, int((column - 0.5) * width / 2) : int((column + 0.5) * width / 2)]
        rows, columns = np.nonzero(half > 100)
        assert abs((rows.min() + rows.max()) / 2 - height / 2) <= 2
        assert abs((columns.min() + columns.max()) / 2 - width / 4) <= 2


def test_every_metric_has_a_label_and_a_unit() -> None:
    """Tables never show a bare number or an internal name."""
    assert set(METRIC_LABELS) == set(METRICS)
    assert format_metric("gc_cpu_fraction", 0.0712) == "7.12 %"
    assert format_metric("heap_peak_bytes", 412.0 * MIB) == "412 MiB"
    assert format_metric("stw_p99_seconds", 0.00123) == "1.23 ms"
    assert format_metric("gc_rate_hz", math.nan) == "—"
    estimate = Estimate(412.0 * MIB, 398.0 * MIB, 431.0 * MIB)
    assert format_estimate("heap_peak_bytes", estimate) == "412 MiB (398 to 431 MiB)"


EXTRA = """
from gcsim.report.plot import Plot
from gcsim.report.style import new_figure

PLOTS = (
    Plot(stem="new", section="grid", order=60, text="a new figure", draw=lambda _: new_figure(2.0)),
    Plot(stem="none", section="grid", order=70, text="without data", draw=lambda _: None),
)
"""


def test_a_file_of_the_folder_is_a_figure_of_every_command(
    grid: Sweep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its files are written and the page has a place for it, without a change in another module."""
    (tmp_path / "extra.py").write_text(EXTRA)
    monkeypatch.setattr(plots, "__path__", [*plots.__path__, str(tmp_path)])
    monkeypatch.setattr(plots, "PLOTS", plots._plots())
    shown = Shown(about="about", sweep=grid)
    with replacing_set(tmp_path / "out") as files:
        written = write_figures(shown, files)
    assert [path.name for path in written[-2:]] == ["new.png", "new.svg"]
    assert {path.stem for path in written} == {"gc-cpu", "memory", "trade-off", "new"}
    assert [text for _, text in figures_of(shown, "grid")][-1] == "a new figure"
    assert figures_of(shown, "over time") == ()
