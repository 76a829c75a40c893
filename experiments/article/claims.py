"""One claim of the article and its verdict."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["reproduced", "refuted", "reproduced in part", "not testable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The claim in the article's figures, the verdict, and the reason with ours."""

    claim: str
    verdict: Verdict
    why: str
