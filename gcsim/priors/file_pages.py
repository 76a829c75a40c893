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
    experiment="real Go servers have 15 to 65 MiB resident outside the heap, programs with a binary of 2 MB have 2 to"
    " 4 MiB; caddy of experiments.software has 46 MiB of file pages",
)
FILE_HOT_SHARE = LogNormalPrior(
    median=0.6,
    rel_sd=0.25,
    unit="1",
    definition="(limit - anonymous memory - kernel memory) / FILE_RESIDENT_BYTES at the smallest memory cgroup in which"
    " the program answers as fast as without a limit",
    experiment="not fitted: caddy in a 64 MiB cgroup with 36 MiB of text runs at 30 MiB of anonymous memory and stalls"
    " at 46 MiB, so the share is 0.45 to 0.9",
)
KERNEL_BYTES = LogNormalPrior(
    median=2.0 * MIB,
    rel_sd=0.5,
    unit="bytes",
    definition="memory charged to the process's cgroup less its anonymous memory and page cache: page tables (8 bytes"
    " for each 4 KiB page), kernel stacks (16 KiB for each thread), slab",
    experiment="not measured: 0.2 MiB of page tables for 100 MiB, 0.3 MiB of stacks for 20 threads, slab of about"
    " 1 MiB",
)
FILE_OF_BINARY = LogNormalPrior(
    median=0.85,
    rel_sd=0.3,
    unit="1",
    definition="FILE_RESIDENT_BYTES / (sizes of the binary's executable and read-only segments)",
    experiment="not fitted: most of the text becomes resident under load; mapped data files add to it",
)
