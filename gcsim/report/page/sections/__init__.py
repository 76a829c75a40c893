"""The sections of the page, each a function of the results; an empty text leaves the section out."""
