import asyncio
import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import assume, given
from hypothesis import strategies as st

from database.pool import connect
from database.vault import Vault, WrongMasterKey

RESIDENT_ID = "369999198503120010"
PAIRWISE = ("Payer", "Quote", "Payment", "Receipt", "Refund")
KINDS = (*PAIRWISE, "AssessedBill")

vault = Vault({1: bytes(32)}, 1, bytes(32), bytes(64))
kinds = st.sampled_from(KINDS)
row_ids = st.integers(0, 2**63 - 1)
institution_ids = st.integers(1, 2**31 - 1)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database)
    yield connection
    await connection.close()


@given(kinds, row_ids, institution_ids)
def test_an_opaque_id_is_read_back_by_its_institution(kind: str, row_id: int, institution_id: int) -> None:
    text = vault.opaque_id(kind, row_id, institution_id)
    assert text == vault.opaque_id(kind, row_id, institution_id)
    assert vault.read_opaque_id(text, institution_id) == (kind, row_id)


@given(st.sampled_from(PAIRWISE), row_ids, institution_ids, institution_ids)
def test_an_opaque_id_is_worthless_to_another_institution(kind: str, row_id: int, one: int, other: int) -> None:
    assume(one != other)
    assert vault.opaque_id(kind, row_id, one) != vault.opaque_id(kind, row_id, other)
    assert vault.read_opaque_id(vault.opaque_id(kind, row_id, one), other) is None


@given(row_ids, institution_ids, institution_ids)
def test_an_assessed_bill_has_one_opaque_id_for_every_institution(row_id: int, one: int, other: int) -> None:
    text = vault.opaque_id("AssessedBill", row_id, one)
    assert text == vault.opaque_id("AssessedBill", row_id, other)
    assert vault.read_opaque_id(text, other) == ("AssessedBill", row_id)


@given(kinds, row_ids, institution_ids, st.data())
def test_an_opaque_id_with_any_character_changed_is_none(
    kind: str, row_id: int, institution_id: int, data: st.DataObject
) -> None:
    text = vault.opaque_id(kind, row_id, institution_id)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_+/=. \n中\x00"))
    assume(letter != text[place])
    assert vault.read_opaque_id(text[:place] + letter + text[place + 1 :], institution_id) is None


def test_every_other_last_letter_of_an_opaque_id_is_refused_though_it_decodes_to_the_same_bytes() -> None:
    text = vault.opaque_id("Payer", 1, 1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    read = [letter for letter in alphabet if vault.read_opaque_id(text[:-1] + letter, 1) is not None]
    assert read == [text[-1]]


@given(st.text(max_size=80))
def test_any_text_that_is_no_opaque_id_is_none(text: str) -> None:
    assert vault.read_opaque_id(text, 1) is None


@pytest.mark.parametrize("changed", ["{}=", "{}==", " {}", "{}A", "{}\n"])
def test_an_opaque_id_has_one_spelling(changed: str) -> None:
    assert vault.read_opaque_id(changed.format(vault.opaque_id("Quote", 7, 1)), 1) is None


def test_an_opaque_id_of_one_kind_is_not_another_kinds() -> None:
    identities = {vault.opaque_id(kind, 1, 1)[2:] for kind in KINDS}
    assert len(identities) == len(KINDS)


def test_what_is_sealed_is_opened_in_its_own_context_only() -> None:
    sealed = vault.seal(RESIDENT_ID.encode(), b"payer 1")
    assert RESIDENT_ID.encode() not in sealed
    assert sealed != vault.seal(RESIDENT_ID.encode(), b"payer 1")
    assert vault.unseal(sealed, vault.identity_key_id, b"payer 1") == RESIDENT_ID.encode()
    with pytest.raises(InvalidTag):
        vault.unseal(sealed, vault.identity_key_id, b"payer 2")
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:5], b""):
        with pytest.raises(InvalidTag):
            vault.unseal(damaged, vault.identity_key_id, b"payer 1")
    with pytest.raises(LookupError, match="data key 2"):
        vault.unseal(sealed, 2, b"payer 1")


def test_indexes_are_16_bytes_and_tell_number_and_name_apart() -> None:
    assert len(vault.resident_id_index(RESIDENT_ID)) == len(vault.name_index(RESIDENT_ID, "陈晓兰")) == 16
    assert vault.resident_id_index(RESIDENT_ID) == vault.resident_id_index(RESIDENT_ID)
    other = "369999197809250024"
    indexes = {
        vault.resident_id_index(RESIDENT_ID),
        vault.resident_id_index(other),
        vault.name_index(RESIDENT_ID, "陈晓兰"),
        vault.name_index(RESIDENT_ID, "陈晓"),
        vault.name_index(other, "陈晓兰"),
        vault.name_index(RESIDENT_ID, ""),
    }
    assert len(indexes) == 6


def test_a_vault_shows_no_key() -> None:
    shown = repr(Vault({1: b"k" * 32}, 1, b"k" * 32, bytes(range(64))))
    assert "kkk" not in shown


@pytest.mark.anyio
async def test_a_database_keeps_its_keys(connection: asyncpg.Connection, vault_key: bytes) -> None:
    first = await Vault.open(connection, vault_key)
    sealed = first.seal(b"plain", b"context")
    again = await Vault.open(connection, vault_key)
    assert again.unseal(sealed, first.identity_key_id, b"context") == b"plain"
    assert again.opaque_id("Payer", 1, 1) == first.opaque_id("Payer", 1, 1)
    assert again.resident_id_index(RESIDENT_ID) == first.resident_id_index(RESIDENT_ID)
    purposes = await connection.fetch("SELECT purpose FROM data_keys ORDER BY purpose")
    assert [row["purpose"] for row in purposes] == ["IDENTITY", "LOOKUP", "OPAQUE_ID"]


@pytest.mark.anyio
async def test_processes_that_open_a_new_vault_together_get_the_same_keys(database: str, vault_key: bytes) -> None:
    async def opened() -> str:
        connection = await connect(database)
        try:
            return (await Vault.open(connection, vault_key)).opaque_id("Payer", 1, 1)
        finally:
            await connection.close()

    assert len(set(await asyncio.gather(*(opened() for _ in range(8))))) == 1


@pytest.mark.anyio
async def test_another_master_key_is_refused_and_changes_nothing(
    connection: asyncpg.Connection, vault_key: bytes
) -> None:
    await Vault.open(connection, vault_key)
    await connection.execute("UPDATE data_keys SET retired_at = now() WHERE purpose = 'LOOKUP'")
    before = await connection.fetch("SELECT * FROM data_keys ORDER BY id")
    with pytest.raises(WrongMasterKey, match="GATEWAY_MASTER_KEY"):
        await Vault.open(connection, os.urandom(32))
    assert await connection.fetch("SELECT * FROM data_keys ORDER BY id") == before


@pytest.mark.anyio
async def test_a_master_key_of_another_length_is_refused(connection: asyncpg.Connection) -> None:
    with pytest.raises(ValueError, match="32 bytes, not 16"):
        await Vault.open(connection, bytes(16))


@pytest.mark.anyio
async def test_a_retired_key_still_opens_what_it_sealed(connection: asyncpg.Connection, vault_key: bytes) -> None:
    before = await Vault.open(connection, vault_key)
    sealed = before.seal(b"plain", b"context")
    await connection.execute("UPDATE data_keys SET retired_at = now() WHERE purpose = 'IDENTITY'")
    after = await Vault.open(connection, vault_key)
    assert after.identity_key_id != before.identity_key_id
    assert after.unseal(sealed, before.identity_key_id, b"context") == b"plain"
