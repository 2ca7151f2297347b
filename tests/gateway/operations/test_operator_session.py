"""A session is what was sealed here, for ten minutes."""

import base64
import time
from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet
from starlette.responses import Response

from auth.tokens import LIFETIME_SECONDS
from gateway.operations.session import COOKIE, Sessions


@dataclass(frozen=True)
class Keys:
    """Of a vault, what a session needs."""

    key: bytes

    def derived_key(self, purpose: str) -> bytes:
        assert purpose == "operator session"
        return self.key


def sessions(key: bytes = bytes(32)) -> Sessions:
    return Sessions(Keys(key))  # type: ignore[arg-type]


def sealed(by: Sessions, token: str) -> str:
    response = Response()
    by.begin(response, token)
    return response.headers["set-cookie"].partition(";")[0].removeprefix(f"{COOKIE}=")


def test_another_process_with_the_key_opens_it_and_one_without_does_not() -> None:
    cookie = sealed(sessions(), "a.b.c")
    assert "a.b.c" not in cookie
    assert sessions().token(cookie) == "a.b.c"
    assert sessions(b"\x01" * 32).token(cookie) is None


@pytest.mark.parametrize(("age_seconds", "token"), [(LIFETIME_SECONDS - 5, "a.b.c"), (LIFETIME_SECONDS + 5, None)])
def test_it_ends_with_its_token(age_seconds: int, token: str | None) -> None:
    seal = Fernet(base64.urlsafe_b64encode(bytes(32)))
    cookie = seal.encrypt_at_time(b"a.b.c", int(time.time()) - age_seconds).decode()
    assert sessions().token(cookie) == token


@pytest.mark.parametrize("cookie", ["", "x", "é", "A" * 5000, "gAAAAA=="])
def test_anything_else_is_none(cookie: str) -> None:
    assert sessions().token(cookie) is None
