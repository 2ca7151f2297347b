"""The audit trail: what a load adds to it, the latest of it, and whether it is whole.

Everything else is added by triggers (migrations/0004_audit.sql), which say what an entry is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import asyncpg
import orjson

if TYPE_CHECKING:
    from database.loading.report import LoadReport

#: What somebody reads of a list; the whole of the trail is in SQL.
MAX_LISTED: Final = 1000
#: A trail that was cut to pieces is not told line by line. All faults are counted.
MAX_FAULTS_KEPT: Final = 1000
# Rows of faults in memory at a time.
_PREFETCH: Final = 1000

# Every entry is read once, in the order of its lane, and its hash computed anew. (OFFSET 0: computed once.) A link is
# good when it names the hash that the entry before has or should have: one changed hash is one fault. What stands
# behind a changed or a missing entry is not blamed for its link.
_FAULTS: Final = """
    WITH entries AS (
        SELECT e.lane, e.position, e.previous_hash, e.hash, audit_hash(e) AS content_hash
        FROM audit_entries AS e
        OFFSET 0
    ),

    walked AS (
        SELECT
            e.lane,
            e.position,
            e.previous_hash,
            e.hash,
            e.hash = e.content_hash AS intact,
            CASE WHEN e.position > 1 THEN coalesce(lag(e.position) OVER lane, 0) ELSE 0 END AS position_before,
            CASE WHEN e.position > 1 THEN lag(e.hash) OVER lane ELSE decode(repeat('00', 32), 'hex') END AS hash_before,
            CASE
                WHEN e.position > 1 THEN lag(e.content_hash) OVER lane ELSE decode(repeat('00', 32), 'hex')
            END AS content_hash_before,
            lead(e.position) OVER lane AS position_after
        FROM entries AS e
        WINDOW lane AS (PARTITION BY e.lane ORDER BY e.position)
    ),

    judged AS (
        SELECT
            w.lane,
            w.position,
            w.position_after,
            greatest(w.position_before, 0) + 1 AS expected,
            l.length,
            CASE
                WHEN l.lane IS NULL THEN 'foreign: there is no such lane'
                WHEN w.position < 1 THEN 'foreign: a lane begins at position 1'
                WHEN w.position > l.length THEN 'foreign: the lane ends at position ' || l.length
                WHEN NOT w.intact AND (
                    w.previous_hash IN (w.hash_before, w.content_hash_before) OR w.position_before <> w.position - 1
                ) THEN 'changed'
                WHEN NOT w.intact THEN 'changed, or swapped with another entry'
                WHEN
                    w.position_before = w.position - 1 AND w.hash_before = w.content_hash_before
                    AND w.previous_hash <> w.hash_before
                    THEN 'does not follow the entry before it: one of the two was replaced'
                WHEN w.position = l.length AND w.hash <> l.hash
                    THEN 'not the entry that the lane ended with: replaced'
            END AS fault
        FROM walked AS w
        LEFT JOIN audit_lanes AS l ON w.lane = l.lane
    )

    SELECT f.lane, f.first, f.last, f.fault
    FROM judged AS j
    CROSS JOIN LATERAL (
        VALUES
        (j.lane, j.position, j.position, j.fault),
        (j.lane, j.expected, CASE WHEN j.length IS NOT NULL THEN least(j.position - 1, j.length) END, 'missing'),
        (
            j.lane, greatest(j.position, 0) + 1, CASE WHEN j.position_after IS NULL THEN j.length END,
            'missing: cut off at the end'
        )
    ) AS f (lane, first, last, fault)
    WHERE f.fault IS NOT NULL AND f.first <= f.last
    UNION ALL
    SELECT n.lane, CASE WHEN l.length > 0 THEN 1 END, l.length, 'missing: the whole lane'
    FROM generate_series(0, 255) AS n (lane)
    LEFT JOIN audit_lanes AS l ON n.lane = l.lane
    WHERE l.lane IS NULL OR (l.length > 0 AND NOT EXISTS (SELECT 1 FROM audit_entries AS e WHERE e.lane = l.lane))
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands. `detail` is JSON; `hash` is SHA-256."""

    lane: int
    position: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the entries of a lane from the first to the last position; None for a lane without a head."""

    lane: int
    first: int | None
    last: int | None
    what: str

    def __str__(self) -> str:
        if self.first is None:
            return f"lane {self.lane}: {self.what}"
        if self.first == self.last:
            return f"lane {self.lane}, position {self.first}: {self.what}"
        return f"lane {self.lane}, positions {self.first} to {self.last}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many entries there are in how many lanes, how many faults, and the first MAX_FAULTS_KEPT of these."""

    entries: int
    lanes: int
    fault_count: int
    faults: tuple[Fault, ...]


async def verify(connection: asyncpg.Connection) -> Verdict:
    """Look at the whole trail as it is at one moment. PostgreSQL does, in its own bounded memory, one pass."""
    kept: list[Fault] = []
    count = 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        async for row in connection.cursor(_FAULTS, prefetch=_PREFETCH):
            count += 1
            if len(kept) < MAX_FAULTS_KEPT:
                kept.append(Fault(*row))
        entries, lanes = await connection.fetchrow(
            """
            SELECT coalesce(sum(l.entries), 0)::bigint, count(*)
            FROM (SELECT count(*) AS entries FROM audit_entries GROUP BY lane) AS l
            """
        )
    return Verdict(entries, lanes, count, tuple(kept))


async def latest(connection: asyncpg.Connection, count: int) -> list[Entry]:
    """Return the latest entries of all lanes, at most MAX_LISTED, the oldest of them first."""
    rows = await connection.fetch(
        """
        SELECT e.lane, e.position, e.at, e.actor, e.action, e.subject, e.detail::text, e.hash
        FROM audit_lanes AS l
        CROSS JOIN LATERAL (
            SELECT x.* FROM audit_entries AS x WHERE x.lane = l.lane ORDER BY x.position DESC LIMIT $1
        ) AS e
        ORDER BY e.at DESC, e.lane DESC, e.position DESC
        LIMIT $1
        """,
        min(count, MAX_LISTED),
    )
    return [Entry(*row) for row in reversed(rows)]


async def file_loaded(connection: asyncpg.Connection, kind: str, sha256: bytes, report: "LoadReport") -> None:
    """Add the entry of one loaded file, whose name may be a person's and is left out.

    The caller's transaction is open, and should end soon: until then no other operator's change can.
    """
    await connection.execute(
        "SELECT append_audit(0, 'FILE_LOADED', $1, $2::text::jsonb)",
        f"file:{kind}",
        orjson.dumps(
            {
                "sha256": sha256.hex(),
                "rows_read": report.rows_read,
                "loaded": report.loaded,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "rejected": report.rejected,
            }
        ).decode(),
    )
