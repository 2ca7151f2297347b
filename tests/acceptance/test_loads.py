"""The agencies' files: one transaction a file, bad rows by line and reason, the same file twice changes nothing."""

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.gateway import Client, Server, gateway
from tests.acceptance.operations import bills, quote, runs
from tests.acceptance.people import CHEN, HEADERS, LI, WANG, Person, newcomers, resident_id
from tests.acceptance.snapshot import snapshot

NEW = newcomers()
POLICY = """insurance = "PENSION"
year = {year}
pooling_area = "360000"
rate = "0.20"
average_monthly_wage = "4000.00"
arrears_tier = "60"
[[tiers]]
code = "60"
percent = 60
monthly_base = "2400.00"
monthly_amount = "480.00"
"""


@pytest.fixture
def bank(server: Server) -> Client:
    return server.client("icbc-mobile")


@pytest.fixture
def person(settings: dict[str, str], tmp_path: Path) -> Person:
    """Someone enrolled in PENSION from 2018-01 and in MEDICAL from 2020-01."""
    new = next(NEW)
    done = load(tmp_path, settings, "enrolments", pension(new), f"{new.resident_id},{new.name},MEDICAL,360100,2020-01,")
    assert done.returncode == 0, done.stdout + done.stderr
    return new


def pension(person: Person, first: str = "2018-01", last: str = "") -> str:
    return f"{person.resident_id},{person.name},PENSION,360000,{first},{last}"


def bill(number: str, person: Person, first: str, last: str, amount: str = "605.00", **changes: str) -> str:
    row = {
        "bill_number": number,
        "resident_id": person.resident_id,
        "name": person.name,
        "insurance": "PENSION",
        "pooling_area": "360000",
        "first_month": first,
        "last_month": last,
        "amount": amount,
        "pay_by": "",
        "origin": "AGENCY_COUNTER",
    } | changes
    return ",".join(row.values())


def load(
    directory: Path, settings: dict[str, str], kind: str, *rows: str, options: tuple[str, ...] = (), name: str = ""
) -> subprocess.CompletedProcess[str]:
    file = directory / (name or f"{kind}.csv")
    file.write_text("\n".join([HEADERS[kind], *rows, ""]), "utf-8")
    done = gateway("load", kind, str(file), *options, **settings)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def written(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def test_enrolments_make_people_known(settings: dict[str, str], tmp_path: Path, bank: Client) -> None:
    new = next(NEW)
    assert load(tmp_path, settings, "enrolments", pension(new, "2020-03", "2020-10")).returncode == 0
    assert runs(bank, new) == [("CURRENT_YEAR", "2020-03", "2020-10")]
    # The agency sends the end of an enrolment, or that it goes on after all.
    assert load(tmp_path, settings, "enrolments", pension(new, "2020-03", "2020-06")).returncode == 0
    assert runs(bank, new) == [("CURRENT_YEAR", "2020-03", "2020-06")]


def test_contributions_are_months_paid_elsewhere(
    settings: dict[str, str], tmp_path: Path, bank: Client, person: Person
) -> None:
    row = f"{person.resident_id},PENSION,2020-03,2020-05,1815.00,2020-05-06"
    assert load(tmp_path, settings, "contributions", row).returncode == 0
    assert runs(bank, person, mode="CURRENT_YEAR") == [
        ("CURRENT_YEAR", "2020-01", "2020-02"),
        ("CURRENT_YEAR", "2020-06", "2020-12"),
    ]


def test_bills_say_their_origin(settings: dict[str, str], tmp_path: Path, bank: Client, person: Person) -> None:
    medical = {"insurance": "MEDICAL", "pooling_area": "360100", "origin": "MEDICAL_BATCH", "pay_by": "2021-06-30"}
    rows = [
        bill("FILE-1", person, "2020-01", "2020-03", "1815.00"),
        bill("FILE-2", person, "2021-01", "2021-12", "5712.5", **medical),
    ]
    assert load(tmp_path, settings, "bills", *rows).returncode == 0
    found = {b["billNumber"]: (b["origin"], b["insurance"], b["amount"], b["payBy"]) for b in bills(bank, person)}
    assert found == {
        "FILE-1": ("AGENCY_COUNTER", "PENSION", "1815.00", None),
        "FILE-2": ("MEDICAL_BATCH", "MEDICAL", "5712.50", "2021-06-30"),
    }


def test_a_policy_makes_a_year_payable(settings: dict[str, str], tmp_path: Path, bank: Client) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.format(year=2016), "utf-8")
    schedule = """{ contributionSchedule(insurance: PENSION, year: 2016) { rate averageMonthlyWage
      tiers { code percent monthlyBase monthlyAmount } } }"""
    assert bank.run(schedule)["contributionSchedule"] is None
    assert gateway("load", "policy", str(policy), **settings).returncode == 0
    loaded = bank.run(schedule)["contributionSchedule"]
    assert loaded == {
        "rate": "0.20",
        "averageMonthlyWage": "4000.00",
        "tiers": [{"code": "60", "percent": 60, "monthlyBase": "2400.00", "monthlyAmount": "480.00"}],
    }


