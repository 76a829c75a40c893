"""Collects the pages of a running service into a folder."""

import datetime
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gcsim.atomic import make_folder, replacing
from gcsim.capture.web.address import Address
from gcsim.capture.web.fetch import NoPageError, NoServiceError, get
from gcsim.capture.web.manifest import Manifest, SavedPage
from gcsim.capture.web.pages import MEMSTATS, PROFILES, SAMPLED, Page, cpu_profile
from gcsim.errors import InputError
from gcsim.interrupts import Terminated
from gcsim.units import MIB, format_mib, format_seconds

LEAST_INTERVAL_SECONDS = 0.5
MOST_SAMPLES = 20_000
MOST_BYTES = 1024 * MIB  # of all files
SECONDS_BETWEEN_NOTES = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is collected, and how long."""

    addresses: tuple[Address, ...]
    folder: Path
    seconds: float = 60.0
    every_seconds: float = 5.0
    cpu_seconds: float | None = None  # of a CPU profile; None for none

    def __post_init__(self) -> None:
        """Raises InputError for a plan that cannot be carried out."""
        if self.every_seconds < LEAST_INTERVAL_SECONDS:
            raise InputError(
                f"--every must be at least {LEAST_INTERVAL_SECONDS:g}s, because each sample costs the service some work"
            )
        if self.seconds / self.every_seconds > MOST_SAMPLES:
            raise InputError(
                f"--for and --every ask for more than {MOST_SAMPLES:,} samples; write a longer --every"
            )
        if self.cpu_seconds is not None and self.cpu_seconds > self.seconds:
            raise InputError("--cpu is longer than --for; write a shorter CPU profile or a longer capture")


def collect(plan: Plan, say: Say) -> tuple[Manifest, bool]:
    """(the manifest of what was collected, whether a signal ended it early).

    A signal ends the sampling; the last profiles are still collected, unless another signal arrives. Raises InputError
    if no service answers or if it has none of the pages; nothing is left behind then.
    """
    folder, is_new = plan.folder, not plan.folder.exists()
    if not is_new and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not an empty folder; name another one with -o")
    make_folder(folder)
    run = _Run(plan=plan, say=say)
    is_early = False
    try:
        run.begin()
        run.sample_until_end()
    except InputError:
        if not run.manifest.files and is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    except (KeyboardInterrupt, Terminated):
        is_early = True
        say("stopped early; collecting the last profiles (another Ctrl-C skips them)")
    try:
        run.end(is_early=is_early)
    except (KeyboardInterrupt, Terminated):
        is_early = True
    run.manifest.is_complete = not is_early
    run.save()
    return run.manifest, is_early


@dataclass(slots=True, kw_only=True)
class _Run:
    """One collection."""

    plan: Plan
    say: Say
    started: float = field(default_factory=time.monotonic)
    homes: dict[str, Address] = field(default_factory=dict)  # the address that has a page
    sampled: list[Page] = field(default_factory=list)
    manifest: Manifest = field(init=False)
    size_bytes: int = 0
    failures: int = 0
    samples: int = 0  # times of samples so far, missed ones included
    noted: float = 0.0  # time of the last note
    cpu: "_Background | None" = None

    def __post_init__(self) -> None:
        self.manifest = Manifest(
            urls=[str(address) for address in self.plan.addresses],
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            interval_seconds=self.plan.every_seconds,
        )

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def begin(self) -> None:
        """Finds the pages, and saves the first profiles and samples. Raises InputError without any page."""
        for page in SAMPLED:
            if self._find(page, "0000"):
                self.sampled.append(page)
        for page in PROFILES:
            if page.when == "start and end":
                self._find(page, "start")
        if not self.manifest.files:
            where = ", ".join(self.manifest.urls)
            reasons = "; ".join(f"{page} {reason}" for page, reason in self.manifest.missing.items())
            raise InputError(
                f"{where}: has no page that gcsim reads ({reasons}); import net/http/pprof or expvar in the program, or"
                " give the address of its /metrics"
            )
        if not self.sampled and self._find(MEMSTATS, "0000"):
            self.sampled.append(MEMSTATS)
        self.samples = 1
        for missing, reason in self.manifest.missing.items():
            self.say(f"goes on without {missing}: it {reason}")
        home = self.homes.get(PROFILES[0].path)
        if self.plan.cpu_seconds is not None and home is not None:
            self.cpu = _Background(home, cpu_profile(self.plan.cpu_seconds))
        self.save()

    def sample_until_end(self) -> None:
        """Saves a sample at each interval until the end."""
        while (due := self.samples * self.plan.every_seconds) <= self.plan.seconds + 1e-6:
            self._wait_until(due)
            self._sample()
            self.samples = (
                max(self.samples, int(self.now / self.plan.every_seconds)) + 1
            )  # slow: it misses some
            if self.size_bytes > MOST_BYTES:
                self.say(
                    f"{format_mib(self.size_bytes)} are saved, the most that a capture keeps; it ends now"
                )
                return
        self._wait_until(self.plan.seconds)

    def _wait_until(self, seconds: float) -> None:
        while (left := seconds - self.now) > 0:
            time.sleep(min(left, SECONDS_BETWEEN_NOTES))
            if self.now >= self.noted + SECONDS_BETWEEN_NOTES:
                self.noted = self.now
                self.say(f"{self.now:.0f} of {self.plan.seconds:.0f} s, {len(self.manifest.files)} files")

    def end(self, *, is_early: bool) -> None:
        """Saves the last profiles."""
        for page in PROFILES:
            if page.when == "start and end" and page.path not in self.homes:
                continue
            self._find(page, "end")
        if self.cpu is None:
            return
        if is_early:
            self.manifest.missing[self.cpu.page.path] = "was not finished when the capture was stopped"
            return
        self._keep(self.cpu.page, "end", self.cpu.result)

    def save(self) -> None:
        """Writes the manifest as it is now."""
        self.manifest.seconds = round(self.now, 3)
        self.manifest.save(self.plan.folder)

    def _find(self, page: Page, mark: str) -> bool:
        """Saves a page from the first address that has it. Raises InputError if nothing answers at the start."""
        known = self.homes.get(page.path)
        for address in (known,) if known is not None else self.plan.addresses:
            try:
                body = get(address, page.path, page.limits)
            except NoServiceError as error:
                if not self.manifest.files:
                    raise InputError(f"{address}: {error}") from error
                self.manifest.missing[page.path] = str(error)
                continue
            except NoPageError as error:
                self.manifest.missing[page.path] = str(error)
                continue
            if self._keep(page, mark, body):
                self.homes[page.path] = address
                return True
        return False

    def _keep(self, page: Page, mark: str, body: bytes | str) -> bool:
        """Saves a body, or notes the reason why there is none."""
        reason = body if isinstance(body, str) else page.check(body)
        if reason or isinstance(body, str):
            self.manifest.missing[page.path] = reason
            return False
        name = page.file(mark)
        path = self.plan.folder / name
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(body)
        self.manifest.missing.pop(page.path, None)
        self.manifest.files.append(
            SavedPage(file=name, page=page.path, at_seconds=round(self.now, 3), bytes=len(body))
        )
        self.size_bytes += len(body)
        return True

    def _sample(self) -> None:
        for page in self.sampled:
            if not self._find(page, f"{self.samples:04d}"):
                self.failures += 1
                if self.failures == 1:
                    self.say(
                        f"{page.path} at {format_seconds(self.now)}: {self.manifest.missing[page.path]}; goes on"
                    )
        self.save()


class _Background:
    """A page that is fetched in a thread of its own."""

    def __init__(self, address: Address, page: Page) -> None:
        self.page = page
        self._found: bytes | str = "did not arrive"
        self._thread = threading.Thread(target=self._fetch, args=[address], daemon=True)
        self._thread.start()

    @property
    def result(self) -> bytes | str:
        """The body, or the reason why there is none; waits for the answer."""
        self._thread.join(self.page.limits.seconds)
        return self._found

    def _fetch(self, address: Address) -> None:
        try:
            self._found = get(address, self.page.path, self.page.limits)
        except (NoPageError, NoServiceError) as error:
            self._found = str(error)


def default_folder(addresses: Sequence[Address]) -> Path:
    """The folder for pages of a service without ``-o``, such as ``capture-localhost-6060``."""
    first = addresses[0]
    return Path(f"capture-{first.host.replace(':', '-').replace('%', '-')}-{first.port}")
