"""Institutions: added once, with a code that reads well in a file's name."""

import asyncpg
import pytest

from auth import institutions

pytestmark = pytest.mark.anyio


async def test_an_institution_is_listed_once_it_is_added(pool: asyncpg.Pool) -> None:
    added = await institutions.add(pool, "TAX", "国家税务总局江西省税务局", "TAX")
    assert (added.code, added.name, added.kind) == ("TAX", "国家税务总局江西省税务局", "TAX")
    assert await institutions.list_institutions(pool) == [added]


@pytest.mark.parametrize(
    ("code", "name", "kind", "field"),
    [
        ("icbc", "中国工商银行", "BANK", "code"),
        ("", "中国工商银行", "BANK", "code"),
        ("A" * 21, "中国工商银行", "BANK", "code"),
        ("ICBC\n", "中国工商银行", "BANK", "code"),
        ("ICBC", "", "BANK", "name"),
        ("ICBC", " ", "BANK", "name"),
        ("ICBC", "a\x00b", "BANK", "name"),
        ("ICBC", "名" * 101, "BANK", "name"),
        ("ICBC", "中国工商银行", "bank", "kind"),
    ],
)
async def test_a_bad_value_is_refused_by_its_field(
    pool: asyncpg.Pool, code: str, name: str, kind: str, field: str
) -> None:
    with pytest.raises(institutions.FieldError, match=f"^{field}: ") as refused:
        await institutions.add(pool, code, name, kind)
    assert refused.value.field == field
    assert await institutions.list_institutions(pool) == []


async def test_a_code_is_used_once(pool: asyncpg.Pool) -> None:
    await institutions.add(pool, "ABC", "中国农业银行", "BANK")
    with pytest.raises(institutions.FieldError, match=r"^code: the institution ABC is there already"):
        await institutions.add(pool, "ABC", "another", "BANK")
