"""The claims of an article on tuning Go's collector, put to the test.

    python -m experiments.article NAME run          # the study's real runs; minutes
    python -m experiments.article NAME page         # the section of the study in docs/explanation/article-claims.md
    python -m experiments.article all page --check  # change nothing, exit with 1 if the page differs

``run`` writes the runs to experiments/article/data, or to the folder of ``--out``, and the logs that the models come
from to its folder captures. ``python -m experiments.archive pack experiments/article/data/captures`` packs them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.article import gogc50, limit, load_test, pool, prealloc, soft_limit, versions
from experiments.article.arms import DATA
from experiments.article.page import Study, write_page

_ALL: tuple[Study, ...] = (gogc50, prealloc, limit, soft_limit, versions, load_test, pool)
STUDIES = {one.NAME: one for one in _ALL}


def with_runs() -> list[Study]:
    """The studies that have committed runs."""
    return [one for one in _ALL if (DATA / f"{one.NAME}.json").exists()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of one study, or of all."""
    parser = argparse.ArgumentParser(prog="python -m experiments.article", description=__doc__)
    parser.add_argument("name", choices=(*STUDIES, "all"))
    parser.add_argument("step", choices=("run", "page"))
    parser.add_argument("--out", type=Path, default=DATA, help="of run: the folder of its files")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, exit with 1 if it differs"
    )
    options = parser.parse_args(arguments)
    named = list(STUDIES.values()) if options.name == "all" else [STUDIES[options.name]]
    if options.step == "page":
        named = [one for one in named if one in with_runs()]
        return 1 if write_page(named, _ALL, check=options.check) and options.check else 0
    for study in named:
        study.run(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
