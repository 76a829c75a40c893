"""The fit report: what was learned, how surely, and from where."""

from gcsim.calibration.calibrate import Calibration
from gcsim.units import format_mib
from gcsim.workload.parameters import PARAMETER_NAMES, Parameter

_WEAK_REL_SD = 0.25


def fit_report(found: Calibration) -> str:
    """The report as plain text: settings, parameters with one standard deviation, what is weakly known."""
    model = found.model
    parameters = {name: getattr(model.parameters, name) for name in PARAMETER_NAMES}
    rows = [
        f"  {name:<{_WIDTH}} {_value(name, parameter):>12} {_spread(parameter):>9}   {parameter.source}"
        for name, parameter in parameters.items()
    ]
    weak = [name for name, parameter in parameters.items() if parameter.rel_sd >= _WEAK_REL_SD]
    lines = [
        f"{model.name}: {model.settings}",
        f"{model.cycles} cycles in {model.duration_seconds:.4g} s used, {model.loop} loop",
        "",
        *rows,
    ]
    if weak:
        lines += ["", "weakly known: " + ", ".join(weak)]
    return "\n".join(lines)


_WIDTH = max(len(name) for name in PARAMETER_NAMES)


def _value(name: str, parameter: Parameter) -> str:
    if name.endswith("_bytes"):
        return format_mib(parameter.value)
    if name.endswith(("_bytes_per_second", "_bytes_per_cpu_second")):
        return f"{format_mib(parameter.value)}/s"
    return f"{parameter.value:.4g}"


def _spread(parameter: Parameter) -> str:
    return f"± {100 * parameter.rel_sd:.2g} %" if parameter.rel_sd > 0 else ""
