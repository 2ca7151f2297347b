"""Fictional people in region 369999, the sandbox's own and newcomers, and the files that make them known."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.acceptance.gateway import gateway

HEADERS = {
    "enrolments": "resident_id,name,insurance,pooling_area,first_month,last_month",
    "contributions": "resident_id,insurance,first_month,last_month,amount,paid_on",
    "bills": "bill_number,resident_id,name,insurance,pooling_area,first_month,last_month,amount,pay_by,origin",
}
# GB 11643: the weights of the 17 digits and the check characters by the remainder of their sum.
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
FAMILY_NAMES = "周吴郑孙钱冯褚卫蒋沈韩杨朱秦尤许何吕施张"


@dataclass(frozen=True)
class Person:
    """Who stands at the counter."""

    resident_id: str
    name: str

    @property
    def variables(self) -> dict[str, str]:
        return {"residentId": self.resident_id, "name": self.name}


CHEN = Person("369999198503120010", "陈晓兰")
LIU = Person("369999197809250024", "刘建国")
WANG = Person("369999199001010035", "王芳")
OUYANG = Person("36999919660630004X", "欧阳明")
LI = Person("369999199508170054", "李静")
ZHAO = Person("369999198811240073", "赵强")
SANDBOX = (CHEN, LIU, WANG, OUYANG, LI, ZHAO)


def resident_id(seventeen: str) -> str:
    """Return seventeen digits with their check character."""
    return seventeen + CHECK_CHARACTERS[sum(int(d) * w for d, w in zip(seventeen, WEIGHTS, strict=True)) % 11]


def newcomers() -> Iterator[Person]:
    """Yield people of the tests' own, without end."""
    for number in count():
        day, serial = divmod(number, 900)
        name = f"{FAMILY_NAMES[number % 20]}{chr(0x4E00 + number // 20)}{chr(0x5E00 + number % 20)}"
        yield Person(resident_id(f"369999197002{1 + day:02}{100 + serial}"), name)


@dataclass(frozen=True)
class Office:
    """Where agencies' files are loaded: a database, its key and a directory for the files."""

    database_url: str
    master_key: str
    directory: Path

    @property
    def settings(self) -> dict[str, str]:
        return {"GATEWAY_DATABASE_URL": self.database_url, "GATEWAY_MASTER_KEY": self.master_key}

    def load(self, kind: str, rows: Iterable[tuple[str, ...]]) -> None:
        """Write the rows to a file of that kind and load it, as an agency's operator does."""
        file = self.directory / f"{kind}.csv"
        with file.open("w", encoding="utf-8", newline="") as output:
            output.write(HEADERS[kind] + "\n")
            csv.writer(output, lineterminator="\n").writerows(rows)
        done = gateway("load", kind, str(file), **self.settings)
        assert done.returncode == 0, done.stdout + done.stderr

    def crowd(self, size: int) -> Iterator[Person]:
        """Enrol newcomers in PENSION from 2018-01 and MEDICAL of 360100 from 2020-01; each owes every month."""
        known = [person for person, _ in zip(newcomers(), range(size), strict=False)]
        rows = [(p.resident_id, p.name, "PENSION", "360000", "2018-01", "") for p in known]
        rows += [(p.resident_id, p.name, "MEDICAL", "360100", "2020-01", "") for p in known]
        self.load("enrolments", rows)
        return iter(known)
