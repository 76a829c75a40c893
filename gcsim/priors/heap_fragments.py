"""Free slots and free pages of the heap that are resident."""

from gcsim.priors.records import LogNormalPrior

HEAP_FRAGMENTS = LogNormalPrior(
    median=0.025,
    rel_sd=2.0,
    unit="1",
    definition="free slots and free pages that are resident at the highest heap / that heap peak",
    experiment="33 programs of experiments.validation on Go 1.27 at GOGC of 50 and 100: 0 to 0.12 of the peak",
)
