"""Load tests: the files of load testers, the fit of requests, and the time without a P."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from des_fingerprint import open_service

from gcsim.calibration.estimate.load_test import with_load_test
from gcsim.calibration.load_test import LoadTest, read_load_test
from gcsim.engine.des.program.waits import Waits
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests, arrival_seconds
from gcsim.streams import stream

VEGETA = {
    "latencies": {"mean": 3e6, "50th": 2e6, "95th": 6e6, "99th": 11e6},
    "rate": 150.0,
    "throughput": 149.9,
}
K6_TIMES = {"avg": 3.0, "med": 2.0, "p(95)": 6.0, "p(99)": 11.0}
OHA = {"summary": {"requestsPerSec": 150.0}, "latencyPercentiles": {"p50": 0.002, "p95": 0.006, "p99": 0.011}}
HEY = """Summary:
  Requests/sec:\t150.0000

Latency distribution:
  50% in 0.0020 secs
  95% in 0.0060 secs
  99% in 0.0110 secs
"""
WRK = """  Latency Distribution
     50%    2.00ms
     90%    5.12ms
     99%   11.00ms
  1500 requests in 10.00s, 1.2MB read
Requests/sec:    150.00
"""
WRK2 = " 50.000%    2.00ms\n 90.000%    5.12ms\n 99.000%   11.00ms\nRequests/sec:    150.00\n"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(VEGETA),
        json.dumps({"metrics": {"http_req_duration": K6_TIMES, "http_reqs": {"count": 1500, "rate": 150.0}}}),
        json.dumps(
            {"metrics": {"http_req_duration": {"values": K6_TIMES}, "http_reqs": {"values": {"rate": 150.0}}}}
        ),
        json.dumps(OHA),
        HEY,
        WRK,
        WRK2,
    ],
    ids=["vegeta", "k6 export", "k6 handleSummary", "oha", "hey", "wrk", "wrk2"],
)
def test_the_files_of_load_testers_give_the_same_load_test(tmp_path: Path, text: str) -> None:
    """Rate, median and 99th percentile, in the unit of each tester."""
    file = tmp_path / "result"
    file.write_text(text)
    found = read_load_test(file)
    assert found.rate_per_second == pytest.approx(150.0)
    assert found.p50_seconds == pytest.approx(0.002)
    assert found.p99_seconds == pytest.approx(0.011)


def test_a_csv_file_has_a_row_for_each_request(tmp_path: Path) -> None:
    """Quantiles of the column with latencies; the rate of the column with starts, or from an option."""
    rows = [(0.001 * (k + 1), 0.1 * k) for k in range(200)]
    file = tmp_path / "hey.csv"
    file.write_text("response-time,offset\n" + "".join(f"{time:.4f},{start:.4f}\n" for time, start in rows))
    found = read_load_test(file)
    assert found.rate_per_second == pytest.approx(10.0)
    assert found.p50_seconds == pytest.approx(0.1005)
    file.write_text("latency_ms\n" + "".join(f"{1e3 * time:.4f}\n" for time, _ in rows))
    found = read_load_test(file)
    assert found.rate_per_second is None
    assert found.p50_seconds == pytest.approx(0.1005)
    with pytest.raises(InputError, match="--request-rate"):
        found.check()
    LoadTest(rate_per_second=10.0).over(found).check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no latencies"),
        ("{}", "no known load tester"),
        ('{"latencies": {}, "rate": 1}', "KeyError"),
        ('{"latencies": {"50th": "x", "99th": 1}, "rate": 1}', "50th must be a number"),
        (
            json.dumps({"metrics": {"http_req_duration": {"med": 2.0}, "http_reqs": {"rate": 1.0}}}),
            "p\\(99\\)",
        ),
        ("Requests/sec: 10\n", "no latencies"),
        (" 50%  2.00ms\nRequests/sec: 10\n", "99 %"),
        ("latency_ms\n1\n2\n", "2 requests"),
        ("latency_ms\n" + "1\n" * 50 + "x\n" + "1\n" * 60, "line 52"),
    ],
)
def test_another_file_is_an_input_error_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    """The error names the file and the reason."""
    file = tmp_path / "result"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as error:
        read_load_test(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("test", "option"),
    [
        (LoadTest(p50_seconds=1.0, p99_seconds=2.0), "--request-rate"),
        (LoadTest(rate_per_second=1.0, p99_seconds=2.0), "--request-p50"),
        (LoadTest(rate_per_second=1.0, p50_seconds=0.1), "--request-p99"),
        (LoadTest(rate_per_second=1.0, p50_seconds=0.2, p99_seconds=0.1), "--request-p99"),
        (LoadTest(rate_per_second=1e9, p50_seconds=0.1, p99_seconds=0.1), "--request-rate"),
    ],
)
def test_a_load_test_needs_three_figures_in_range(test: LoadTest, option: str) -> None:
    """The error names the option."""
    with pytest.raises(InputError, match=option):
        test.check()


def test_the_simulated_load_test_has_the_measured_quantiles(tmp_path: Path) -> None:
    """At the calibrated setting, also from the saved model; a slower test has more time without a P."""
    model = open_service()
    fast, slow = (
        with_load_test(model, LoadTest(rate_per_second=500.0, p50_seconds=p50, p99_seconds=p99))
        for p50, p99 in ((0.002, 0.080), (0.030, 0.120))
    )
    assert fast[1].requests.wait_seconds < slow[1].requests.wait_seconds
    assert slow[1].p50_seconds == pytest.approx(0.030, rel=0.02)
    assert slow[1].p99_seconds == pytest.approx(0.120, rel=0.1)
    slow[0].save(tmp_path / "m.toml")
    again = Model.load(tmp_path / "m.toml")
    assert again.requests == slow[0].requests
    run = simulate(again, [again.settings], engine="des", length="needed", replicas=2)[0]
    assert run.metrics["request_p50_seconds"].value == pytest.approx(0.030, rel=0.1)
    assert run.metrics["request_p99_seconds"].contains(0.120)


def test_the_time_without_a_p_adds_to_the_simulated_time() -> None:
    """Quantiles of the sum are those of a million random sums."""
    draws, waits = stream(1, "waits"), Waits(0.002, 0.8)
    times = np.array([0.001, 0.004, 0.050])
    shares = np.array([0.6, 0.35, 0.05])
    sums = draws.choice(times, p=shares, size=1_000_000)
    sums += 0.002 * np.exp(0.8 * draws.standard_normal(1_000_000))
    for level in (0.5, 0.9, 0.99):
        expected = float(np.quantile(sums, level))
        assert waits.quantile_of_sum(times, shares, level) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("variation", [0.0, 0.5, 1.0])
def test_gaps_have_the_variation_asked_for(variation: float) -> None:
    """Mean and deviation of the gaps between arrivals: even, between, and Poisson."""
    requests = Requests(bytes_per_request=1.0, workers=1, gap_variation=variation)
    times = arrival_seconds(
        requests,
        stream(1, "gaps"),
        100_000,
        rate_per_second=100.0,
        profile=Profile.steady(),
        after_seconds=0.0,
    )
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(0.01, rel=0.02)
    assert float(gaps.std()) / float(gaps.mean()) == pytest.approx(variation, abs=0.02)
    assert not math.isnan(float(times[-1]))
