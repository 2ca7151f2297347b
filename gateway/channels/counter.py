"""The counter's own work: the day's payments, a reversal (冲正), and the day's reconciliation (日终对账)."""

import secrets
from typing import Any

from gateway.channels import bank_list
from gateway.channels.bank_list import BadLine, Entry
from gateway.channels.screens import Screen, Visit, refused
from gateway.pages.forms import BadForm


async def day(visit: Visit) -> Screen:
    """Answer the day's payments, the question for a reversal's reason, or the reversal."""
    if not visit.sent:
        return await _payments(visit)
    reference = visit.fields.need("bank_reference")
    if visit.fields.step("ask", "reverse") == "ask":
        return Screen("reverse.html", {"bank_reference": reference})
    answer = await visit.session.run(
        "reverse_payment", input={"bankReference": reference, "reason": visit.fields.need("reason")}
    )
    reversed_ = answer["reversePayment"]
    if "code" in reversed_:
        return refused(reversed_)
    return Screen("reversed.html", {"payment": reversed_["payment"], "replayed": reversed_["replayed"]})


async def _payments(visit: Visit) -> Screen:
    today = await _today(visit)
    answer = await visit.session.run("payments_of_day", on=today, after=visit.fields.get("after") or None)
    page = answer["payments"]
    payments = [edge["node"] for edge in page["edges"]]
    after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
    return Screen("day.html", {"today": today, "payments": payments, "after": after})


async def settlement(visit: Visit) -> Screen:
    """Answer the day as it stands with the bank's list to send; the list with a planted mistake; or the comparison."""
    today = await _today(visit)
    if not visit.sent:
        state = (await visit.session.run("settlement_day", date=today))["settlementDay"]
        return _settlement(state, bank_list.written(await _entries(visit, today)))
    visit.fields.step("compare", "fetch", *bank_list.PLANTS)
    lines = visit.fields.get("lines", "")
    try:
        entries = bank_list.parse(lines)
    except BadLine as bad:
        state = (await visit.session.run("settlement_day", date=today))["settlementDay"]
        return _settlement(state, lines, bad_line=bad.number)
    match visit.fields.need("step"):
        case "compare":
            answer = await visit.session.run("reconcile_day", input={"date": today, "entries": entries})
            state = answer["reconcileDay"]
            if "code" in state:
                return refused(state)
            return _settlement(state, bank_list.written(entries), compared=True)
        case "fetch":
            entries = await _entries(visit, today)
            change = "fetch"
        case change:
            stranger = f"{visit.channel.reference_prefix}-{today.replace('-', '')}-{secrets.token_hex(5).upper()}"
            entries = bank_list.planted(entries, change, stranger)
    state = (await visit.session.run("settlement_day", date=today))["settlementDay"]
    return _settlement(state, bank_list.written(entries), changed=change)


def _settlement(
    state: dict[str, Any], lines: str, *, compared: bool = False, changed: str = "", bad_line: int | None = None
) -> Screen:
    differences = [edge["node"] for edge in state["differences"]["edges"]]
    return Screen(
        "settlement.html",
        {
            "state": state,
            "differences": differences,
            "more": state["differences"]["pageInfo"]["hasNextPage"],
            "lines": lines,
            "compared": compared,
            "changed": changed,
            "bad_line": bad_line,
        },
    )


async def _today(visit: Visit) -> str:
    today: str = (await visit.session.run("viewer"))["viewer"]["businessDate"]
    return today


async def _entries(visit: Visit, today: str) -> list[Entry]:
    """Return the day as a bank holds it that has made no mistake. Raises BadForm for a day that is too large for it."""
    entries: list[Entry] = []
    after: str | None = None
    while True:
        page = (await visit.session.run("payments_of_day", on=today, after=after))["payments"]
        entries += [bank_list.entry_of(edge["node"]) for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return entries
        if len(entries) >= bank_list.MAX_LINES:
            raise BadForm(413)
        after = page["pageInfo"]["endCursor"]
