"""GOMEMLIMIT as a hard limit of resident memory, and collections at 0.9 and 0.95 of it."""

from pathlib import Path

from experiments.article.arms import OUTSIDE, Arm, capture, load, mean, of_arm, orders, run_arms, save
from experiments.article.claims import Claim
from experiments.article.compared import model_of, pairs, predict, summary, table
from gcsim.units import MIB, format_mib, format_percent

NAME = "soft_limit"
MAPPED = "soft_limit_mapped"  # the calibrated run with memory that Go does not count
LOAD = ("-rate", "5000")
OUTSIDE_MIB, LIMIT_MIB, BELOW_LIVE_MIB = 100, 85, 35


def _arm(name: str, *args: str, limit_mib: int | None) -> Arm:
    return orders(name, *LOAD, *args, limit_mib=limit_mib, seconds=10.0, added=OUTSIDE)


_MAPS = ("-outside", f"{OUTSIDE_MIB}MiB")
ARMS = (
    _arm("limit", limit_mib=LIMIT_MIB),
    _arm("limit, mapped", *_MAPS, limit_mib=LIMIT_MIB),
    _arm("limit below live heap", limit_mib=BELOW_LIVE_MIB),
)


def run(out: Path) -> None:
    """Two calibrated runs without a limit, then every arm; 100 s."""
    capture(NAME, _arm("no limit", limit_mib=None), out)
    capture(MAPPED, _arm("no limit, mapped", *_MAPS, limit_mib=None), out)
    save(NAME, run_arms(ARMS), out)


def claims() -> list[Claim]:
    """The verdicts by the committed runs."""
    runs = load(NAME)
    plain, mapped, below = (arm.name for arm in ARMS)
    rss = mean(runs, mapped, "rss_peak_bytes")
    counted, spent = (mean(runs, below, name) for name in ("go_memory_peak_bytes", "gc_cpu_fraction"))
    forced = sum(value for arm in ARMS for value in of_arm(runs, arm.name, "forced_cycles"))
    rates = [mean(runs, arm, "gc_rate_hz") for arm in (plain, mapped)]
    over = rss > LIMIT_MIB * MIB and counted > BELOW_LIVE_MIB * MIB
    return [
        Claim(
            claim="GOMEMLIMIT is a hard limit on RSS",
            verdict="refuted" if over else "reproduced",
            why=f"with {OUTSIDE_MIB} MiB that Go does not count, RSS is {format_mib(rss)} under a limit of {LIMIT_MIB}"
            f" MiB; with a live heap above a limit of {BELOW_LIVE_MIB} MiB Go's own memory is {format_mib(counted)},"
            f" and GC takes {format_percent(spent, 2)} of the CPU",
        ),
        Claim(
            claim="Below 0.9 of the limit GOGC decides, from 0.95 of it GC is forced",
            verdict="refuted" if forced == 0.0 else "reproduced",
            why=f"{forced:.0f} forced collections; RSS of twice the limit changes collections from {rates[0]:.2f} to"
            f" {rates[1]:.2f} a second. The runtime takes the lower one of two heap goals and never looks at RSS",
        ),
    ]


def section() -> str:
    """Memory, collections and GC CPU, each arm predicted from the calibrated run with its mapping."""
    metrics = ("rss_peak_bytes", "go_memory_peak_bytes", "gc_rate_hz", "gc_cpu_fraction", "forced_cycles")
    mapped = [arm for arm in ARMS if "-outside" in arm.plan.args]
    runs = {
        **predict(model_of(NAME), [arm for arm in ARMS if arm not in mapped]),
        **predict(model_of(MAPPED), mapped),
    }
    found = pairs(metrics, load(NAME), {arm.name: runs[arm.name] for arm in ARMS}, "")
    names = {arm.name: f"{arm.name}: GOMEMLIMIT={(arm.plan.gomemlimit_bytes or 0) >> 20}MiB" for arm in ARMS}
    return f"{table(found, names)}\n\n{summary(found)}"
