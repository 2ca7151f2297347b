"""Processes that read a file beside the load: the same ledger as without them, and nothing left when they fail."""

import asyncio
import os

import pytest

from database.loading import FileRefused, readers
from database.loading import staging as staging_module
from database.loading.pieces import Piece
from database.loading.readers import Order, ReaderFailed
from database.loading.records import Place
from database.vault import Vault
from tests.database.loading.conftest import codes, number

pytestmark = pytest.mark.anyio

ROWS = 3_000


@pytest.fixture
def beside(monkeypatch):
    """Two readers for whatever file, and of each the process that was started."""
    started = []
    start = readers._start

    async def remembered():
        started.append(await start())
        return started[-1]

    monkeypatch.setattr(readers, "_start", remembered)
    monkeypatch.setattr(staging_module, "readers_for", lambda _size: 2)
    return started


def enrolled(name="陈晓兰"):
    return [f"{number(n)},{name},PENSION,360000,2020-01," for n in range(ROWS)]


async def test_a_file_that_others_read_is_loaded_as_one_that_is_read_here(agency, beside):
    rows = enrolled("阿\\")
    rows[1000] = rows[1000].replace("2020-01", "2020-13")
    rows[2000] = rows[2000].replace("阿\\", '"阿\\"')
    seen = []
    report = await agency.enrol(*rows, progress=seen.append, accept_valid=True)
    assert codes(report) == [(1002, "INVALID_FIELD")]
    assert (report.loaded, seen[-1]) == (ROWS - 1, ROWS)
    assert len(beside) == 2
    found = await agency.connection.fetch("SELECT * FROM payers")
    names = {
        agency.vault.unseal(row["sealed_identity"], row["data_key_id"], row["resident_id_index"]).decode()
        for row in found
    }
    assert names == {f"{number(n)}阿\\" for n in range(ROWS) if n != 1000}
    assert {row["masked_name"] for row in found} == {"*\\"}
    assert (await agency.bill(f"P\\1,{number(7)},阿\\,PENSION,360000,2020-07,2020-12,3630,,AGENCY_COUNTER")).loaded == 1
    assert await agency.connection.fetchval("SELECT bill_number FROM bills") == "P\\1"


@pytest.mark.parametrize("kind", ["contributions", "bills"])
async def test_each_kind_of_file_has_its_readers(agency, beside, kind):
    await agency.enrol(*enrolled())
    rows = {
        "contributions": [f"{number(n)},PENSION,2020-01,2020-03,1815.00,2020-03-16" for n in range(ROWS)],
        "bills": [
            f"P{n},{number(n)},陈晓兰,PENSION,360000,2020-07,2020-12,3630.00,,AGENCY_COUNTER" for n in range(ROWS)
        ],
    }
    assert (await agency.load(kind, *rows[kind])).loaded == ROWS
    assert len(beside) == 4


async def test_readers_end_with_the_load(agency, beside):
    await agency.enrol(*enrolled())
    assert [process.returncode for process in beside] == [0, 0]


async def test_a_reader_that_is_killed_ends_the_load_and_nothing_is_loaded(agency, beside):
    def kill(_rows):
        for process in beside:
            if process.returncode is None:
                process.kill()

    rows = [row for _ in range(10) for row in enrolled()]
    with pytest.raises(ReaderFailed, match="nothing was loaded"):
        await agency.enrol(*rows, progress=kill)
    assert await agency.count("payers") == 0
    assert all(process.returncode is not None for process in beside)


async def test_a_file_that_is_refused_ends_its_readers(agency, beside, monkeypatch):
    monkeypatch.setattr(staging_module, "MAX_ROWS", ROWS - 1)
    with pytest.raises(FileRefused, match=f"more than {ROWS - 1} rows"):
        await agency.enrol(*enrolled())
    assert [process.returncode for process in beside] == [0, 0]
    assert await agency.count("payers") == 0


async def test_an_error_of_ours_in_a_reader_is_told_without_the_row(agency):
    # Records gives no such row: parse cannot unpack it.
    piece = Piece(Place(2, 6), [(2, [number(0)])])
    async with readers.readers(1, Order("enrolments", agency.vault.keys)) as beside:
        with pytest.raises(ReaderFailed, match="ValueError while the file was read") as failed:
            async for _ in beside.read([piece]):
                pass
    assert number(0) not in str(failed.value)


async def test_readers_do_not_outlive_a_load_that_is_killed(agency):
    async with readers.readers(1, Order("bills", agency.vault.keys)) as beside:
        process = beside._every[0]
        process._to.close()
        assert await asyncio.wait_for(process._from.read(), 10) == b""


def test_small_files_are_read_here_and_large_ones_on_every_core(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(2)), raising=False)
    assert readers.readers_for(readers.BESIDE_FROM_BYTES - 1) == 0
    assert readers.readers_for(readers.BESIDE_FROM_BYTES) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    assert readers.readers_for(10**9) == readers.MAX_READERS
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0}, raising=False)
    assert readers.readers_for(10**9) == 0


def test_the_keys_that_readers_get_show_nowhere():
    keys = Vault({1: b"i" * 32}, 1, b"l" * 32, b"o" * 64).keys
    assert repr(keys) == "VaultKeys(identity_key_id=1)"
    assert repr(Order("bills", keys)) == "Order(kind='bills', keys=VaultKeys(identity_key_id=1))"
