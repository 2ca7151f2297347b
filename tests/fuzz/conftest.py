"""Operations of all kinds are thrown at the same kind of server as the acceptance tests have."""

from tests.acceptance.conftest import master_key, sandbox_database, sandbox_template, server

__all__ = ["master_key", "sandbox_database", "sandbox_template", "server"]
