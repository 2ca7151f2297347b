"""The sandbox's database, and the gateway over it on several business days."""

from tests.acceptance.conftest import master_key, sandbox_database, sandbox_template

__all__ = ["master_key", "sandbox_database", "sandbox_template"]
