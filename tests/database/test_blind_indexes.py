import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.blind_indexes import INDEX_BYTES, BlindIndexes
from database.vault import Vault, VaultKeys


@pytest.mark.parametrize(
    ("key", "message", "index"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a7"),
    ],
)
def test_an_index_is_hmac_sha256_as_rfc_4231_has_it(key: bytes, message: bytes, index: str) -> None:
    assert BlindIndexes(key).of(message).hex() == index


@given(st.binary(max_size=64), st.lists(st.binary(max_size=200), max_size=3))
def test_each_message_has_its_own_index_whatever_came_before(key: bytes, messages: list[bytes]) -> None:
    indexes = BlindIndexes(key)
    assert [indexes.of(message) for message in messages] == [
        hmac.digest(key, message, "sha256")[:INDEX_BYTES] for message in messages
    ]


def test_a_vault_indexes_people_with_its_lookup_key() -> None:
    lookup = bytes(range(32))
    vault = Vault.of_keys(VaultKeys(1, bytes(32), lookup, bytes(64)))
    number, name = "369999198503120010", "陈晓兰"
    assert vault.resident_id_index(number) == BlindIndexes(lookup).of(f"resident id\0{number}".encode())
    assert vault.name_index(number, name) == BlindIndexes(lookup).of(f"name\0{number}\0{name}".encode())
