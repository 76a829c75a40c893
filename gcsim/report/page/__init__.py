"""The HTML report: one page that needs no other file, no network and no JavaScript."""
