"""A note on one change: the effects that the simulation has, and those that it lacks."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeNote:
    """One change: its name, the effects that are simulated, and those that are not."""

    change: str
    modelled: str
    not_modelled: str

    def to_json(self) -> dict[str, str]:
        """The JSON document of the three texts."""
        return asdict(self)
