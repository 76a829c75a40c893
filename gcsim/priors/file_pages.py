"""Priors of the memory of a process that GOMEMLIMIT does not count: file pages, and kernel memory.

A log does not show this memory. These priors are chosen from a few measured programs, and not fitted: their medians
and spreads cover the measurements that ``experiment`` names.
"""

from gcsim.priors.records import LogNormalPrior
from gcsim.units import MIB

FILE_RESIDENT_BYTES = LogNormalPrior(
    median=20.0 * MIB,
    rel_sd=0.75,
    unit="bytes",
    definition="RssFile + RssShmem of /proc/PID/status when RSS is at its peak: text, read-only data, mapped files,"
    " shared memory",
    experiment="python -m experiments.software.page_cache: caddy 38 MiB, the Go compiler 21 MiB, tsgo 16 MiB; programs"
    " with a binary of 2 MB have 2 to 4 MiB; widened for servers with larger binaries and mapped data",
)
#: Another run of the same program, with another state of the page cache. A page fault maps the cached pages around it
#: (fault-around, 64 KiB). So a process has the pages that it touched, and of their neighbours those that are cached.
#: Under memory pressure the kernel reclaims the neighbours first, and no page fault brings them back.
FILE_PAGES_OF_ANOTHER_RUN = LogNormalPrior(
    median=1.0,
    rel_sd=0.12,
    unit="1",
    definition="peak of RssFile + RssShmem of a run / that of another run of the same program at the same load",
    experiment="python -m experiments.software.page_cache, 2026-11-30: caddy, tsgo and the Go compiler touch 0.47, 0.58"
    " and 0.67 of the file pages that they have with a wholly cached binary. If the cached share c of the others is not"
    " known (density 2 c), the spread is 0.16, 0.12 and 0.09: the median. With c near 1, after a fresh start at"
    " read-aheads of 128 KiB or 8 MiB, runs were up to 8 % apart",
)
_HOT_SHARE = (
    "(limit - anonymous memory - kernel memory) / FILE_RESIDENT_BYTES at the smallest memory cgroup in which the"
    " program keeps 90 % of its speed"
)
_CGROUPS = "python -m experiments.software.cgroups limits, 2026-11-30: caddy, tsgo and the Go compiler"
#: On a disk that is not known: the range of both of the following.
FILE_HOT_SHARE = LogNormalPrior(
    median=0.45,
    rel_sd=0.45,
    unit="1",
    definition=_HOT_SHARE,
    experiment=f"{_CGROUPS}; chosen to cover both disks",
)
#: With a read-ahead of up to SMALL_READ_AHEAD_KIB: 0.25 to 0.5, with stalls at 0.04 to 0.4.
FILE_HOT_SHARE_SMALL_READ_AHEAD = LogNormalPrior(
    median=0.35, rel_sd=0.35, unit="1", definition=_HOT_SHARE, experiment=f"{_CGROUPS}, read-ahead 128 KiB"
)
#: With a read-ahead of LARGE_READ_AHEAD_KIB or more: 0.8 to 0.9, with stalls at 0.6 to 0.7.
FILE_HOT_SHARE_LARGE_READ_AHEAD = LogNormalPrior(
    median=0.85, rel_sd=0.12, unit="1", definition=_HOT_SHARE, experiment=f"{_CGROUPS}, read-ahead 8 MiB"
)
SMALL_READ_AHEAD_KIB, LARGE_READ_AHEAD_KIB = 512, 4096
KERNEL_BYTES = LogNormalPrior(
    median=0.8 * MIB,
    rel_sd=0.5,
    unit="bytes",
    definition="memory charged to the process's cgroup less its anonymous memory and page cache: page tables (8 bytes"
    " for each 4 KiB page), kernel stacks (16 KiB for each thread), slab",
    experiment=f"{_CGROUPS}: 0.6 to 0.8 MiB at 20 to 100 MiB of anonymous memory, 2.0 MiB at 700 MiB",
)
FILE_OF_BINARY = LogNormalPrior(
    median=0.85,
    rel_sd=0.3,
    unit="1",
    definition="FILE_RESIDENT_BYTES / (sizes of the binary's executable and read-only segments)",
    experiment="not fitted: most of the text becomes resident under load; mapped data files add to it",
)
