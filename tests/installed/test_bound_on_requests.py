"""``calibrate --requests``: a load test gives a captured server requests, and ``recommend`` bounds their latency."""

import json

from installed_script import Installed

STATED = ("--open-loop", "--go", "1.27")
QUICK = ("--memory", "512MiB", "--duration", "10s", "--replicas", "2", "--json")


def test_a_load_test_makes_a_bound_on_latency_work(installed: Installed) -> None:
    """A wide bound is likely, one near the median is not; without a load test both are refused."""
    made = installed.run(
        "simulate", "order-service-open", "--duration", "20s", "--replicas", "1", "--trace-out", "shop.log"
    )
    assert made.returncode == 0
    result = {"latencies": {"50th": 30e6, "99th": 90e6}, "rate": 300.0}
    (installed.folder / "test.json").write_text(json.dumps(result))
    fitted = installed.run("calibrate", "shop.log", "-o", "shop.toml", "--requests", "test.json", *STATED)
    assert fitted.returncode == 0, fitted.stderr
    assert "load test p50 30 ms" in fitted.stdout
    probabilities = []
    for bound in ("2s", "31ms"):
        found = installed.run("recommend", "shop.toml", "--max-request-p99", bound, *QUICK)
        margin = json.loads(found.stdout)["margins"][-1]
        assert margin["metric"] == "request_p99_seconds"
        probabilities.append(margin["probability"]["value"])
    assert probabilities[0] > 0.95
    assert probabilities[1] < 0.5  # below the predicted median
    assert installed.run("calibrate", "shop.log", "-o", "plain.toml", *STATED).returncode == 0
    for option, said in (("--max-request-p99", "--requests"), ("--max-job-time", "is no job")):
        refused = installed.run("recommend", "plain.toml", option, "1s", *QUICK)
        assert refused.returncode == 2
        assert option in refused.stderr
        assert said in refused.stderr


def test_a_load_test_that_says_too_little_is_refused(installed: Installed) -> None:
    """Exit status 2 and a sentence that names the option or the file; no model is written."""
    (installed.folder / "app.log").write_text("gc 1 @0.1s 0%: 0.1+1+0.1 ms clock\n")
    (installed.folder / "half.json").write_text("{")
    for options, said in (
        (("--request-rate", "150/s"), "--request-p50"),
        (("--request-rate", "many"), "--request-rate"),
        (("--requests", "half.json"), "half.json"),
        (("--requests", "missing.json"), "missing.json"),
    ):
        refused = installed.run("calibrate", "app.log", "-o", "app.toml", *options)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (installed.folder / "app.toml").exists()
