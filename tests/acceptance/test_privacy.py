"""After everything that a bank and an agency do, no identity number and no name is anywhere in clear."""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from database.embedded import EmbeddedPostgres
from tests.acceptance.gateway import Client, Server, gateway, serving
from tests.acceptance.operations import assess_bills, billed, pay, quote
from tests.acceptance.people import CHEN, LI, LIU, SANDBOX, ZHAO, Office, Person, newcomers

PEOPLE = (*SANDBOX, next(newcomers()))
FIND = "query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) { id } }"


def traces(person: Person) -> list[bytes]:
    """What would tell who somebody is: the number, the part of it that no mask shows, and the name."""
    return [person.resident_id.encode(), person.resident_id[3:14].encode(), person.name.encode()]


TRACES = [trace for person in PEOPLE for trace in traces(person)]


def found_in(content: bytes) -> list[str]:
    return [trace.decode() for trace in TRACES if trace in content]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("privacy")
    # Where root runs the tests, the server's own user is to reach its cluster without help.
    for part in (directory, directory.parent, directory.parent.parent):
        part.chmod(part.stat().st_mode | 0o011)
    return directory / "data"


@pytest.fixture(scope="module")
def postgres(data_dir: Path) -> Iterator[str]:
    with EmbeddedPostgres(data_dir) as url:
        yield url


@pytest.fixture(scope="module")
def lived_in(data_dir: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at its most talkative, after everything that brings people's numbers and names."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    settings = {"GATEWAY_DATA_DIR": str(data_dir), "GATEWAY_LOG_LEVEL": "DEBUG", "GATEWAY_LOOKUP_DELAY": "0"}
    with serving(log, GATEWAY_LOOKUP_FAILURES_PER_NUMBER="3", **settings) as server:
        live(server, server.client("abc-counter"), server.client("social-insurance-agency"))
        office = Office("", "", tmp_path_factory.mktemp("office"))
        newcomer = PEOPLE[-1]
        (office.directory / "enrolments.csv").write_text(
            "resident_id,name,insurance,pooling_area,first_month,last_month\n"
            f"{newcomer.resident_id},{newcomer.name},PENSION,360000,2020-01,\n"
            f"{CHEN.resident_id},{LIU.name},PENSION,360000,2020-01,\n",
            encoding="utf-8",
        )
        gateway("load", "enrolments", "--accept-valid", str(office.directory / "enrolments.csv"), **settings)
        yield server


def live(server: Server, bank: Client, agency: Client) -> None:
    for person in SANDBOX:
        assert bank.run(FIND, **person.variables)["payer"]
        for _ in range(4):
            bank.run(FIND, residentId=person.resident_id, name=person.name[::-1])
    pay(server.client("icbc-mobile"), quote(server.client("icbc-mobile"), ZHAO, "2020-06", "2020-07"), "PRIVACY-1")
    bill = billed(LI, "P-1", "2017-01", "2017-02", "1000.00")
    for batch, sent in (("PRIVACY", bill), ("PRIVACY-WRONG", bill | {"billNumber": "P-2", "name": CHEN.name})):
        assess_bills(agency, batch, sent)
    for bad in (
        {"residentId": CHEN.resident_id[:-1] + "1", "name": CHEN.name},
        {"residentId": CHEN.resident_id, "name": CHEN.name + "\n"},
        {"residentId": [CHEN.resident_id], "name": {CHEN.name: 1}},
    ):
        bank.post(FIND, bad)
    bank.post(f'{{ payer(residentId: "{CHEN.resident_id}", name: "{CHEN.name}") {{ {CHEN.name} }} }}')
    bank.http.get("/graphql", params=CHEN.variables)


def test_no_table_of_any_schema_holds_anybody(lived_in: Server, postgres: str) -> None:
    async def dump() -> dict[str, list[str]]:
        connection = await asyncpg.connect(postgres)
        found = {}
        try:
            tables = await connection.fetch(
                """
                SELECT n.nspname, c.relname FROM pg_class AS c
                INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
                WHERE c.relkind IN ('r', 'p', 'm') AND has_table_privilege(c.oid, 'SELECT')
                """
            )
            assert {"payers", "payments", "pgqueuer", "audit_entries", "lookup_failures"} <= {t[1] for t in tables}
            for schema, table in tables:
                text = await connection.fetch(f'SELECT t::text AS row FROM "{schema}"."{table}" AS t')
                rows = "\n".join(str(row["row"]) for row in text)
                # bytea is written in hex: what it holds is looked at as well.
                raw = b"\n".join(bytes.fromhex(digits) for digits in re.findall(r"\\x((?:[0-9a-f]{2})+)", rows))
                if names := found_in(rows.encode()) + found_in(raw):
                    found[f"{schema}.{table}"] = names
        finally:
            await connection.close()
        return found

    assert asyncio.run(dump()) == {}


def test_no_file_of_the_cluster_holds_anybody(lived_in: Server, data_dir: Path) -> None:
    """Tables, indexes, the write-ahead log, PostgreSQL's own log: whatever a stolen disk has.

    What a checkpoint has not written to the tables yet is in the write-ahead log.
    """
    found = {}
    shown = set()
    for directory, _, names in os.walk(data_dir):
        for name in names:
            path = Path(directory) / name
            content = path.read_bytes()
            shown.update(word for word in ("PRIVACY-1", "中国农业银行", "***********0010") if word.encode() in content)
            if traces_found := found_in(content):
                found[str(path.relative_to(data_dir))] = traces_found
    assert len(shown) == 3, "what is in clear is found by this"
    assert found == {}


def test_no_log_line_metric_or_audit_entry_holds_anybody(lived_in: Server, data_dir: Path) -> None:
    log = lived_in.log.read_bytes()
    assert b"look-ups locked" in log
    assert found_in(log) == []
    metrics = lived_in.http.get("/metrics")
    assert 'gateway_lookups_locked_total{of="NUMBER"} ' in metrics.text
    assert found_in(metrics.content) == []
    settings = {"GATEWAY_DATA_DIR": str(data_dir)}
    for command in (("audit", "list", "--last", "1000"), ("lookups", "list"), ("keys", "list")):
        done = gateway(*command, **settings)
        assert done.returncode == 0, done.stderr
        assert found_in((done.stdout + done.stderr).encode()) == []


def test_an_operator_ends_a_lock(lived_in: Server, data_dir: Path) -> None:
    bank = lived_in.client("abc-counter")
    assert bank.run(FIND, **LIU.variables)["payer"] is None
    settings = {"GATEWAY_DATA_DIR": str(data_dir)}
    refused = gateway("lookups", "unlock", "abc-counter", "--number", LIU.resident_id, **settings)
    assert refused.returncode == 2
    assert LIU.resident_id not in refused.stdout + refused.stderr
    done = gateway("lookups", "unlock", "abc-counter", **settings)
    assert done.stdout.strip() == f"{len(SANDBOX)} locks ended"
    assert bank.run(FIND, **LIU.variables)["payer"]
    assert "LOOKUPS_UNLOCKED" in gateway("audit", "list", **settings).stdout
