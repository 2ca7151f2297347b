"""The sandbox, for what needs more than an empty database."""

from tests.acceptance.conftest import sandbox_copy, sandbox_template

__all__ = ["sandbox_copy", "sandbox_template"]
