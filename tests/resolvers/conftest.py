"""The sandbox in this process: operations run by the real runner over the real PostgreSQL."""

from tests.acceptance.conftest import sandbox_template

__all__ = ["sandbox_template"]
