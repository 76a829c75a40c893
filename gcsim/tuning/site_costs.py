"""The cost of each allocation site: its part of allocation, collections, GC CPU and live heap."""

import math
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.service.model import Model
from gcsim.service.objects.sites import Site, Sites
from gcsim.tuning.program_changes import live_garbage_bytes

_ERROR_OF_RATE = 0.2  # between the profile's allocation rate and the model's: more is worth a note


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCost:
    """The cost of one site. Collections and GC CPU are in proportion to the site's share of allocation."""

    site: Site
    bytes_per_second: float
    objects_per_second: float
    object_bytes: float  # mean
    allocation_share: float
    gc_cpu_fraction: float  # of all CPU
    collections_per_second: float
    live_bytes: float  # without bytes allocated while a collection marked
    live_share: float  # NaN if the profile does not know live objects
    live_rel_sd: float  # of the sampled live bytes

    def to_json(self) -> dict[str, object]:
        """The JSON document of one site."""
        place, caller = self.site.place, self.site.caller
        known = not math.isnan(self.live_share)
        return {
            "function": place.function,
            "file": place.file,
            "line": place.line,
            "caller": None if caller is None else str(caller),
            "bytes_per_second": self.bytes_per_second,
            "objects_per_second": self.objects_per_second,
            "object_bytes": self.object_bytes,
            "allocation_share": self.allocation_share,
            "allocation_rel_sd": self.site.rel_sd,
            "gc_cpu_fraction": self.gc_cpu_fraction,
            "collections_per_second": self.collections_per_second,
            "live_bytes": self.live_bytes if known else None,
            "live_share": self.live_share if known else None,
            "live_rel_sd": self.live_rel_sd if known else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCosts:
    """The costs of all sites of a profile, the most allocation first."""

    sites: Sites
    costs: tuple[SiteCost, ...]
    profile_bytes_per_second: float  # NaN if the profile has no duration
    model_bytes_per_second: float

    @property
    def rates_from_model(self) -> bool:
        """Whether the rates are those of the model, because the profile has no duration or begins with the process."""
        return math.isnan(self.profile_bytes_per_second)

    @property
    def differs(self) -> bool:
        """Whether the profile was taken at another load than the log of the model."""
        if self.rates_from_model:
            return False
        return abs(self.profile_bytes_per_second / self.model_bytes_per_second - 1.0) > _ERROR_OF_RATE

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim sites --json``, without the model's name."""
        return {
            "profile": self.sites.source,
            "profile_seconds": self.sites.seconds or None,
            "since_start": self.sites.since_start,
            "rates_from": "model" if self.rates_from_model else "profile",
            "profile_bytes_per_second": None if self.rates_from_model else self.profile_bytes_per_second,
            "model_bytes_per_second": self.model_bytes_per_second,
            "sites": [one.to_json() for one in self.costs],
        }


def site_costs(sites: Sites, model: Model, home: Run) -> SiteCosts:
    """The cost of each site. ``home`` is the run of the model as calibrated.

    Rates come from the profile if it has a duration. Otherwise the model's allocation is shared out.
    """
    from_model = model.parameters.alloc_bytes_per_second.value
    from_profile = sites.bytes / sites.seconds if sites.seconds > 0 else math.nan
    per_second = (from_model if math.isnan(from_profile) else from_profile) / sites.bytes
    garbage = live_garbage_bytes(home)
    live = {site.place: _live(site, sites, garbage) for site in sites.ranked()}
    all_live = math.fsum(live.values())
    metrics = home.metrics
    costs = []
    for site in sites.ranked():
        share = site.bytes / sites.bytes
        samples = site.live_samples
        costs.append(
            SiteCost(
                site=site,
                bytes_per_second=site.bytes * per_second,
                objects_per_second=site.objects * per_second,
                object_bytes=_mean_size(site),
                allocation_share=share,
                gc_cpu_fraction=share * metrics["gc_cpu_fraction"].value,
                collections_per_second=share * metrics["gc_rate_hz"].value,
                live_bytes=live[site.place],
                live_share=live[site.place] / all_live if sites.has_live and all_live > 0 else math.nan,
                live_rel_sd=1.0 / math.sqrt(samples) if samples > 0 else 0.0,
            )
        )
    return SiteCosts(
        sites=sites,
        costs=tuple(costs),
        profile_bytes_per_second=from_profile,
        model_bytes_per_second=from_model,
    )


def _live(site: Site, sites: Sites, garbage: float) -> float:
    return max(0.0, site.live_bytes - garbage * site.bytes / sites.bytes)


def _mean_size(site: Site) -> float:
    if site.objects > 0:
        return site.bytes / site.objects
    return site.live_bytes / site.live_objects if site.live_objects > 0 else 0.0
