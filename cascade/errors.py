"""Every error that ticket-cascade raises on purpose.

    CascadeError
    ├── InputError            a file, a column, a ticket or an option that cannot be used
    │   └── ColumnError       the file has no such column
    ├── BundleError           a bundle that is missing, damaged, hostile or too new
    ├── UnavailableError      something is away for the moment: trying again may help
    ├── TrainingError         the data cannot be learned from (one class, too few rows)
    └── MissingExtraError     an optional library is not installed

The command line prints ``str(error)`` on one line and exits with ``error.exit_code``, so each
message must name the file, the place and the fix. No message ever holds a ticket's text.
"""

from __future__ import annotations


class CascadeError(Exception):
    """Base of all errors that are meant for the user's eyes."""

    exit_code = 2


class InputError(CascadeError):
    """A file, a ticket or an option that cannot be used as it is."""


class ColumnError(InputError):
    """The file has no such column."""


class BundleError(CascadeError):
    """A bundle that is missing, damaged, hostile, or from a newer version."""


class UnavailableError(CascadeError):
    """Something that is needed is away for the moment, such as a database."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h, so that whoever started the program knows to try again."""


class TrainingError(CascadeError):
    """The data cannot be learned from."""


class MissingExtraError(CascadeError):
    """A library of an optional extra is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"this needs {library}, which is not installed: pip install 'ticket-cascade[{extra}]'"
        )
