"""Receipts: 电子缴费凭证, each of one payment through the caller's institution."""

import re

from contributions.problems import BadInput
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.pages import id_of, is_after, node_asked, page_column, page_size
from resolvers.reading import Column, Reading, Row, Shape, Statement, composed, institution_id, shape, shape_of
from resolvers.records import PoolingArea, Receipt

#: The business date and the payment's number.
_NUMBER = re.compile(r"[0-9]{18}")


@shape_of("Receipt")
def receipt_shape(reading: Reading, at: str, asked: Asked) -> Shape[Receipt]:
    """Read a receipt from the row of `payments` at this alias.

    The payment holds what was paid, `receipts` only what the voucher adds.
    """
    columns = (
        f"{at}.id",
        f"""(
            SELECT ROW(r.number, r.verification_code, r.issued_at)
            FROM receipts AS r WHERE r.payment_id = {at}.id
        )""",
        f"(SELECT ROW(y.masked_name, y.masked_resident_id) FROM payers AS y WHERE y.id = {at}.payer_id)",
        f"(SELECT ROW(a.code, a.name) FROM pooling_areas AS a WHERE a.code = {at}.pooling_area)",
        f"{at}.reversed_at IS NULL AND {at}.refunded_at IS NULL",
        f"{at}.insurance",
        f"lower({at}.months)",
        f"upper({at}.months) - 1",
        f"{at}.amount",
        f"{at}.bank_reference",
    )

    def read(row: Row, call: Call) -> Receipt:
        number, verification_code, issued_at = row[1]
        return Receipt(
            call.opaque_id,
            row[0],
            number=number,
            status="VALID" if row[4] else "VOID",
            masked_name=row[2][0],
            masked_resident_id=row[2][1],
            insurance=row[5],
            pooling_area=PoolingArea(*row[3]),
            first_month=row[6],
            last_month=row[7],
            amount=row[8],
            bank_reference=row[9],
            issued_at=issued_at,
            verification_code=verification_code,
        )

    return Shape(columns, read)


def receipts_of_payer(reading: Reading, payer_id: str, ask: Ask) -> Column:
    """Return a payer's receipts through the caller's institution, by the business year they were paid in."""
    size = page_size(ask.arguments.get("first"), f"{ask.name}.first")
    after = ask.arguments.get("after")
    at = reading.alias("p")
    conditions = [
        f"{at}.payer_id = {payer_id}",
        f"{at}.institution_id = {reading.of_call(institution_id, 'integer')}",
    ]
    if after is not None:
        conditions.append(is_after(reading, f"{at}.id", "Receipt", after, f"{ask.name}.after"))
    year = ask.arguments.get("year")
    if year is not None:
        if not 1900 <= year <= 2999:
            raise BadInput(f"{ask.name}.year", "must be 1900 to 2999")
        conditions.append(f"date_part('year', {at}.business_date) = {reading.fixed(year, 'integer')}")
    receipt = shape("Receipt", reading, at, node_asked(ask.asked_of("ReceiptConnection"), "ReceiptEdge", "Receipt"))
    source = f"FROM payments AS {at} WHERE {' AND '.join(conditions)} ORDER BY {at}.id"
    return page_column(reading, ask, receipt, source, size, id_of)


async def receipt(call: Call, number: str, asked: Asked) -> Receipt | None:
    """Return a receipt of the caller's institution by its number; None for any other."""
    if _NUMBER.fullmatch(number) is None:
        return None
    return await _receipt_of_number(asked).find(call, number)


@composed
def _receipt_of_number(asked: Asked) -> Statement[Receipt]:
    reading = Reading()
    found = shape("Receipt", reading, "p", asked)
    sql = f"""
        SELECT {", ".join(found.columns)}
        FROM receipts AS x
        INNER JOIN payments AS p ON x.payment_id = p.id
        WHERE
            x.number = {reading.given("text")}
            AND p.institution_id = {reading.of_call(institution_id, "integer")}
    """
    return reading.statement(sql, found.read)
