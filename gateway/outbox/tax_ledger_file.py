"""The stand-in's ledger: a file of SQLite, which outlives its server. It keeps no person."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

Outcome = Literal["POSTED", "REPEATED", "OUT_OF_ORDER"]

_TABLES = """
    CREATE TABLE IF NOT EXISTS postings (
        idempotency_key TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        accepted_key TEXT REFERENCES postings (idempotency_key),
        receipt_number TEXT NOT NULL,
        amount TEXT NOT NULL,
        repeats INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS outcomes (outcome TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""


class LedgerFile:
    """The ledger in one file; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        # What is committed survives a kill of the process; the machine's power is no part of the play.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLES)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def post(self, key: str, kind: str, accepted_key: str | None, receipt_number: str, amount: str) -> Outcome:
        """Post a message once, however often it comes, and nothing of a payment before its acceptance."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                outcome = self._decide(cursor, key, kind, accepted_key, receipt_number, amount)
                _count(cursor, outcome)
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
        return outcome

    def _decide(
        self, cursor: sqlite3.Cursor, key: str, kind: str, accepted_key: str | None, receipt_number: str, amount: str
    ) -> Outcome:
        cursor.execute("UPDATE postings SET repeats = repeats + 1 WHERE idempotency_key = ?", (key,))
        if cursor.rowcount:
            return "REPEATED"
        if accepted_key is not None:
            cursor.execute(
                "SELECT 1 FROM postings WHERE idempotency_key = ? AND kind = 'ACCEPTED' AND receipt_number = ?",
                (accepted_key, receipt_number),
            )
            if cursor.fetchone() is None:
                return "OUT_OF_ORDER"
        cursor.execute(
            """
            INSERT INTO postings (idempotency_key, kind, accepted_key, receipt_number, amount) VALUES (?, ?, ?, ?, ?)
            """,
            (key, kind, accepted_key, receipt_number, amount),
        )
        return "POSTED"

    def count(self, outcome: str) -> None:
        """Count something else that became of a call."""
        with closing(self._connection.cursor()) as cursor:
            _count(cursor, outcome)

    def counts(self) -> dict[str, int]:
        """Return how often each outcome was, by name."""
        with closing(self._connection.execute("SELECT outcome, count FROM outcomes ORDER BY outcome")) as rows:
            return dict(rows.fetchall())


def _count(cursor: sqlite3.Cursor, outcome: str) -> None:
    cursor.execute(
        "INSERT INTO outcomes (outcome, count) VALUES (?, 1) ON CONFLICT (outcome) DO UPDATE SET count = count + 1",
        (outcome,),
    )
