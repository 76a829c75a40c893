"""docs/explanation/recommended-settings.md states the committed predictions and runs of its studies."""

from experiments.recommended import constraints, stress
from experiments.recommended.page import write_page
from experiments.recommended.services import STRESSES
from experiments.rules.study import read_predictions, read_results


def test_the_page_is_that_of_the_committed_files() -> None:
    """And every run has its prediction."""
    assert not write_page(check=True)
    known = {(one.program, one.rule) for one in read_predictions(stress.PREDICTIONS)}
    assert {(one.program, one.rule) for one in read_results(stress.RESULTS)} <= known
    asked = {(one.service, one.asked) for one in constraints.read_answers()}
    assert {(one.service, one.asked) for one in constraints.read_runs()} <= asked


def test_every_stress_of_the_table_can_be_made() -> None:
    """The names of the study are those of the stress table."""
    assert {one.rule for one in read_predictions(stress.PREDICTIONS)} <= set(STRESSES)
