"""A compiled plan answers as graphql-core's executor does, byte for byte; `make differential` compares many more."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from graphql import get_nullable_type
from hypothesis import HealthCheck, Phase, given, settings

from gateway.execution.compiled.completion import Completion
from gateway.execution.compiled.fast_path import FastPath
from schema.contract import schema
from schema.selection import MAX_KEPT
from tests.gateway.execution.differential.comparing import Comparison
from tests.gateway.execution.differential.documents import Case, cases
from tests.gateway.execution.differential.worlds import stubbed_roots

CORE = schema._schema
#: Each over several worlds.
OPERATIONS = 60


@pytest.fixture(autouse=True)
def _stubbed() -> Iterator[None]:
    with stubbed_roots(CORE):
        yield


def compare(operations: int) -> Comparison:
    comparison = Comparison(CORE)

    @settings(
        max_examples=operations,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(CORE))
    def differential(case: Case) -> None:
        anyio.run(comparison.compare, case)

    differential()
    return comparison


def test_a_few_hundred_cases_are_the_same() -> None:
    comparison = compare(OPERATIONS)
    assert comparison.compared > 4 * OPERATIONS
    assert 0 < comparison.with_errors < comparison.compared


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an item of a list that may not be null answered with null, a few hundred cases would tell."""
    guard = Completion.guard

    def forgiving(self: Completion, return_type: object, target: str, *more: object) -> list[str]:
        return guard(self, get_nullable_type(return_type) if target == "done0" else return_type, target, *more)  # type: ignore[arg-type,call-overload]

    monkeypatch.setattr(Completion, "guard", forgiving)
    with pytest.raises(AssertionError, match="compiled: "):
        compare(OPERATIONS)


def test_a_fault_planted_in_the_fast_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it to answer with a null that may not be, a few hundred cases would tell."""
    value = FastPath._value

    def forgiving(self: FastPath, return_type: Any, *more: Any, may_await: bool) -> list[str]:
        return value(self, get_nullable_type(return_type), *more, may_await=may_await)

    monkeypatch.setattr(FastPath, "_value", forgiving)
    with pytest.raises(AssertionError, match="compiled: "):
        compare(OPERATIONS)


@pytest.mark.anyio
async def test_what_is_asked_below_a_root_follows_the_variables_of_each_run() -> None:
    """A plan keeps what was asked; by other values, something else is asked."""
    text = """
        query ($first: Int, $after: String, $status: BillStatus = PAID, $more: Boolean = false) {
          payer(residentId: "369999198503120010", name: "x") {
            assessedBills(first: $first, after: $after, status: $status) { edges { node { lines { month } } } }
            enrolments @include(if: $more) { poolingArea { code } }
          }
        }
    """
    comparison = Comparison(CORE)
    each: list[dict[str, object]] = [{"first": number} for number in range(1, MAX_KEPT + 3)]
    each += [{}, {"first": None}, {"after": "x"}, {"status": None}, {"status": "PAYABLE"}, {"more": True}, {"first": 1}]
    await comparison.compare_each(text, [*each, *each])
    assert comparison.not_covered == 0
