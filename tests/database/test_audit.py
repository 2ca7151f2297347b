"""The audit trail names whatever was done to it, and the service's role can do nothing to it but add."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from database import audit
from database.pool import connect

pytestmark = pytest.mark.anyio

LENGTH = 9
LANE = 5
# Whoever owns a table can take back what was revoked from him; the tests do, to play the one who tampers.
TAMPERER = "GRANT ALL ON audit_entries, audit_lanes TO CURRENT_USER"
# An entry as the trail itself would have made it, at a place that the test chooses.
FORGE = """
    WITH forged AS (
        SELECT
            ROW($1::smallint, $2::bigint, e.at, e.actor, e.action, e.subject, e.detail, e.hash, e.hash)
            ::audit_entries AS entry
        FROM audit_entries AS e WHERE e.lane = 5 AND e.position = $3
    )

    INSERT INTO audit_entries
    SELECT $1, $2, (entry).at, (entry).actor, (entry).action, (entry).subject, (entry).detail, (entry).previous_hash,
        audit_hash(entry)
    FROM forged
"""


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database, actor="operator:test")
    yield connection
    await connection.close()


@pytest.fixture
async def trail(connection: asyncpg.Connection) -> asyncpg.Connection:
    """A trail of entries in three lanes, and the right to write in it."""
    for lane in (0, LANE, 255):
        for number in range(LENGTH):
            await add(connection, lane, number)
    await connection.execute(TAMPERER)
    return connection


async def add(connection: asyncpg.Connection, lane: int, number: int) -> None:
    detail = f'{{"amount": {number}.50, "nothing": null}}'
    await connection.execute(f"SELECT append_audit({lane}, 'TRIED', 'thing:{number}', '{detail}')")


async def faults(connection: asyncpg.Connection) -> list[str]:
    verdict = await audit.verify(connection)
    assert verdict.fault_count == len(verdict.faults)
    return [str(fault) for fault in verdict.faults]


async def test_an_untouched_trail_is_whole(trail: asyncpg.Connection) -> None:
    assert await audit.verify(trail) == audit.Verdict(3 * LENGTH, 3, 0, ())


async def test_the_latest_entries_are_listed_oldest_first_with_actor_and_detail(trail: asyncpg.Connection) -> None:
    listed = await audit.latest(trail, 2)
    assert [(e.lane, e.position, e.actor, e.action, e.subject, e.detail) for e in listed] == [
        (255, LENGTH - 1, "operator:test", "TRIED", f"thing:{LENGTH - 2}", f'{{"amount": {LENGTH - 2}.50}}'),
        (255, LENGTH, "operator:test", "TRIED", f"thing:{LENGTH - 1}", f'{{"amount": {LENGTH - 1}.50}}'),
    ]


@pytest.mark.parametrize("position", [1, 4, LENGTH])
@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "actor = overlay(actor PLACING 'x' FROM 3 FOR 1)",
        "action = 'TRIES'",
        "subject = subject || ' '",
        """detail = '{"amount": 1.51}'""",
        "hash = set_byte(hash, 31, get_byte(hash, 31) # 1)",
    ],
)
async def test_one_changed_byte_is_one_fault_that_names_its_entry(
    trail: asyncpg.Connection, change: str, position: int
) -> None:
    await trail.execute(f"UPDATE audit_entries SET {change} WHERE lane = {LANE} AND position = {position}")
    assert await faults(trail) == [f"lane {LANE}, position {position}: changed"]


async def test_a_changed_link_is_named(trail: asyncpg.Connection) -> None:
    await trail.execute(
        f"""
        UPDATE audit_entries SET previous_hash = set_byte(previous_hash, 0, get_byte(previous_hash, 0) # 1)
        WHERE lane = {LANE} AND position = 4
        """
    )
    assert await faults(trail) == [f"lane {LANE}, position 4: changed, or swapped with another entry"]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("position = 4", "position 4: missing"),
        ("position = 1", "position 1: missing"),
        ("position BETWEEN 3 AND 6", "positions 3 to 6: missing"),
        (f"position = {LENGTH}", f"position {LENGTH}: missing: cut off at the end"),
        ("position > 2", f"positions 3 to {LENGTH}: missing: cut off at the end"),
        ("TRUE", f"positions 1 to {LENGTH}: missing: the whole lane"),
    ],
)
async def test_removed_entries_are_named(trail: asyncpg.Connection, condition: str, told: str) -> None:
    await trail.execute(f"DELETE FROM audit_entries WHERE lane = {LANE} AND {condition}")
    assert await faults(trail) == [f"lane {LANE}, {told}"]


async def test_two_swapped_entries_are_both_named(trail: asyncpg.Connection) -> None:
    for before, after in ((3, -3), (7, 3), (-3, 7)):
        await trail.execute(f"UPDATE audit_entries SET position = {after} WHERE lane = {LANE} AND position = {before}")
    swapped = "changed, or swapped with another entry"
    assert await faults(trail) == [f"lane {LANE}, position 3: {swapped}", f"lane {LANE}, position 7: {swapped}"]


async def test_an_entry_moved_to_another_lane_is_foreign_there_and_missing_here(trail: asyncpg.Connection) -> None:
    await trail.execute(f"UPDATE audit_entries SET lane = 6, position = 1 WHERE lane = {LANE} AND position = {LENGTH}")
    assert await faults(trail) == [
        f"lane {LANE}, position {LENGTH}: missing: cut off at the end",
        "lane 6, position 1: foreign: the lane ends at position 0",
    ]


@pytest.mark.parametrize(
    ("lane", "position", "after", "told"),
    [
        (LANE, LENGTH + 1, LENGTH, f"foreign: the lane ends at position {LENGTH}"),
        (LANE, 0, 1, "foreign: a lane begins at position 1"),
        (256, 1, 1, "foreign: there is no such lane"),
    ],
)
async def test_an_entry_put_in_with_a_good_hash_is_foreign(
    trail: asyncpg.Connection, lane: int, position: int, after: int, told: str
) -> None:
    await trail.execute(FORGE, lane, position, after)
    assert await faults(trail) == [f"lane {lane}, position {position}: {told}"]


async def test_an_entry_replaced_by_one_with_a_good_hash_does_not_fit_the_next(trail: asyncpg.Connection) -> None:
    await trail.execute(f"DELETE FROM audit_entries WHERE lane = {LANE} AND position = 4")
    await trail.execute(FORGE, LANE, 4, 3)
    # The same content in another place: the forger had everything but the hashes behind it.
    assert await faults(trail) == [
        f"lane {LANE}, position 5: does not follow the entry before it: one of the two was replaced"
    ]


async def test_the_last_entry_replaced_by_one_with_a_good_hash_is_named(trail: asyncpg.Connection) -> None:
    await trail.execute(f"DELETE FROM audit_entries WHERE lane = {LANE} AND position = {LENGTH}")
    await trail.execute(FORGE, LANE, LENGTH, LENGTH - 1)
    assert await faults(trail) == [f"lane {LANE}, position {LENGTH}: not the entry that the lane ended with: replaced"]


async def test_a_lane_without_its_head_is_named(trail: asyncpg.Connection) -> None:
    await trail.execute("DELETE FROM audit_lanes WHERE lane = 7")
    assert await faults(trail) == ["lane 7: missing: the whole lane"]


async def test_more_faults_than_are_kept_are_counted(
    trail: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_FAULTS_KEPT", 4)
    await trail.execute("UPDATE audit_entries SET action = 'X'")
    verdict = await audit.verify(trail)
    assert (verdict.fault_count, len(verdict.faults)) == (3 * LENGTH, 4)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET action = 'X'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "DELETE FROM audit_lanes",
        "TRUNCATE audit_lanes",
        "INSERT INTO audit_lanes (lane) VALUES (256)",
    ],
)
async def test_the_services_role_may_add_and_read_only(connection: asyncpg.Connection, statement: str) -> None:
    assert await connection.fetchval("SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user")
    await add(connection, LANE, 1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    assert await audit.verify(connection) == audit.Verdict(1, 1, 0, ())


async def test_what_is_rolled_back_leaves_no_entry_and_no_gap(connection: asyncpg.Connection) -> None:
    await add(connection, LANE, 1)
    transaction = connection.transaction()
    await transaction.start()
    await add(connection, LANE, 2)
    await transaction.rollback()
    await add(connection, LANE, 3)
    assert [entry.subject for entry in await audit.latest(connection, 9)] == ["thing:1", "thing:3"]
    assert await faults(connection) == []


async def test_a_change_by_hand_names_the_databases_role(database: str) -> None:
    connection = await connect(database)
    try:
        await connection.execute("INSERT INTO institutions (code, name, kind) VALUES ('HAND', '银行', 'BANK')")
        await connection.execute("UPDATE institutions SET code = code")
        await connection.execute("UPDATE institutions SET kind = 'TAX'")
        await connection.execute("DELETE FROM institutions")
        role = f"database:{urlsplit(database).username}"
        assert [(e.actor, e.action, e.subject) for e in await audit.latest(connection, 9)] == [
            (role, "INSTITUTION_ADDED", "institution:HAND"),
            (role, "INSTITUTION_CHANGED", "institution:HAND"),
            (role, "INSTITUTION_REMOVED", "institution:HAND"),
        ]
    finally:
        await connection.close()


async def test_additions_at_once_to_one_lane_stand_in_one_chain_while_it_is_verified(
    connection: asyncpg.Connection, database: str
) -> None:
    async def adds(worker: int) -> None:
        own = await connect(database)
        try:
            for number in range(25):
                await add(own, LANE, worker * 100 + number)
        finally:
            await own.close()

    async def verifies() -> None:
        for _ in range(10):
            assert await faults(connection) == []

    await asyncio.gather(*(adds(worker) for worker in range(8)), verifies())
    assert await audit.verify(connection) == audit.Verdict(200, 1, 0, ())
