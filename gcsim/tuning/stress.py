"""The recommended setting and today's under stress, by one engine call: more load, fewer processors, a leak."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.engine.simulate import ReplicaRun
from gcsim.engine.variants import Variant, simulate_variants
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.feasible import spirals
from gcsim.tuning.leak import Leak, leak_factors, leak_of
from gcsim.tuning.quota import Quota
from gcsim.tuning.savings import Saving, saving_between

MORE_LIVE, MORE_LOAD, BURST_LOAD = 1.3, 1.5, 3.0
QUOTA_SHARE = 0.75  # of GOMAXPROCS: the CPU quota after the cut
LIVE, LOAD, BURST, FEWER_PROCS, QUOTA = "live heap", "load", "burst", "one P fewer", "CPU quota"
MILD = (LIVE, LOAD)  # a setting that spirals under one of these is not recommended
_MOST_REPLICAS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """One stress: the run of the recommended setting and of today's."""

    what: str
    factor: float  # on the quantity; of a quota, the cores over GOMAXPROCS
    run: Run
    today: Run
    held: bool  # whether the run still meets every constraint, without a death spiral
    today_held: bool

    @property
    def spiral(self) -> bool:
        """Whether the recommended setting is then in a death spiral."""
        return spirals(self.run)

    @property
    def is_mild(self) -> bool:
        """Whether a recommended setting must survive the stress without a death spiral."""
        return self.what in MILD

    def of_today(self) -> "Stress":
        """The stress of today's setting, as if it were the recommended one."""
        return replace(self, run=self.today, held=self.today_held)

    def to_json(self) -> dict[str, object]:
        """The JSON document: the stress, whether the setting still holds, the run, and the same of today's setting."""
        return {
            "what": self.what,
            "factor": self.factor,
            "held": self.held,
            "spiral": self.spiral,
            **self.run.to_json(),
            "today": {"held": self.today_held, "spiral": spirals(self.today), **self.today.to_json()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StressTest:
    """Every stress, the leak, and the saving against today's setting, from the same replicas."""

    stresses: tuple[Stress, ...]
    leak: Leak
    today_leak: Leak
    saving: Saving
    spiralling: frozenset[Settings]  # other settings that are in a death spiral under mild stress

    @property
    def survives_mild(self) -> bool:
        """Whether the recommended setting is in no death spiral under mild stress."""
        return not any(one.is_mild and one.spiral for one in self.stresses)

    def of_today(self) -> "StressTest":
        """The test of today's setting, as if it were the recommended one."""
        return replace(
            self,
            stresses=tuple(one.of_today() for one in self.stresses),
            leak=self.today_leak,
            saving=self.saving.none,
        )


def stress_test(
    model: Model,
    chosen: Run,
    today: Run,
    constraints: Sequence[Constraint],
    plan: Plan,
    *,
    others: Sequence[Settings] = (),
) -> StressTest:
    """The test of two runs of the model; the lane engine simulates it with at most 8 replicas, whatever the plan has.

    ``constraints`` starts with the memory. A closed loop has no arrivals: its stress has no load and no burst.
    ``others`` are settings under mild stress.
    """
    plan = replace(plan, engine="lanes", length="full", replicas=min(plan.replicas, _MOST_REPLICAS))
    runs = tuple(dict.fromkeys((chosen.settings, today.settings)))
    base = {one.settings: one for one in (today, chosen)}
    kinds = _kinds(model, chosen.settings)
    factors = leak_factors(model, constraints[0].bound)
    variants: list[Variant] = [(model, one) for one in runs]
    for settings in runs:
        variants += [_variant(model, base[settings], what, factor) for what, factor in kinds]
        variants += [(model.scaled(live=factor), settings) for factor in factors]
    mild = [(what, factor) for what, factor in kinds if what in MILD]
    cases = [(settings, what, factor) for settings in others for what, factor in mild]
    beyond = [_scaled(model, settings, what, factor) for settings, what, factor in cases]
    found = simulate_variants([*variants, *beyond], plan)
    spiralling = frozenset(
        settings
        for (settings, _, _), one in zip(cases, found[len(variants) :], strict=True)
        if spirals(one.run)
    )
    length = len(kinds) + len(factors)
    first = len(runs)
    of: dict[Settings, list[ReplicaRun]] = {
        one: [found[place], *found[first + place * length : first + (place + 1) * length]]
        for place, one in enumerate(runs)
    }
    mine, other = of[chosen.settings], of[today.settings]
    leaking = 1 + len(kinds)
    return StressTest(
        stresses=tuple(
            Stress(
                what=what,
                factor=factor,
                run=mine[place].run,
                today=other[place].run,
                held=_holds(mine[place].run, constraints),
                today_held=_holds(other[place].run, constraints),
            )
            for place, (what, factor) in enumerate(kinds, start=1)
        ),
        leak=leak_of(model, [mine[0].run, *(one.run for one in mine[leaking:])], factors, constraints[0]),
        today_leak=leak_of(
            model, [other[0].run, *(one.run for one in other[leaking:])], factors, constraints[0]
        ),
        saving=saving_between(model, today, chosen, other[0], mine[0]),
        spiralling=spiralling,
    )


def _holds(run: Run, constraints: Sequence[Constraint]) -> bool:
    """Whether a run under stress meets every constraint; it may pass its own limit, which is soft, by a little."""
    return not spirals(run) and all(one.margin(run) >= 0 for one in constraints)


def _kinds(model: Model, settings: Settings) -> list[tuple[str, float]]:
    """The stresses of a service and their factors."""
    kinds = [(LIVE, MORE_LIVE)]
    if model.loop == "open":
        kinds = [(LOAD, MORE_LOAD), *kinds, (BURST, BURST_LOAD)]
    if settings.gomaxprocs > 1:
        kinds.append((FEWER_PROCS, (settings.gomaxprocs - 1) / settings.gomaxprocs))
    return [*kinds, (QUOTA, QUOTA_SHARE)]


def _variant(model: Model, run: Run, what: str, factor: float) -> Variant:
    """The model and the setting of one stress."""
    settings = run.settings
    if what == FEWER_PROCS:
        return model, replace(settings, gomaxprocs=settings.gomaxprocs - 1)
    if what == QUOTA:
        quota = Quota.of(model, settings, run, cores=factor * settings.gomaxprocs)
        return model.scaled(speed=quota.speed), settings
    return _scaled(model, settings, what, factor)


def _scaled(model: Model, settings: Settings, what: str, factor: float) -> Variant:
    """The model with more live heap or more load, and the setting."""
    return (model.scaled(live=factor) if what == LIVE else model.scaled(load=factor)), settings
