"""Logs with too few cycles: the advice suits a service or a job."""

import io
from dataclasses import replace

import pytest

from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.info import CaptureInfo
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace

LINES = "\n".join(
    f"gc {n} @{n / 10:.3f}s 2%: 0.02+1.2+0.02 ms clock, 0.04+0.1/0.6/0+0.04 ms cpu,"
    f" {4 * n}->{4 * n + 1}->{2 * n} MB, {4 * n} MB goal, 0 MB stacks, 0 MB globals, 2 P"
    for n in range(1, 5)
)


def a_log(info: CaptureInfo | None = None) -> Trace:
    return replace(read_gctrace(io.BytesIO(f"{LINES}\n".encode())), info=info)


def test_a_service_runs_for_longer() -> None:
    """A bare log does not say that the program is a job."""
    with pytest.raises(
        InputError, match=r"needs 6; run the service under load for longer and capture it again$"
    ):
        calibrate(a_log(), name="few", overrides=Overrides(go="1.27"))


def test_a_job_cannot_run_for_longer() -> None:
    """A job gets a larger input or a lower GOGC; a program that ended by itself gets both advices."""
    with pytest.raises(InputError, match=r"the job again with a larger input, or at a lower GOGC") as found:
        calibrate(a_log(), name="few", overrides=Overrides(go="1.27", job=True))
    assert "longer" not in str(found.value)
    ended = CaptureInfo(command=["x"], go="1.27", gogc=100, gomaxprocs=2, exit_status=0, was_stopped=False)
    with pytest.raises(InputError, match=r"for longer .* for a job, use a larger input .* --job"):
        calibrate(a_log(ended), name="few")
