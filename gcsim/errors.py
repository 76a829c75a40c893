"""The one error that a user's input can cause."""


class InputError(ValueError):
    """Bad input: one clear sentence that names the file, line or option and how to correct it.

    The command line prints the sentence on standard error and exits with status 2.
    """
