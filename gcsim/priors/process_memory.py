"""Priors of memory outside the heap by Go version, from ``experiments/memory_priors.py fit``.

Measured on linux/amd64 with GOMAXPROCS=2: live heaps of 20, 80 and 200 MiB in four shapes (small objects with
pointers, 4-256 KiB blobs, sizes from 16 B to 8 KiB, small objects with 2,000 parked goroutines), GOGC 50, 100 and 200
and a memory limit; ``runtime/metrics`` every 2 ms and VmHWM. Values are medians over the shapes; low and high are the
extremes. Resident errors are over the 19 or 20 runs without a limit. The same runs gave the metadata line, so these
errors are in-sample. The binary was small (2 MB); resident text and data of a larger binary come on top.
``gcsim.priors.records.MemoryPrior`` defines the fields.
"""

from gcsim.priors.records import MemoryPrior

MEMORY_PRIORS: tuple[MemoryPrior, ...] = (
    MemoryPrior(
        go="1.19",
        metadata_base_bytes=9_243_205,
        metadata_base_low_bytes=8_036_175,
        metadata_base_high_bytes=10_796_270,
        metadata_share=0.0567,
        metadata_share_low=0.0378,
        metadata_share_high=0.0636,
        metadata_error_bytes=1_051_564,
        resident_error_low=-0.086,
        resident_error=-0.027,
        resident_error_high=-0.014,
    ),
    MemoryPrior(
        go="1.21",
        metadata_base_bytes=4_384_082,
        metadata_base_low_bytes=3_465_927,
        metadata_base_high_bytes=5_431_439,
        metadata_share=0.0419,
        metadata_share_low=0.0233,
        metadata_share_high=0.0475,
        metadata_error_bytes=527_318,
        resident_error_low=-0.037,
        resident_error=-0.014,
        resident_error_high=0.025,
    ),
    MemoryPrior(
        go="1.22",
        metadata_base_bytes=3_237_993,
        metadata_base_low_bytes=2_939_407,
        metadata_base_high_bytes=5_011_615,
        metadata_share=0.024,
        metadata_share_low=0.0041,
        metadata_share_high=0.0303,
        metadata_error_bytes=254_047,
        resident_error_low=-0.045,
        resident_error=-0.006,
        resident_error_high=0.053,
    ),
    MemoryPrior(
        go="1.23",
        metadata_base_bytes=3_062_588,
        metadata_base_low_bytes=2_852_061,
        metadata_base_high_bytes=4_693_955,
        metadata_share=0.0249,
        metadata_share_low=0.0041,
        metadata_share_high=0.0303,
        metadata_error_bytes=238_848,
        resident_error_low=-0.033,
        resident_error=-0.002,
        resident_error_high=0.147,
    ),
    MemoryPrior(
        go="1.24",
        metadata_base_bytes=2_991_482,
        metadata_base_low_bytes=2_571_697,
        metadata_base_high_bytes=4_726_201,
        metadata_share=0.0255,
        metadata_share_low=0.0046,
        metadata_share_high=0.0317,
        metadata_error_bytes=237_466,
        resident_error_low=-0.034,
        resident_error=-0.011,
        resident_error_high=0.028,
    ),
    MemoryPrior(
        go="1.25",
        metadata_base_bytes=4_561_477,
        metadata_base_low_bytes=4_423_073,
        metadata_base_high_bytes=6_281_239,
        metadata_share=0.0253,
        metadata_share_low=0.0042,
        metadata_share_high=0.0315,
        metadata_error_bytes=273_409,
        resident_error_low=-0.045,
        resident_error=-0.017,
        resident_error_high=0.018,
    ),
    MemoryPrior(
        go="1.26",
        metadata_base_bytes=4_555_921,
        metadata_base_low_bytes=4_280_992,
        metadata_base_high_bytes=6_430_979,
        metadata_share=0.0262,
        metadata_share_low=0.004,
        metadata_share_high=0.0328,
        metadata_error_bytes=280_155,
        resident_error_low=-0.052,
        resident_error=-0.014,
        resident_error_high=0.03,
    ),
    MemoryPrior(
        go="1.27",
        metadata_base_bytes=4_623_271,
        metadata_base_low_bytes=4_265_114,
        metadata_base_high_bytes=6_435_622,
        metadata_share=0.0262,
        metadata_share_low=0.0039,
        metadata_share_high=0.0332,
        metadata_error_bytes=288_553,
        resident_error_low=-0.039,
        resident_error=-0.006,
        resident_error_high=0.005,
    ),
)


def memory_prior(minor: int) -> MemoryPrior:
    """The prior of Go 1.``minor``, else of the next measured version (1.20: 1.21), else of the newest."""
    measured = [prior for prior in MEMORY_PRIORS if int(prior.go.split(".")[1]) >= minor]
    return measured[0] if measured else MEMORY_PRIORS[-1]
