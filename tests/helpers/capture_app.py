"""A Go program to capture, and a call of ``gcsim capture``."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

GCSIM = [sys.executable, "-m", "gcsim"]
PROGRAM = """
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var keep [][]byte

// Allocates for a while, counts the signals that it gets, and ends with that many more than -exit.
func main() {
	duration := flag.Duration("duration", 300*time.Millisecond, "")
	status := flag.Int("exit", 0, "")
	handle := flag.Bool("handle", false, "")
	flag.Parse()
	got := make(chan os.Signal, 16)
	if *handle {
		signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	}
	fmt.Fprintln(os.Stderr, "ready")
	count := 0
	for end := time.Now().Add(*duration); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		if keep = append(keep, make([]byte, 64<<10)); len(keep) > 64 {
			keep = keep[1:]
		}
		select {
		case <-got:
			if count++; count == 1 {
				end = time.Now().Add(400 * time.Millisecond)
			}
		default:
		}
	}
	fmt.Fprintln(os.Stderr, "done")
	os.Exit(*status + count)
}
"""


def capture(
    log: Path | str,
    *command: str | Path,
    options: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    limit: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """One call of the command line."""
    knobs = ("GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG")
    ours = {name: value for name, value in os.environ.items() if name not in knobs}
    return subprocess.run(
        [*GCSIM, "capture", "-o", str(log), *options, "--", *map(str, command)],
        env={**ours, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False, preexec_fn=limit,
    )  # fmt: skip
