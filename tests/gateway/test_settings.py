"""Every setting is read from the environment or `.env`, and a wrong one is named without a stack trace."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import SANDBOX_BUSINESS_DATE, SHANGHAI, Settings
from tests.acceptance.gateway import gateway


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's own settings out, those of a `.env` where the tests run included."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GATEWAY_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1),
        ("90", 90),
        ("1.5", 1.5),
        ("1800s", 1800),
        ("30m", 1800),
        (" 30m ", 1800),
        ("0.5h", 1800),
        ("24h", 86_400),
        ("PT30M", 1800),
        ("PT1H30M", 5400),
        ("00:30:00", 1800),
    ],
)
def test_how_long_a_quote_holds(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv("GATEWAY_QUOTE_TTL", text)
    assert Settings().quote_ttl == datetime.timedelta(seconds=seconds)


def test_a_quote_holds_for_thirty_minutes_where_nothing_is_said() -> None:
    assert Settings().quote_ttl == datetime.timedelta(minutes=30)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATA_DIR", "/var/lib/gateway", Path("/var/lib/gateway")),
        ("POSTGRES_BIN", "/usr/lib/postgresql/17/bin", Path("/usr/lib/postgresql/17/bin")),
        ("SANDBOX", "true", True),
        ("SANDBOX", "0", False),
        ("PUBLIC_URL", "https://gateway.example/", "https://gateway.example"),
        ("PUBLIC_URL", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("POOL_SIZE", "2", 2),
        ("STATEMENT_TIMEOUT", "5s", datetime.timedelta(seconds=5)),
        ("STATEMENT_CACHE_SIZE", "0", 0),
        ("INTROSPECTION", "false", False),
        ("LOG_LEVEL", "DEBUG", "DEBUG"),
    ],
)
def test_a_setting_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", text)
    assert getattr(Settings(), name.lower()) == value


WRONG = [
    ("SANDBOX", "perhaps"),
    ("BUSINESS_DATE", "2020-11-31"),
    ("BUSINESS_DATE", "yesterday"),
    ("QUOTE_TTL", "0"),
    ("QUOTE_TTL", "-5"),
    ("QUOTE_TTL", "25h"),
    ("QUOTE_TTL", "soon"),
    ("QUOTE_TTL", "nan"),
    ("QUOTE_TTL", ""),
    ("PUBLIC_URL", "gateway.example"),
    ("PUBLIC_URL", "https://gateway.example/api"),
    ("PUBLIC_URL", "ftp://gateway.example"),
    ("POOL_SIZE", "1"),
    ("POOL_SIZE", "101"),
    ("POOL_SIZE", "ten"),
    ("STATEMENT_TIMEOUT", "0s"),
    ("STATEMENT_TIMEOUT", "6m"),
    ("STATEMENT_CACHE_SIZE", "-1"),
    ("INTROSPECTION", "some"),
    ("LOG_LEVEL", "LOUD"),
]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", text)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [error["loc"] for error in caught.value.errors()] == [(name.lower(),)]


def test_each_wrong_setting_is_told_in_a_line_of_its_own() -> None:
    wrong = {f"GATEWAY_{name}": text for name, text in WRONG}
    completed = gateway("clients", "list", **wrong)
    assert completed.returncode == 1
    assert completed.stdout == ""
    lines = completed.stderr.splitlines()
    assert {line.partition(": ")[0] for line in lines} == set(wrong)
    assert len(lines) == len(wrong)


def test_a_business_date_is_pinned_in_the_sandbox_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_BUSINESS_DATE", "2020-12-01")
    assert Settings(sandbox=True).today() == datetime.date(2020, 12, 1)
    completed = gateway("clients", "list", GATEWAY_BUSINESS_DATE="2020-12-01")
    assert completed.returncode == 1
    assert completed.stderr == "GATEWAY_BUSINESS_DATE pins the business date in the sandbox only (--sandbox)\n"


def test_the_business_date_is_today_in_shanghai() -> None:
    before = datetime.datetime.now(SHANGHAI).date()
    today = Settings().today()
    assert today in (before, datetime.datetime.now(SHANGHAI).date())
    assert Settings(sandbox=True).today() == SANDBOX_BUSINESS_DATE


@pytest.mark.parametrize("key", ["secret-but-no-base64!", "c2hvcnQ=", "A" * 44 + "AAAA"])
def test_a_wrong_master_key_is_told_and_not_repeated(key: str) -> None:
    completed = gateway(
        "clients", "list", GATEWAY_MASTER_KEY=key, GATEWAY_DATABASE_URL="postgresql://127.0.0.1:1/nothing"
    )
    assert completed.returncode == 1
    assert "Traceback" not in completed.stderr
    assert key not in completed.stdout + completed.stderr


def test_settings_stand_in_a_file_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_QUOTE_TTL=10m\nGATEWAY_POOL_SIZE=3\nANOTHER_PROGRAM=x\n", encoding="utf-8")
    monkeypatch.setenv("GATEWAY_POOL_SIZE", "4")
    settings = Settings()
    assert settings.quote_ttl == datetime.timedelta(minutes=10)
    assert settings.pool_size == 4, "the environment goes before the file"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://gateway:password@db.example/gateway")
    monkeypatch.setenv("GATEWAY_MASTER_KEY", "c2VjcmV0")
    shown = repr(Settings()) + str(Settings())
    assert "password" not in shown
    assert "c2VjcmV0" not in shown


def test_introspection_is_for_the_sandbox_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(sandbox=True).introspectable
    assert not Settings().introspectable
    monkeypatch.setenv("GATEWAY_INTROSPECTION", "true")
    assert Settings().introspectable


def test_the_help_describes_every_setting() -> None:
    told = gateway("--help", COLUMNS="200").stdout
    for name in Settings.model_fields:
        assert f"GATEWAY_{name.upper()}" in told


SECRET = f"whsec_{'A' * 32}"


@pytest.mark.parametrize(
    ("url", "secret", "sandbox", "taken"),
    [
        ("https://tax.example/postings", SECRET, False, True),
        ("https://127.0.0.1:8100/", SECRET, False, True),
        ("http://127.0.0.1:8100/", SECRET, True, True),
        ("http://[::1]:8100/", SECRET, True, True),
        ("http://127.0.0.1:8100/", SECRET, False, False),
        ("http://tax.example/", SECRET, True, False),
        ("https://user:word@tax.example/", SECRET, True, False),
        ("https://tax.example/#part", SECRET, True, False),
        ("https://tax.example:0/", SECRET, True, False),
        ("https:///postings", SECRET, True, False),
        ("ftp://tax.example/", SECRET, True, False),
        ("https://tax.example/", None, True, False),
        ("https://tax.example/", SECRET.removeprefix("whsec_"), True, False),
        ("https://tax.example/", "whsec_AAAA", True, False),
        ("https://tax.example/", "whsec_not base64 at all, whatever one does", True, False),
    ],
)
def test_what_is_posted_goes_over_tls_and_is_signed(url: str, secret: str | None, sandbox: bool, taken: bool) -> None:
    given = {"posting_url": url, "posting_secret": secret, "sandbox": sandbox}
    if taken:
        assert Settings.model_validate(given).posting_url == url
        return
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(given)
    # What complains of a secret does not repeat it.
    assert secret is None or secret not in str(refused.value.errors(include_input=False, include_context=False))


@pytest.mark.parametrize(("sandbox", "work", "works"), [(True, None, True), (False, None, False), (False, True, True)])
def test_a_worker_runs_beside_the_sandbox_and_elsewhere_when_asked(
    sandbox: bool, work: bool | None, works: bool
) -> None:
    assert Settings(sandbox=sandbox, work=work).works == works


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://127.0.0.1:6380/2",
        "redis://:word@redis/",
        "rediss://user:w%40rd@[::1]:6380/0",
        "rediss://user:word@redis.example/0?ssl_ca_certs=/etc/ca.pem",
    ],
)
def test_a_redis_is_named_with_or_without_tls(url: str) -> None:
    settings = Settings.model_validate({"redis_url": url})
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == url
    assert "word" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:word@redis",
        "redis:",
        "redis://user:word@",
        "redis://user:word@redis:port",
        "redis://user:word@redis/zero",
        "redis://user:word@redis/0#part",
        "unix:///run/redis.sock?password=word",
        "redis://user:word@redis?socket_timeout=60",
        "redis://user:word@redis?ssl_ca_certs=/etc/ca.pem",
        "rediss://user:word@redis?ssl_cert_reqs=none",
        "rediss://user:word@redis?ssl_check_hostname=false",
        "rediss://user:word@redis?word",
    ],
)
def test_what_names_no_redis_or_loosens_how_it_is_asked_is_refused_unrepeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"redis_url": url})
    assert "user:word" not in str(refused.value)
    assert "must be rediss://" in str(refused.value)


def test_an_empty_redis_is_none() -> None:
    assert Settings.model_validate({"redis_url": ""}).redis_url is None