def test_a_bad_policy_changes_nothing(settings: dict[str, str], tmp_path: Path, sandbox_database: str) -> None:
    good = POLICY.format(year=2015)
    bad = [
        good.replace('"480.00"', "480.00"),
        good.replace('"480.00"', '"480.001"'),
        good.replace('"480.00"', '"-480.00"'),
        good.replace('arrears_tier = "60"', 'arrears_tier = "70"'),
        good.replace("PENSION", "LIFE"),
        good.replace('"0.20"', '"20%"'),
        good.replace("year = 2015", 'year = "2015"'),
        good.replace("year = 2015", "year = 20150"),
        good.replace("2400", "２４００"),
        good + good[good.index("[[tiers]]") :],
        good[: good.index("[[tiers]]")],
        good + 'extra = "x"\n',
        "not toml at all [",
        "",
    ]
    before = snapshot(sandbox_database)
    for number, text in enumerate(bad):
        policy = tmp_path / f"bad-{number}.toml"
        policy.write_text(text, "utf-8")
        refused = gateway("load", "policy", str(policy), **settings)
        assert refused.returncode == 1, (text, written(refused))
        assert "Traceback" not in written(refused)
        assert written(refused).strip()
    assert snapshot(sandbox_database) == before


def test_the_same_file_twice_changes_nothing(
    settings: dict[str, str], tmp_path: Path, sandbox_database: str, person: Person
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.format(year=2014), "utf-8")
    files = {
        "enrolments": [pension(person), pension(next(NEW), "2019-05", "2020-02")],
        "contributions": [f"{person.resident_id},PENSION,2019-03,2019-05,1704.00,2019-05-06"],
        "bills": [bill("TWICE-1", person, "2020-01", "2020-03"), bill("TWICE-2", person, "2020-04", "2020-06")],
    }
    gateway("load", "policy", str(policy), **settings)
    for kind, rows in files.items():
        assert load(tmp_path, settings, kind, *rows).returncode == 0
    before = snapshot(sandbox_database)
    for kind in files:
        again = gateway("load", kind, str(tmp_path / f"{kind}.csv"), **settings)
        assert again.returncode == 0, written(again)
    assert gateway("load", "policy", str(policy), **settings).returncode == 0
    assert snapshot(sandbox_database) == before


BAD_IDENTITIES = [
    "",
    "369999198503120011",
    "36999919660630004x",
    "369999198502300013",
    "' OR 1=1",
    CHEN.resident_id[:-1],
]


def bad_rows(kind: str, person: Person) -> list[str]:
    """Return rows that must each be rejected on their own."""
    if kind == "enrolments":
        good = pension(person)
        return [good.replace(person.resident_id, value) for value in BAD_IDENTITIES] + [
            good.replace("PENSION", "LIFE"),
            good.replace("360000", "990000"),
            good.replace("2018-01", "2018-13"),
            good.replace("2018-01", "1899-01"),
            good.replace("2018-01", ""),
            good + "2017-01",
            good.replace(person.name, ""),
            good + ",one,too,many",
            "only,three,fields",
        ]
    if kind == "contributions":
        good = f"{person.resident_id},PENSION,2019-03,2019-05,1704.00,2019-05-06"
        return [good.replace(person.resident_id, value) for value in BAD_IDENTITIES] + [
            good.replace("1704.00", "1704.001"),
            good.replace("1704.00", "-1704.00"),
            good.replace("1704.00", "1e3"),
            good.replace("1704.00", ""),
            good.replace("2019-05-06", "2019-02-30"),
            good.replace("2019-03", "2019-06"),
            good.replace("PENSION", "pension"),
            good.replace(person.resident_id, resident_id("36999919490101999")),
        ]
    good = bill("BAD", person, "2020-01", "2020-03")
    return [good.replace(person.resident_id, value) for value in BAD_IDENTITIES] + [
        good.replace(person.name, "别人"),
        good.replace("605.00", "605.005"),
        good.replace("605.00", "0.00"),
        good.replace("605.00", "６０５"),
        good.replace("605.00", "1000000000000.00"),
        good.replace("AGENCY_COUNTER", "SOMEWHERE"),
        good.replace("360000", "990000"),
        good.replace("2020-01", "2020-04"),
        bill("", person, "2020-01", "2020-03"),
        bill("BAD", person, "2017-01", "2017-03"),
        bill("BAD", LI, "2020-01", "2020-03"),
        bill("BAD", person, "2020-01", "2020-03", pay_by="2020-02-30"),
        bill("BAD", CHEN, "2021-01", "2021-12", insurance="MEDICAL", pooling_area="360100", origin="MEDICAL_BATCH"),
        bill("SI-2020-000001", person, "2020-01", "2020-03"),
    ]


