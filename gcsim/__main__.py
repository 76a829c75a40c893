"""``python -m gcsim``."""

from gcsim.cli.main import main

main()
