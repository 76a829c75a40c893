"""The allocation site that a user's text names."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.service.objects.sites import Allocations, Place, Site, Sites

_SHOWN = 3
_FILE_LINE = re.compile(r"(?P<name>.+?)(?::(?P<line>[0-9]{1,9}))?")

Matches = Callable[[Place], bool]


def named_site(sites: Sites, text: str, option: str) -> Site:
    """The site that ``FUNCTION``, ``FUNCTION:LINE`` or ``FILE.go:LINE`` names.

    A function need not be written in full: ``reply`` and ``(*service).reply`` name ``main.(*service).reply``.
    Lines that allocate come first. If the name matches none, the site is everything that the function allocates
    through its callees. Raises InputError, with the nearest names, for a name of no function or of several.
    """
    match = _FILE_LINE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option}: {quoted(text)} is not a site; write a function, or a file and a line")
    name, line = match["name"], int(match["line"] or 0)
    at_leaf = _matching((one.stack[0] for one in sites.allocations if one.stack), name, line)
    places = at_leaf or _matching((place for one in sites.allocations for place in one.stack), name, line)
    functions = sorted({place.function for place in places})
    if not places:
        raise InputError(
            f"{option}: {quoted(text)} names no function of {quoted(sites.source)}; {_nearest(sites, name)}"
        )
    if len(functions) > 1:
        more = f" and {len(functions) - _SHOWN} more" if len(functions) > _SHOWN else ""
        raise InputError(
            f"{option}: {quoted(text)} names {len(functions)} functions of {quoted(sites.source)}; write one of"
            f" {', '.join(functions[:_SHOWN])}{more}"
        )
    wanted = set(places)
    found = [one for one in sites.allocations if wanted.intersection(one.stack[:1] if at_leaf else one.stack)]
    return sites.site(_heaviest(found, wanted), found)


def _matching(places: Iterable[Place], name: str, line: int) -> list[Place]:
    """The places that a name and a line mean: those of an exact name if there are any."""
    there = set(places)
    on_line = [place for place in there if line in (0, place.line)]
    if name.endswith(".go"):
        return [place for place in on_line if f"/{place.file}".endswith(f"/{name.lstrip('/')}")]
    exact = [place for place in on_line if place.function == name]
    short = _plain(name)
    return exact or [place for place in on_line if f".{_plain(place.function)}".endswith(f".{short}")]


def _plain(function: str) -> str:
    """A function's name without its module's path and without the marks of a pointer receiver."""
    return re.sub(r"[(*)]", "", function.rsplit("/", 1)[-1])


def _heaviest(found: list[Allocations], wanted: set[Place]) -> Place:
    totals = dict.fromkeys(sorted(wanted), 0.0)
    for one in found:
        for place in wanted.intersection(one.stack):
            totals[place] += one.bytes
    return max(totals, key=lambda place: totals[place])


def _nearest(sites: Sites, name: str) -> str:
    """Advice with the names of sites that are like ``name``, or the largest sites."""
    names = list(dict.fromkeys(site.place.function for site in sites.ranked()))
    if not names:
        return "the profile has no allocation"
    plain = {_plain(one).lower(): one for one in reversed(names)}
    wanted = _plain(name).lower()
    near = [plain[one] for one in get_close_matches(wanted, plain, n=_SHOWN, cutoff=0.5)]
    last = wanted.rsplit(".", 1)[-1]
    near += [one for key, one in plain.items() if last and last in key and one not in near]
    if near:
        return f"the nearest are {', '.join(near[:_SHOWN])}"
    return f"the largest sites are {', '.join(names[:_SHOWN])}"
