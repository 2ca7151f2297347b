"""The gateway without a part of it, to measure what that part costs: `python -m benchmarks.without limits serve …`.

limits: no load shedding, limit of variables, cost and budget. signatures: no answer is signed, no digest compared.
"""

import sys
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.types import Scope

import gateway.app
import gateway.endpoints.graphql
from auth.documents import ClientLimits
from auth.signatures import SignedRequest
from auth.tokens import Caller
from gateway.admission import Admission
from gateway.budgets import Budgets
from gateway.cli import app
from gateway.endpoints.signing import Exchange, MessageSigning
from gateway.execution.cost import OperationCost
from gateway.execution.trusted import ClientDocuments
from gateway.parts import parts_of

NO_LIMITS = ClientLimits()


class Unlimited(ClientDocuments):
    """Every client is one that nothing was set for."""

    def known_limits(self, client_id: str) -> ClientLimits:
        """Look at nothing."""
        return NO_LIMITS


class Boundless(Budgets):
    """Lets everything be spent."""

    def require_any(self, client_id: str, budget: int) -> None:
        """Nothing."""

    def spent_at_once(self, client_id: str, budget: int, points: int) -> bool:
        """Everything."""
        return True

    def told(self, client_id: str, budget: int) -> None:
        """Nothing."""


class Unshed(Admission):
    """Lets everything in at once."""

    def entered(self) -> bool:
        """At once."""
        return True

    def leave(self) -> None:
        """Nothing."""


class Unsigned(MessageSigning):
    """Leaves requests and answers as they are."""

    def exchange(self, scope: Scope, headers: Headers) -> Exchange:
        """Look at nothing."""
        return Exchange(SignedRequest(scope["method"], self._url, headers))

    async def admit(self, exchange: Exchange, caller: Caller) -> None:
        """Let it run, and its answer be unsigned."""


#: What stands in for what: in a module by its name, or in a class.
PARTS: dict[str, tuple[tuple[object, str, object], ...]] = {
    "limits": (
        (gateway.app, "parts_of", lambda settings: replace(parts_of(settings), documents=Unlimited)),
        (gateway.app, "Budgets", Boundless),
        (gateway.app, "Admission", Unshed),
        (gateway.endpoints.graphql, "variables_too_large", lambda _variables: None),
        (OperationCost, "points", lambda _cost, _variables: 0),
    ),
    "signatures": ((gateway.app, "MessageSigning", Unsigned),),
}


def main() -> None:
    """Put the lesser parts in their places, and be the command `gateway`."""
    # The worker is this process: the app is made here.
    for where, name, lesser in PARTS[sys.argv.pop(1)]:
        assert hasattr(where, name), f"there is no {name} any more"
        setattr(where, name, lesser)
    app()


if __name__ == "__main__":
    main()
