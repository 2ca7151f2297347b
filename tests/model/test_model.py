"""The gateway beside a small model of its rules: whatever banks and agencies do, both answer the same.

MODEL_SEED takes other walks than the usual ones; a failure tells the seed and the shortest walk to the difference.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import get_state_machine_test

import database.sandbox
from tests.model.gateways import Gateways, gateways
from tests.model.ledger import Facts
from tests.model.machine import Machine

EXAMPLES = 200
STEPS = 50
# A suite that fails must fail again: the seed is fixed, and who would walk elsewhere says so.
SEED = int(os.environ.get("MODEL_SEED", "20201116"))
# Walks that never come to one of these would agree about nothing.
MUST_BE_MET = {
    *("Quote", "AssessedBill", "PayerNotFound", "PeriodNotPayable", "TierNotOffered", "BillsAssessed", "BillsRejected"),
    *("PaymentAccepted", "PayableNotFound", "QuoteExpired", "BillNotPayable", "MonthsAlreadyPaid", "AmountMismatch"),
    *("BankReferenceReused", "PaymentReversed", "PaymentNotFound", "PaymentNotReversible"),
    *("SettlementDay", "DayNotReconcilable"),
    *("RefundRequested", "PaymentNotRefundable", "RefundDecided", "RefundNotFound", "RefundNotDecidable"),
}


@pytest.fixture(scope="module")
def running(
    sandbox_database: str, master_key: str, vault_key: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateways]:
    with gateways(sandbox_database, master_key, vault_key, tmp_path_factory.mktemp("gateways")) as found:
        yield found


@pytest.fixture(scope="module")
def schedules() -> dict[int, Facts]:
    """The pension policies of the sandbox, as the agency published them."""
    files = sorted((Path(database.sandbox.__file__).parent / "policies").glob("pension-*.toml"))
    policies = [tomllib.loads(file.read_text(encoding="utf-8")) for file in files]
    return {policy["year"]: policy for policy in policies}


def test_the_gateway_answers_as_the_rules_say(running: Gateways, schedules: dict[int, Facts]) -> None:
    class Walk(Machine):
        def __init__(self) -> None:
            super().__init__(running, schedules)

    walks = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        seed(SEED)(get_state_machine_test(Walk, settings=walks))()
    except Exception as difference:
        difference.add_note(f"MODEL_SEED={SEED}; first seen in example {running.first_different}")
        raise
    assert running.examples >= EXAMPLES
    assert {kind for kind, _ in running.met} >= MUST_BE_MET
    assert running.met["PaymentAccepted", True]
    assert running.met["PaymentReversed", True]
    assert running.met["BillsAssessed", True]
    assert running.met["RefundRequested", True]
    assert running.met["RefundDecided", True]
    assert running.met["PaymentNotRefundable", "PAYMENT_STILL_REVERSIBLE"]
    assert running.met["PaymentNotRefundable", "PAYMENT_NOT_REFUNDABLE"]
