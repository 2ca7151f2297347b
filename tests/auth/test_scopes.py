"""Scopes: named once, written in one order."""

import re
from pathlib import Path

import pytest

from auth import scopes


def test_every_scope_has_a_meaning() -> None:
    names = {value for name, value in vars(scopes).items() if name.isupper() and isinstance(value, str)}
    assert names == set(scopes.ALL)


def test_the_sets_hold_what_the_contract_says() -> None:
    assert scopes.parse(
        "payer:read period:read bill:read quote:write assessment:write payment:read payment:write receipt:read"
    ) == scopes.ordered(scopes.RETAIL)
    assert {"payment:reverse", "settlement:read", "settlement:write"} == scopes.COUNTER - scopes.RETAIL
    assert {"bill:assess", "payer:read", "bill:read"} == scopes.AGENCY


def test_scopes_come_out_in_one_order_and_once() -> None:
    assert scopes.parse("payment:write payer:read payment:write") == ("payer:read", "payment:write")
    assert scopes.parse("") == ()


def test_an_unknown_scope_is_named() -> None:
    with pytest.raises(ValueError, match=re.escape("unknown scope 'payer:write'")):
        scopes.parse("payer:read payer:write")


def test_the_names_of_scopes_import_nothing_of_ours() -> None:
    source = Path(scopes.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^(from|import) (auth|database|contributions|gateway)\b", source, re.MULTILINE)
