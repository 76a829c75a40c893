#!/usr/bin/env bash
# Checks the log of a load test: does the model still describe the service (gcsim validate), and does the log show a
# serious fault (gcsim diagnose)? With GATE_REPORT it also writes the HTML report.
#
# Environment:
#   GATE_LOG        the gctrace log; required
#   GATE_MODEL      a model file; without it the log is only diagnosed
#   GATE_MEMORY     memory of the container, such as 512Mi
#   GATE_MAX_ERROR  largest error of heap peak, cycle rate, GC CPU and RSS; 25% unless given
#   GATE_GOGC, GATE_GOMEMLIMIT, GATE_GO   settings of the logged run, if no side file holds them
#   GATE_REPORT     an HTML file to write; needs GATE_MODEL
#   GITHUB_STEP_SUMMARY, GITHUB_OUTPUT    files of GitHub Actions, if there are any
#
# Exit status: 0 passed; 1 a check failed; 2 bad input; another one is an error in gcsim.
set -uo pipefail

log=${GATE_LOG:-}
model=${GATE_MODEL:-}
if [ -z "$log" ]; then
  echo "gate: GATE_LOG is missing; set it to the gctrace log of the load test" >&2
  exit 2
fi
if [ -n "${GATE_REPORT:-}" ] && [ -z "$model" ]; then
  echo "gate: GATE_REPORT needs GATE_MODEL; set it to the model that chose the settings" >&2
  exit 2
fi

settings=()
if [ -n "${GATE_GOGC:-}" ]; then settings+=(--gogc "$GATE_GOGC"); fi
if [ -n "${GATE_GOMEMLIMIT:-}" ]; then settings+=(--gomemlimit "$GATE_GOMEMLIMIT"); fi
if [ -n "${GATE_GO:-}" ]; then settings+=(--go "$GATE_GO"); fi
memory=()
if [ -n "${GATE_MEMORY:-}" ]; then memory+=(--memory "$GATE_MEMORY"); fi

worst=0
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# Writes a line into the output of the step, if the gate runs in GitHub Actions.
output() {
  if [ -n "${GITHUB_OUTPUT:-}" ]; then printf '%s\n' "$1" >>"$GITHUB_OUTPUT"; fi
}

# check NAME COMMAND...: runs the command, shows its output, and keeps the worst exit status.
check() {
  local name=$1 status word
  shift
  printf '== %s\n' "$name"
  "$@" >"$found" 2>&1
  status=$?
  cat "$found"
  case $status in
    0) word=passed ;;
    1) word=failed ;;
    2) word="bad input" ;;
    *) word="error $status" ;;
  esac
  printf '== %s: %s\n\n' "$name" "$word"
  output "$name=$word"
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    # indented, so that no text of the log is read as Markdown
    { printf '### gcsim %s: %s\n\n' "$name" "$word"; sed 's/^/    /' "$found"; printf '\n'; } >>"$GITHUB_STEP_SUMMARY"
  fi
  if [ "$status" -gt "$worst" ]; then worst=$status; fi
}

if [ -n "$model" ]; then
  check validate gcsim validate "$model" "$log" --max-error "${GATE_MAX_ERROR:-25%}" "${settings[@]}"
fi
check diagnose gcsim diagnose "$log" "${memory[@]}" "${settings[@]}"
if [ -n "${GATE_REPORT:-}" ]; then
  check report gcsim report "$model" --log "$log" "${memory[@]}" -o "$GATE_REPORT"
fi
exit "$worst"
