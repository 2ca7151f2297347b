"""What came of loading a file, and the errors that end it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from database.loading.reasons import reason_text

# More than a person reads in a terminal; all are counted, and --accept-valid writes all to a file.
MAX_REJECTIONS_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that was not taken over. `line` is where its record starts, the header being line 1."""

    line: int
    code: str
    field: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.code}: {reason_text(self.code, self.field)}"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What came of a file: either every row that is not rejected is in the ledger, or none is.

    `loaded` rows are new, `updated` replaced what there was, `unchanged` said what there was already;
    all three are zero when rejected rows kept the file out. `rejected` counts all of them, `rejections` are
    the first by line, at most MAX_REJECTIONS_KEPT. `rejects_file` holds the rejected rows of a load that
    accepted the others.
    """

    rows_read: int
    loaded: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejections: tuple[Rejection, ...] = ()
    rejects_file: Path | None = None

    @property
    def taken_over(self) -> bool:
        """Whether the file's good rows are in the ledger: always but for rejected rows not accepted."""
        return self.rejected == 0 or self.rejects_file is not None


class FileRefused(Exception):
    """The file cannot be loaded at all; nothing of it was. str() says why, without any of its content."""


class LedgerChanged(Exception):
    """Payments or another load changed the same rows while these were taken over. Nothing was.

    Running the whole transaction again judges the rows by what is there now.
    """
