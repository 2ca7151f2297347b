"""What the gateway's parts cost: each beside the gateway without it."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from benchmarks import servers
from benchmarks.bench import GATEWAY, Bench
from benchmarks.ledger import CLIENT
from benchmarks.load import Measured
from benchmarks.report import cost_table
from benchmarks.servers import Running
from benchmarks.signing import Prover, signer
from database.pool import connect
from tests.acceptance.gateway import gateway

KEY_ID = "bench"


def beside_itself(bench: Bench, url: str, open_url: str) -> Iterator[str]:
    """Measure each part of the gateway beside the gateway without it; yield what is to be printed."""
    bench.slice()
    with ExitStack() as stack:
        whole, open_, unlimited, unsigned = bench.start(
            stack,
            servers.gateway(GATEWAY, url),
            servers.gateway("row-level security off", open_url),
            servers.gateway("without limits", url, without="limits"),
            servers.gateway("without signatures", url, without="signatures"),
        )
        key = _register_key(whole)
        prover = Prover(whole, (CLIENT, "sandbox"))

        def proved() -> Measured:
            requests = bench.workloads.reads(whole.dialect({}), prover.signing(), bench.signed_count())
            return bench.measure(whole, "payer", requests)

        def signed() -> Measured:
            dialect = whole.dialect()
            sign = signer(key, KEY_ID, whole.url, dialect.headers["authorization"])
            payments = bench.workloads.requests("payment", dialect, sign)
            made = [request for request, _ in zip(payments, range(bench.signed_count()), strict=False)]
            return bench.measure(whole, "payment", iter(made))

        reads = bench.rounds(
            {
                "whole": bench.plain(whole, "payer"),
                "again": bench.plain(whole, "payer"),
                "proved": proved,
                "open": bench.plain(open_, "payer"),
                "unlimited": bench.plain(unlimited, "payer"),
            }
        )
        payments = bench.rounds(
            {
                "whole": bench.plain(whole, "payment"),
                "again": bench.plain(whole, "payment"),
                "signed": signed,
                "open": bench.plain(open_, "payment"),
                "unsigned": bench.plain(unsigned, "payment"),
            }
        )
    yield cost_table(
        [
            ("payer read: nothing, as far as this run can tell", reads["again"], reads["whole"]),
            ("payer read: DPoP proof, beside a bearer token", reads["proved"], reads["whole"]),
            ("payer read: row-level security", reads["whole"], reads["open"]),
            ("payer read: limits, cost and budget", reads["whole"], reads["unlimited"]),
            ("payment: nothing, as far as this run can tell", payments["again"], payments["whole"]),
            ("payment: row-level security", payments["whole"], payments["open"]),
            ("payment: signed answer", payments["whole"], payments["unsigned"]),
            ("payment: signed request as well, kept", payments["signed"], payments["whole"]),
        ]
    )


def _register_key(server: Running) -> ec.EllipticCurvePrivateKey:
    key = ECKey.generate_key("P-256")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"keys": [key.as_dict(private=False, kid=KEY_ID)]}, file)
        file.flush()
        ours = {k: v for k, v in server.contender.environment.items() if k.startswith("GATEWAY_")}
        done = gateway("clients", "signing-keys", CLIENT, file.name, **ours)
        assert done.returncode == 0, done.stderr
    private = serialization.load_pem_private_key(key.as_pem(private=True), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private


async def open_to_all(url: str) -> None:
    """Turn row-level security off."""
    connection = await connect(url)
    try:
        for (table,) in await connection.fetch("SELECT oid::regclass::text FROM pg_class WHERE relrowsecurity"):
            await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    finally:
        await connection.close()
