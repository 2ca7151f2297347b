"""The settings: environment variables GATEWAY_*, or the same names in a file `.env`."""

import base64
import datetime
import re
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from auth.documents import MAX_BUDGET

SHANGHAI = ZoneInfo("Asia/Shanghai")
SANDBOX_BUSINESS_DATE = datetime.date(2020, 11, 16)

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


Duration = Annotated[datetime.timedelta, BeforeValidator(_duration)]


class Settings(BaseSettings):
    """What an operator can set. Every name has the prefix GATEWAY_ in the environment."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_file=".env", extra="ignore")

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
    # Four for each connection of the default pool: one has it, the others are being read, answered or are next.
    # More would only wait there, where nobody can be told that nothing has run.
    max_operations: int = Field(
        default=40,
        ge=1,
        le=10_000,
        description="Operations under way in one worker; four times as many wait, and others are answered 503.",
    )

    # Ten thousand searches for a payer a second: more than one worker answers. It stops a client that would take a
    # whole server for itself; what a bank's day needs is for `gateway clients budget`.
    client_budget: int = Field(
        default=60_000_000,
        ge=0,
        le=MAX_BUDGET,
        description="Points that a client may spend in a minute, unless it has a budget of its own; 0 for no limit.",
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
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

    def today(self) -> datetime.date:
        """Return the business date: pinned in the sandbox, else today in Asia/Shanghai."""
        if self.sandbox:
            return self.business_date or SANDBOX_BUSINESS_DATE
        return datetime.datetime.now(SHANGHAI).date()

    @property
    def introspectable(self) -> bool:
        """Return whether introspection and suggestions are on."""
        return self.sandbox if self.introspection is None else self.introspection


def read_master_key(text: str) -> bytes:
    """Return the 32 bytes of a master key in base64. Raises ValueError that doesn't repeat it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError as error:  # binascii.Error is one, and so is what a character beyond ASCII raises
        raise ValueError("GATEWAY_MASTER_KEY is not base64") from error
    if len(key) != 32:
        raise ValueError("GATEWAY_MASTER_KEY must be 32 bytes in base64")
    return key
