"""The settings: environment variables GATEWAY_*, or the same names in a file `.env`."""

import base64
import datetime
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from auth.certificates import Network, parse_network
from auth.documents import MAX_BUDGET
from auth.keys import LIFETIME

SHANGHAI = ZoneInfo("Asia/Shanghai")
SANDBOX_BUSINESS_DATE = datetime.date(2020, 11, 16)

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}


def _duration(value: object) -> object:
    """Read "1800", "1800s", "30m" or "0.5h"; leave anything else to Pydantic (ISO 8601: "PT30M")."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    try:
        return datetime.timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ValueError("is longer than any duration") from error


def read_duration(value: str | datetime.timedelta) -> datetime.timedelta:
    """Read a duration as the settings have it. Raises ValueError."""
    return _DURATION_ADAPTER.validate_python(value)


Duration = Annotated[datetime.timedelta, BeforeValidator(_duration)]
_DURATION_ADAPTER: TypeAdapter[datetime.timedelta] = TypeAdapter(Duration)


def _networks(value: object) -> object:
    """Read networks with commas between; an empty text is none."""
    if not isinstance(value, str):
        return value
    return tuple(parse_network(part.strip()) for part in value.split(",")) if value.strip() else None


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]


class Settings(BaseSettings):
    """What an operator can set. Every name has the prefix GATEWAY_ in the environment."""

    # What is refused may be a secret with a slip of the pen in it.
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_file=".env", extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="The PostgreSQL server, several hosts allowed. Without it an embedded one runs.",
    )
    data_dir: Path = Field(default=Path(".data"), description="Where the embedded PostgreSQL keeps its data.")
    postgres_bin: Path | None = Field(
        default=None, description="The directory of another PostgreSQL's binaries for the embedded server."
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="32 random bytes in base64 that wrap the keys of the data at rest. Without it a file "
        "master.key in the data directory is made and used.",
    )
    sandbox: bool = Field(default=False, description="Serve the sandbox: its people, clients and pinned date.")
    business_date: datetime.date | None = Field(
        default=None, description="Pins the business date; refused outside the sandbox."
    )
    quote_ttl: Duration = Field(
        default=datetime.timedelta(minutes=30),
        gt=datetime.timedelta(0),
        le=datetime.timedelta(days=1),
        description="How long a quote can be paid: seconds, or a number with s, m or h.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+$",
        description="Where the gateway is reached from outside: the issuer of its tokens. By default the "
        "address that it listens on.",
    )
    pool_size: int = Field(default=10, ge=2, le=100, description="Database connections of one worker.")
    statement_timeout: Duration = Field(
        default=datetime.timedelta(seconds=10),
        gt=datetime.timedelta(0),
        le=datetime.timedelta(minutes=5),
        description="After which a statement is rolled back.",
    )
    statement_cache_size: int = Field(
        default=200, ge=0, le=10_000, description="Prepared statements a connection; 0 behind pgbouncer."
    )
    introspection: bool | None = Field(
        default=None, description="Whether the schema can be asked for; by default only in the sandbox."
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="What is logged.")
    signing_key_lifetime: Duration = Field(
        default=LIFETIME,
        ge=datetime.timedelta(hours=1),
        le=datetime.timedelta(days=730),
        description="After which another key signs the tokens; it is published before. ISO 8601 has days (P30D).",
    )
    # Four for each connection of the default pool: one has it, the others are being read, answered or are next.
    # More would only wait there, where nobody can be told that nothing has run.
    max_operations: int = Field(
        default=40,
        ge=1,
        le=10_000,
        description="Operations under way in one worker; four times as many wait, and others are answered 503.",
    )
    posting_url: str | None = Field(
        default=None,
        max_length=2048,
        description="The tax ledger's address, https, that payments are posted to. The sandbox has a stand-in; "
        "elsewhere postings wait without it.",
    )
    posting_secret: SecretStr | None = Field(
        default=None,
        description="Signs what is posted: whsec_ and 24 to 64 random bytes in base64. Required with "
        "`GATEWAY_POSTING_URL`.",
    )
    work: bool | None = Field(
        default=None,
        description="Whether `gateway serve` runs a worker beside the server; by default only in the sandbox.",
    )

    trusted_proxies: Networks | None = Field(
        default=None,
        description="Proxies that pass client certificates and addresses on: addresses or networks (CIDR), with commas "
        "between.",
    )
    client_certificate_header: str = Field(
        default="x-client-certificate",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="The header in which they do: URL-encoded PEM, or base64 of DER between colons (RFC 9440).",
    )

    # How many, and why: resolvers/lookups.py.
    lookup_failures_per_number: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="How often one client may look for one identity number in vain before it is locked out of it.",
    )
    lookup_failures_everywhere: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="How often all clients may look for one identity number in vain; from then on each is locked out "
        "of it as it fails.",
    )
    lookup_failures_per_client: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="How often a client may look for people in vain, over all numbers, before it finds nobody.",
    )
    lookup_window: Duration = Field(
        default=datetime.timedelta(hours=1),
        gt=datetime.timedelta(0),
        le=datetime.timedelta(days=1),
        description="After which vain look-ups are forgotten.",
    )
    lookup_lock: Duration = Field(
        default=datetime.timedelta(minutes=15),
        gt=datetime.timedelta(0),
        le=datetime.timedelta(days=1),
        description="How long such a lock lasts.",
    )
    lookup_delay: Duration = Field(
        default=datetime.timedelta(seconds=1),
        ge=datetime.timedelta(0),
        le=datetime.timedelta(seconds=10),
        description="The longest that the answer to a vain look-up is held back; it grows from half of what is "
        "allowed on.",
    )

    # Ten thousand searches for a payer a second: more than one worker answers. It stops a client that would take a
    # whole server for itself; what a bank's day needs is for `gateway clients budget`.
    client_budget: int = Field(
        default=60_000_000,
        ge=0,
        le=MAX_BUDGET,
        description="Points that a client may spend in a minute, unless it has a budget of its own; 0 for no limit.",
    )

    redis_url: SecretStr | None = Field(
        default=None,
        description="A Redis that keeps the budgets, exact over all servers: redis:// or, over TLS, rediss://, with "
        "user and password. Without it, or while it is away, PostgreSQL does.",
    )
    # Redis answers in less than a millisecond. More would be felt in the answers of a whole worker each time that it is
    # away, less would take a pause of the machine for an outage.
    redis_timeout: Duration = Field(
        default=datetime.timedelta(milliseconds=100),
        gt=datetime.timedelta(0),
        le=datetime.timedelta(seconds=5),
        description="How long Redis has to answer, before PostgreSQL is asked.",
    )

    voucher_certificate: Path | None = Field(
        default=None,
        description="The certificate that signs vouchers, and those above it: a PEM file. The sandbox makes its own; "
        "elsewhere vouchers are unsigned without it.",
    )
    voucher_key: Path | None = Field(
        default=None, description="Its private key, P-256 or RSA: a PEM file without a password."
    )

    traces_url: str | None = Field(
        default=None,
        max_length=2048,
        description="Where spans go by OTLP over HTTP, such as `https://collector.example/v1/traces`; without it there "
        "is no tracing.",
    )
    # One of ten says what takes time, and costs a collector a tenth.
    traces_ratio: float = Field(
        default=0.1, ge=0, le=1, allow_inf_nan=False, description="The share of requests and jobs that are traced."
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not _is_redis_address(value.get_secret_value()):
            raise ValueError("must be rediss://USER:PASSWORD@HOST:PORT/NUMBER, or redis:// without TLS")
        return value

    @field_validator("public_url", mode="before")
    @classmethod
    def _without_slash(cls, value: object) -> object:
        return value.rstrip("/") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _pinned_only_in_the_sandbox(self) -> Self:
        if self.business_date is not None and not self.sandbox:
            raise ValueError("GATEWAY_BUSINESS_DATE pins the business date in the sandbox only (--sandbox)")
        return self

    @model_validator(mode="after")
    def _voucher_certificate_with_its_key(self) -> Self:
        if (self.voucher_certificate is None) != (self.voucher_key is None):
            raise ValueError("GATEWAY_VOUCHER_CERTIFICATE and GATEWAY_VOUCHER_KEY go together")
        return self

    @field_validator("traces_url")
    @classmethod
    def _is_collector(cls, value: str | None) -> str | None:
        # What is sent names clients and operations, and no person: a collector may be reached in clear. A query or a
        # user could be a secret, and the exporter's complaints have the address in them.
        if value is not None and ("?" in value or not _is_address(value, plain=True, hosts=None)):
            raise ValueError("must be http:// or https://HOST…, without a user, a query or a fragment")
        return value

    @field_validator("posting_secret")
    @classmethod
    def _is_webhook_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_secret(value.get_secret_value()):
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return value

    @model_validator(mode="after")
    def _posted_safely(self) -> Self:
        if self.posting_url is None:
            return self
        if not _is_address(self.posting_url, plain=self.sandbox):
            loopback = ", or http:// to a loopback address" if self.sandbox else ""
            raise ValueError(f"GATEWAY_POSTING_URL must be https://HOST…{loopback}, without a user or a fragment")
        if self.posting_secret is None:
            raise ValueError("GATEWAY_POSTING_URL needs GATEWAY_POSTING_SECRET")
        return self

    def today(self) -> datetime.date:
        """Return the business date: pinned in the sandbox, else today in Asia/Shanghai."""
        if self.sandbox:
            return self.business_date or SANDBOX_BUSINESS_DATE
        return datetime.datetime.now(SHANGHAI).date()

    @property
    def introspectable(self) -> bool:
        """Return whether introspection and suggestions are on."""
        return self.sandbox if self.introspection is None else self.introspection

    @property
    def works(self) -> bool:
        """Return whether a worker runs beside the server."""
        return self.sandbox if self.work is None else self.work


def _is_secret(text: str) -> bool:
    """Return whether a text is a secret as Standard Webhooks writes it."""
    if not text.startswith("whsec_"):
        return False
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return 24 <= len(key) <= 64


def _is_address(url: str, *, plain: bool, hosts: frozenset[str] | None = _LOOPBACK) -> bool:
    """Return whether messages may be sent there; without TLS only where `plain`, to these hosts (None: to any)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc or "#" in url or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (plain and parts.scheme == "http" and (hosts is None or host in hosts))


def _is_redis_address(url: str) -> bool:
    """Return whether a text names a Redis and a database of it, and nothing that would change how it is asked.

    Of options only the authority's certificate, and one of our own: no other can turn the checks of TLS off.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        options = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        return False
    database = parts.path.removeprefix("/")
    return (
        parts.scheme in ("redis", "rediss")
        and bool(host)
        and not parts.fragment
        and (not database or (database.isascii() and database.isdecimal()))
        and options.keys() <= ({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"} if parts.scheme == "rediss" else set())
    )


def read_master_key(text: str, name: str = "GATEWAY_MASTER_KEY") -> bytes:
    """Return the 32 bytes of a master key in base64. Raises ValueError that names it and doesn't repeat it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError as error:  # binascii.Error is one, and so is what a character beyond ASCII raises
        raise ValueError(f"{name} is not base64") from error
    if len(key) != 32:
        raise ValueError(f"{name} must be 32 bytes in base64")
    return key
