"""Whatever operation the schema allows, and some that it does not: no 5xx, no fault, no person, and still running.

FUZZ_OPERATIONS (100) is how many; `make fuzz` sends thousands, others each time.
"""

import os
from collections import Counter

from hypothesis import HealthCheck, given, settings

from tests.acceptance.gateway import Server
from tests.acceptance.people import CHEN, OUYANG, SANDBOX, WANG
from tests.fuzz.operations import operations

DEFAULT_OPERATIONS = 100
OPERATIONS = int(os.environ.get("FUZZ_OPERATIONS") or DEFAULT_OPERATIONS)
FIND = "query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) { id } }"
#: Whole, each would be a leak: nothing of them may come back, whoever sent it.
PERSONS = [value for person in SANDBOX for value in (person.resident_id, person.name)]


def test_no_operation_makes_the_gateway_fail_or_tell(server: Server) -> None:
    # Between them they hold every scope.
    counter, agency = server.client("tax-window"), server.client("social-insurance-agency")
    ids = [counter.run(FIND, **person.variables)["payer"]["id"] for person in (CHEN, WANG, OUYANG)]
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=OPERATIONS,
        deadline=None,
        database=None,
        derandomize=OPERATIONS == DEFAULT_OPERATIONS,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation=operations(ids))
    def throw(operation: str) -> None:
        response = counter.post(operation)
        if response.status_code == 403:
            response = agency.post(operation)
        assert response.status_code in (200, 400, 403), response.text
        text = response.text
        assert "INTERNAL_SERVER_ERROR" not in text
        for value in PERSONS:
            assert value not in text
        answer = response.json()
        kind = "answered" if answer.get("data") else "refused"
        outcomes[answer["errors"][0].get("extensions", {}).get("code", "403") if "errors" in answer else kind] += 1

    throw()
    print(dict(outcomes))
    assert server.process.poll() is None
    assert server.http.get("/readyz").status_code == 200
    log = server.log.read_text(encoding="utf-8")
    assert '"fault"' not in log
    for value in PERSONS:
        assert value not in log
    assert outcomes.total() >= OPERATIONS * 0.9
    assert outcomes["answered"] > 0
