"""The error for bad input."""


class InputError(ValueError):
    """Bad input: one sentence that names the file, line or option and how to correct it.

    The command line prints the sentence on standard error and exits with status 2.
    """
