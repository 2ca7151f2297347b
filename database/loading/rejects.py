"""The file of the rows that a load did not accept, to be mended and loaded again."""

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

import asyncpg

from database.loading.kinds import Kind
from database.loading.reasons import reason_text
from database.loading.records import REJECT_COLUMNS, Records, version_of
from database.loading.report import FileRefused, LoadReport

# Rows of the staging table in memory at a time.
_PREFETCH: Final = 10_000


def path_beside(path: Path) -> Path:
    """Return where the rejected rows of a file go: FILE.rejects.csv beside FILE.csv."""
    stem = path.name.removesuffix(".csv")
    return path.with_name(f"{stem}.rejects.csv")


async def write(
    connection: asyncpg.Connection,
    kind: Kind,
    path: Path,
    file: TextIO,
    version: tuple[int, int],
    report: LoadReport,
) -> LoadReport:
    """Write the rejected rows as they stand in the file, and return the report with the path.

    Their own columns come first, then REJECT_COLUMNS, so that the file can be mended and loaded as it is: a
    load passes over those two. A record that could not be told apart stands whole in the first column. The rows
    are read from the file a second time: the staging table has neither names nor identity numbers. An
    earlier file of rejected rows is replaced. Raises FileRefused when the file has changed since `version`.
    """
    file.seek(0)
    records = Records(file, kind.columns)
    numbered = iter(records)
    target = path_beside(path)
    with _replacing(target) as output:
        writer = csv.writer(output, lineterminator="\r\n")
        writer.writerow((*kind.columns, *REJECT_COLUMNS))
        rejected = connection.cursor(
            f"SELECT line, verdict, field FROM {kind.table} WHERE verdict <> 'UNCHANGED' ORDER BY line",
            prefetch=_PREFETCH,
        )
        async for line, code, field in rejected:
            fields = next((record for number, record in numbered if number == line), None)
            if not isinstance(fields, list):
                fields = [records.raw, *[""] * (len(kind.columns) - 1)]
            writer.writerow((*fields, line, f"{code}: {reason_text(code, field)}"))
        if version_of(file) != version:
            raise FileRefused("the file was changed while it was loaded; nothing was loaded")
    return replace(report, rejects_file=target)


@contextmanager
def _replacing(target: Path) -> Iterator[TextIO]:
    """Open a new file that takes the target's place, whole and on disk, when the block ends well.

    It holds identity numbers: only its owner can read it, as mkstemp has it (mode 0600).
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink()
        raise