@pytest.mark.parametrize("kind", ["enrolments", "contributions", "bills"])
def test_bad_rows_are_told_by_line_and_nothing_is_loaded(
    settings: dict[str, str], tmp_path: Path, sandbox_database: str, person: Person, kind: str
) -> None:
    good = {
        "enrolments": pension(next(NEW)),
        "contributions": f"{person.resident_id},PENSION,2018-03,2018-05,1584.00,2018-05-06",
        "bills": bill("GOOD-ROW", person, "2020-06", "2020-07"),
    }[kind]
    bad = bad_rows(kind, person)
    before = snapshot(sandbox_database)
    refused = load(tmp_path, settings, kind, good, *bad)
    assert refused.returncode == 1, written(refused)
    for line in range(3, 3 + len(bad)):
        assert f"line {line}:" in written(refused), (line, bad[line - 3], written(refused))
    assert "line 2:" not in written(refused)
    for secret in (person.resident_id, CHEN.resident_id, "369999198503120011", person.name, "别人"):
        assert secret not in written(refused)
    assert snapshot(sandbox_database) == before
    assert not (tmp_path / f"{kind}.rejects.csv").exists()

    taken = load(tmp_path, settings, kind, good, *bad, options=("--accept-valid",))
    rejects = (tmp_path / f"{kind}.rejects.csv").read_text("utf-8")
    assert len(rejects.strip().splitlines()) >= len(bad)
    assert "GOOD-ROW" not in rejects
    assert taken.returncode in (0, 1)
    assert snapshot(sandbox_database) != before


def test_a_file_that_is_no_such_file(settings: dict[str, str], tmp_path: Path, sandbox_database: str) -> None:
    before = snapshot(sandbox_database)
    header = HEADERS["enrolments"]
    contents = [
        b"",
        b"\n",
        HEADERS["bills"].encode() + b"\n",
        header.replace("name", "names").encode() + b"\n",
        header.encode() + b"\n\xff\xfe\n",
        "陈".encode("gbk") * 20,
        header.encode() + b'\n"never closed,x,PENSION,360000,2018-01,\n',
        b"\x00" * 100,
    ]
    for number, content in enumerate(contents):
        file = tmp_path / f"broken-{number}.csv"
        file.write_bytes(content)
        refused = gateway("load", "enrolments", str(file), **settings)
        assert refused.returncode == 1, (content, written(refused))
        assert "Traceback" not in written(refused)
    assert snapshot(sandbox_database) == before


def test_a_file_as_other_programs_write_it(settings: dict[str, str], tmp_path: Path, bank: Client) -> None:
    """RFC 4180: lines end in CRLF, fields may be quoted; spreadsheets put a byte order mark before UTF-8."""
    plain, marked = next(NEW), next(NEW)
    file = tmp_path / "quoted.csv"
    quoted = ",".join(f'"{value}"' for value in pension(plain, "2020-03", "2020-05").split(","))
    file.write_bytes(f"{HEADERS['enrolments']}\r\n{quoted}\r\n".encode())
    assert gateway("load", "enrolments", str(file), **settings).returncode == 0
    assert runs(bank, plain) == [("CURRENT_YEAR", "2020-03", "2020-05")]
    file.write_bytes(f"\ufeff{HEADERS['enrolments']}\n{pension(marked, '2020-03', '2020-05')}".encode())
    done = gateway("load", "enrolments", str(file), **settings)
    assert done.returncode == 0, written(done)
    assert runs(bank, marked) == [("CURRENT_YEAR", "2020-03", "2020-05")]


def test_an_empty_file_of_the_right_kind_is_no_mistake(settings: dict[str, str], tmp_path: Path) -> None:
    assert load(tmp_path, settings, "bills").returncode == 0


def test_what_is_loaded_beside_a_running_server_counts_at_once(
    settings: dict[str, str], tmp_path: Path, bank: Client, person: Person
) -> None:
    price = quote(bank, person, "2020-01", "2020-01")
    assert price["amount"] == "605.00"
    row = f"{person.resident_id},PENSION,2020-01,2020-01,605.00,2020-01-06"
    assert load(tmp_path, settings, "contributions", row).returncode == 0
    assert quote(bank, person, "2020-01", "2020-01")["__typename"] == "PeriodNotPayable"
    assert [b["billNumber"] for b in bills(bank, WANG)]
