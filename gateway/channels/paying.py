"""The steps of a payment: find the person, choose, confirm, pay. Each step's state is in the next one's form.

The bank's reference is made once, when the confirmation is drawn: the same form sent twice, or a page that is
reloaded, is the same payment to the gateway, and paid once.
"""

import secrets
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.channels.people import people
from gateway.channels.screens import Missing, Screen, Visit, refused
from gateway.channels.texts import months_of
from gateway.channels.ways import WAYS, Way
from gateway.pages.forms import BadForm

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
#: Of a reference: what keeps two payments of a second apart, in 40 bits.
_RANDOM_BYTES: Final = 5


async def pay(visit: Visit) -> Screen:
    """Answer one step of a payment, the first one where no form was sent. Raises as Session.run does, and BadForm."""
    way = WAYS[visit.module]
    if not visit.sent:
        return Screen("person.html", {"people": people(), "step": "find"})
    match visit.fields.step("find", "choose", "quote", "assess", "bill", "pay"):
        case "find":
            return await _find(visit, way)
        case "choose":
            return await _choose(visit)
        case "quote":
            return await _confirm(visit, await _quote(visit))
        case "assess":
            return await _confirm(visit, await _assess(visit))
        case "bill":
            return await _confirm(visit, await _bill(visit))
    return await _submit(visit)


async def _find(visit: Visit, way: Way) -> Screen:
    person = {"residentId": visit.fields.need("resident_id").upper(), "name": visit.fields.need("name")}
    payer = (await visit.session.run("find_payer", **person, **way.variables()))["payer"]
    if payer is None:
        return Screen("person.html", {"people": people(), "step": "find", "unknown": True})
    return Screen("insurance.html", {"payer": payer}) if way.asks_insurance else _payable(payer, way)


async def _choose(visit: Visit) -> Screen:
    insurance = visit.fields.need("insurance")
    # Medical contributions are paid by assessed bill alone (the guide, section 三).
    way = Way(insurance, periods=insurance != "MEDICAL", bills=True)
    payer_id = visit.fields.need("payer_id")
    payer = (await visit.session.run("payer_by_id", payerId=payer_id, **way.variables()))["node"]
    if not payer:
        raise Missing
    return _payable(payer, way)


def _payable(payer: dict[str, Any], way: Way) -> Screen:
    periods = [
        {**period, "months": months_of(period["firstMonth"], period["monthCount"])}
        for period in payer.get("payablePeriods", ())
    ]
    # The guide's order: this year first.
    periods.sort(key=lambda period: period["mode"] != "CURRENT_YEAR")
    bills = [edge["node"] for edge in payer.get("assessedBills", {}).get("edges", ())]
    return Screen("payable.html", {"payer": payer, "periods": periods, "bills": bills, "way": way})


async def _quote(visit: Visit) -> dict[str, Any]:
    chosen = {**_run(visit), "tier": visit.fields.need("tier")}
    quote: dict[str, Any] = (await visit.session.run("request_quote", input=chosen))["requestQuote"]
    return quote


async def _assess(visit: Visit) -> dict[str, Any]:
    bill: dict[str, Any] = (await visit.session.run("request_assessment", input=_run(visit)))["requestAssessment"]
    return bill


def _run(visit: Visit) -> dict[str, str]:
    return {
        "payerId": visit.fields.need("payer_id"),
        "firstMonth": visit.fields.need("first_month"),
        "lastMonth": visit.fields.need("last_month"),
    }


async def _bill(visit: Visit) -> dict[str, Any]:
    bill: dict[str, Any] | None = (await visit.session.run("assessed_bill", billId=visit.fields.need("payable_id")))[
        "node"
    ]
    if not bill:
        raise Missing
    return bill


async def _confirm(visit: Visit, payable: dict[str, Any]) -> Screen:
    if "code" in payable:
        return refused(payable)
    answer = await visit.session.run("who", payerId=visit.fields.need("payer_id"))
    payer, today = answer["node"], answer["viewer"]["businessDate"]
    if not payer:
        raise Missing
    reference = f"{visit.channel.reference_prefix}-{today.replace('-', '')}-{secrets.token_hex(_RANDOM_BYTES).upper()}"
    # The sandbox's day is a pinned one, and the time of day is the real one.
    collected_at = f"{today}T{datetime.now(_SHANGHAI):%H:%M:%S}+08:00"
    return Screen(
        "confirm.html",
        {"payable": payable, "payer": payer, "bank_reference": reference, "collected_at": collected_at},
    )


async def _submit(visit: Visit) -> Screen:
    fields = visit.fields
    submission = {
        "payableId": fields.need("payable_id"),
        "amount": fields.need("amount"),
        "bankReference": fields.need("bank_reference"),
        "collectedAt": fields.need("collected_at"),
    }
    if visit.channel.has_teller:
        submission |= {"branch": fields.need("branch"), "teller": fields.need("teller")}
    elif "branch" in fields or "teller" in fields:
        raise BadForm
    accepted = (await visit.session.run("submit_payment", input=submission))["submitPayment"]
    if "code" in accepted:
        return refused(accepted)
    return Screen("receipt.html", {"payment": accepted["payment"], "replayed": accepted["replayed"]})
