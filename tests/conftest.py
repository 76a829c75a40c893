"""What each test needs: the markers ``slow``, ``go`` and ``captures``, by folder, file or test.

``pytest -m "not slow"`` is the quick tier: at most a minute, without Go and without captures. A test that needs Go or
captures is slow. A new test is quick unless a table here names it; name those that take more than two seconds.
"""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# A shell lets its background jobs ignore Ctrl-C, and their children inherit that. Tests of Ctrl-C need it in children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test fails for want of time: machines that do other things are slow.
settings.register_profile(
    "gcsim", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gcsim")

GO = ("golang/",)

CAPTURES = (
    "unit/test_api.py::test_a_captured_log_gives_the_same_file_from_both",
    "unit/test_api.py::test_a_refused_log_is_named",
    "unit/test_api.py::test_an_older_model_keeps_its_verdict",
    "unit/test_api.py::test_json_is_one_document_with_verdict_settings_and_intervals",
    "unit/test_api.py::test_several_logs_give_the_same_file_from_both",
    "unit/test_api.py::test_the_experiments_use_the_same_model",
    "unit/test_api.py::test_the_model_file_keeps_the_assessment_as_data",
    "unit/test_cli_width.py::test_inspect_and_calibrate_fit_80_columns",
    "unit/test_growth.py::test_of_real_programs_only_the_leak_grows",
    "unit/test_latency_split.py::test_the_page_has_the_figures_of_the_committed_runs",
    "unit/test_leak_forecast.py::test_every_run_has_a_forecast_and_the_page_has_it",
    "unit/test_leak_forecast.py::test_the_rate_of_other_programs_is_forecast",
    "unit/test_log_settings.py::test_a_limit_is_never_taken_for_a_gogc",
    "unit/test_log_settings.py::test_a_side_file_that_lacks_gogc_leaves_it_to_the_goals",
    "unit/test_log_settings.py::test_gogc_is_inferred_from_real_goals",
    "unit/test_log_settings.py::test_the_side_file_and_then_the_user_decide",
    "unit/test_shipped_models.py::test_a_shipped_model_is_what_its_captures_give",
    "unit/test_calibration_walk.py::test_a_captured_log_passes_through_calibration_file_by_file",
    "unit/test_cli_commands.py::test_a_limit_stated_to_be_off_is_off_whatever_the_side_file_says",
    "unit/test_counted_memory.py",
    "unit/test_diagnosis_scenarios.py::test_a_captured_scenario_is_diagnosed",
    "unit/test_disturbance.py",
    "unit/test_memory_outside.py",
    "unit/test_own_lines.py::test_a_real_trace_is_all_trace_lines",
    "unit/test_pace.py",
    "unit/test_recounted.py",
    "unit/test_scatter_together.py",
    "unit/test_several_logs.py",
    "unit/test_side_file.py::test_committed_captures_need_no_mark_and_no_note",
    "unit/test_stalls.py",
    "unit/test_window.py",
)

SLOW = (
    "installed/test_bad_input.py",
    "installed/test_bound_on_requests.py",
    "installed/test_cluster.py",
    "installed/test_defaults_file.py",
    "installed/test_diagnose.py",
    "installed/test_gate.py",
    "installed/test_growing_log.py",
    "installed/test_jobs.py",
    "installed/test_memory_readings.py",
    "installed/test_report_browser.py",
    "installed/test_resume.py",
    "installed/test_recommend_from_logs.py",
    "installed/test_signals.py",
    "installed/test_sites_command.py",
    "installed/test_streams.py",
    "installed/test_table_option.py",
    "installed/test_terminal.py",
    "installed/test_tight_containers.py",
    "installed/test_whatif_command.py",
    "properties/test_assist_queue.py::test_fluid_limiter_follows_the_bucket",
    "properties/test_des_conservation.py::test_nothing_is_made_or_lost_between_events",
    "properties/test_equal_lanes.py::test_a_filled_grid_is_the_grid_in_full",
    "properties/test_gctrace_roundtrip.py",
    "properties/test_growth_returns.py::test_the_event_engine_has_the_same_peak_at_calibration",
    "properties/test_keyed_randomness.py::test_chunks_of_a_sweep_change_nothing",
    "properties/test_keyed_randomness.py::test_events_alone_in_a_grid_and_in_any_order",
    "properties/test_keyed_randomness.py::test_lanes_alone_in_a_grid_and_in_any_order",
    "properties/test_keyed_randomness.py::test_more_replicas_leave_the_first_ones_as_they_are",
    "properties/test_pacer_forms.py::test_scalar_and_array_form_agree",
    "properties/test_tricolor.py::test_a_lost_object_is_found_without_the_barrier",
    "unit/test_api_docs.py::test_the_examples_run",
    "unit/test_bench_cluster.py::test_a_small_sweep_is_measured",
    "unit/test_bounds.py::test_a_plot_of_a_million_hours_ends",
    "unit/test_bounds.py::test_a_run_without_collections_has_nothing_to_record",
    "unit/test_bounds.py::test_a_timeline_of_too_many_steps_is_refused",
    "unit/test_capture_pages.py::test_what_a_service_has_is_collected",
    "unit/test_capture.py::test_a_process_that_keeps_standard_error_is_reported",
    "unit/test_child.py",
    "unit/test_cli_answers.py::test_a_report_shows_today_and_pastes_only_what_fits",
    "unit/test_cli_answers.py::test_another_go_version_is_noted_in_every_simulating_command",
    "unit/test_cli_bad_input.py::test_a_truncated_model",
    "unit/test_cli_commands.py::test_a_dollar_sign_in_a_models_name_is_drawn",
    "unit/test_cli_commands.py::test_plot_redraws_a_sweep_byte_for_byte",
    "unit/test_cli_commands.py::test_recommend_exits_with_0_or_1",
    "unit/test_cli_commands.py::test_report_is_one_page_that_fetches_nothing",
    "unit/test_cli_service.py::test_the_verdict_goes_with_the_model",
    "unit/test_compare.py",
    "unit/test_controllers.py",
    "unit/test_des.py",
    "unit/test_des_views.py::test_the_command_writes_objects_of_a_file_with_their_pools",
    "unit/test_docs_commands.py::test_the_commands_of_a_page_run",
    "unit/test_engines_agree.py",
    "unit/test_executors.py",
    "unit/test_fleet.py",
    "unit/test_fit_report.py::test_the_same_fit_gives_the_same_figures",
    "unit/test_heap_course.py",
    "unit/test_job_costs.py::test_fewer_collections_cost_less",
    "unit/test_live_growth.py::test_engines_agree_on_growth",
    "unit/test_live_growth.py::test_the_memory_of_a_job_includes_its_last_heap",
    "unit/test_load_test.py::test_the_simulated_load_test_has_the_measured_quantiles",
    "unit/test_recommend_rules.py",
    "unit/test_recovery.py",
    "unit/test_page.py::test_a_page_with_a_recommendation_says_how_to_apply_it_and_to_roll_back",
    "unit/test_page.py::test_a_miss_has_nothing_to_paste",
    "unit/test_pool_fit.py",
    "unit/test_pools_in_engines.py",
    "unit/test_own_controller.py::test_other_processes_load_the_function_again",
    "unit/test_reuse.py::test_a_longer_period_between_collections_makes_more_hits",
    "unit/test_run_figures.py",
    "unit/test_run_length.py::test_the_document_says_how_long_was_simulated",
    "unit/test_run_length.py::test_the_length_depends_on_the_run_alone",
    "unit/test_smallest.py::test_the_smallest_container_is_the_first_that_keeps_the_bound",
    "unit/test_stride.py",
    "unit/test_survivors.py",
    "unit/test_tuning_recommend.py",
    "unit/test_unfinished.py::test_a_sweep_continues_in_its_edges_and_in_its_chunks",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--large``."""
    parser.addoption("--large", action="store_true", help="Run the largest tests at full size.")


@pytest.fixture(scope="session")
def large(request: pytest.FixtureRequest) -> bool:
    """Whether the largest tests run at full size."""
    return bool(request.config.getoption("--large"))


@pytest.fixture
def only_large(large: bool) -> None:
    """Skips a test that runs with ``--large`` only."""
    if not large:
        pytest.skip("runs with --large")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the markers."""
    for item in items:
        test = f"{item.path.relative_to(HERE).as_posix()}::{getattr(item, 'originalname', item.name)}"
        go, captures = _named(test, GO), _named(test, CAPTURES)
        if go:
            item.add_marker(pytest.mark.go)
        if captures:
            item.add_marker(pytest.mark.captures)
        if go or captures or _named(test, SLOW):
            item.add_marker(pytest.mark.slow)


def _named(test: str, table: tuple[str, ...]) -> bool:
    """Whether a table names the test, its file or its folder."""
    folder, file = test.split("/")[0] + "/", test.split("::")[0]
    return not {test, file, folder}.isdisjoint(table)
