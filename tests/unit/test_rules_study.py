"""docs/explanation/rules-of-thumb.md states the committed predictions and runs of real programs."""

from experiments.rules.page import write_page
from experiments.rules.study import Predicted, read_predictions, read_results


def test_the_page_is_that_of_the_committed_files() -> None:
    """And every run has its prediction."""
    assert not write_page(check=True)
    known = {(one.program, one.memory_mib, one.rule) for one in read_predictions()}
    assert {(one.program, one.memory_mib, one.rule) for one in read_results()} <= known


def test_the_predicted_end_is_the_likely_one() -> None:
    """More than half decides; a program that does not fit is killed or stalls."""
    ends = [
        Predicted(
            program="p", memory_mib=1, rule="r", environment={}, fits=fits, killed=killed, gc_cpu=(0, 0, 0)
        ).end
        for fits, killed in ((0.6, 0.4), (0.4, 0.5), (0.4, 0.1))
    ]
    assert ends == ["kept", "killed", "stalls"]
