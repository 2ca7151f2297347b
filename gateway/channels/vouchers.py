"""Receipts already there: a person's list at the channel's institution, and the voucher (电子缴费凭证) to download."""

from starlette.responses import Response

from gateway.channels.calls import Session
from gateway.channels.people import people
from gateway.channels.screens import Missing, Screen, Visit


async def receipts(visit: Visit) -> Screen:
    """Answer the form that asks for a person, or the person's receipts. Raises as Session.run does."""
    if not visit.sent:
        return Screen("person.html", {"people": people(), "step": "list"})
    visit.fields.step("list")
    person = {"residentId": visit.fields.need("resident_id").upper(), "name": visit.fields.need("name")}
    payer = (await visit.session.run("receipts", **person))["payer"]
    if payer is None:
        return Screen("person.html", {"people": people(), "step": "list", "unknown": True})
    return Screen("receipts.html", {"payer": payer, "receipts": [edge["node"] for edge in payer["receipts"]["edges"]]})


async def voucher(session: Session, number: str, method: str) -> Response:
    """Answer a voucher as the gateway gives it to the channel's client. Raises Missing, Unanswered."""
    page = await session.voucher(number, method)
    if page is None:
        raise Missing
    headers = {"content-disposition": f'attachment; filename="receipt-{number}.pdf"'}
    return Response(page, media_type="application/pdf", headers=headers)
