"""The sandbox in this process."""

from collections.abc import AsyncIterator

import pytest

from tests.acceptance.conftest import sandbox_copy, sandbox_template
from tests.desk import CountingDesk, counting

__all__ = ["sandbox_copy", "sandbox_template"]


@pytest.fixture
async def desk(sandbox_copy: str, vault_key: bytes) -> AsyncIterator[CountingDesk]:
    async with counting(sandbox_copy, vault_key) as desk:
        yield desk
