"""Receipts: 电子缴费凭证, each of one payment through the caller's institution."""

import re

from contributions.problems import BadInput
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.pages import node_asked, page_reader, page_size, row_after
from resolvers.reading import Column, Reading, Row, Shape, shape, shape_of
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

    def read(row: Row) -> Receipt:
        number, verification_code, issued_at = row[1]
        return Receipt(
            id=reading.call.opaque_id("Receipt", row[0]),
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
        f"{at}.institution_id = {reading.bind(reading.call.caller.institution_id, 'integer')}",
    ]
    if after is not None:
        after_id = row_after(reading.call, "Receipt", after, f"{ask.name}.after")
        conditions.append(f"{at}.id > {reading.bind(after_id, 'bigint')}")
    year = ask.arguments.get("year")
    if year is not None:
        if not 1900 <= year <= 2999:
            raise BadInput(f"{ask.name}.year", "must be 1900 to 2999")
        conditions.append(f"date_part('year', {at}.business_date) = {reading.bind(year, 'integer')}")
    receipt = shape("Receipt", reading, at, node_asked(ask.asked_of("ReceiptConnection"), "ReceiptEdge", "Receipt"))
    sql = f"""ARRAY(
        SELECT {receipt.row} FROM payments AS {at}
        WHERE {" AND ".join(conditions)}
        ORDER BY {at}.id
        LIMIT {reading.bind(size + 1, "integer")}
    )"""
    return Column(ask.key, sql, page_reader(receipt, size, lambda node: str(node.id), after=after))


async def receipt(call: Call, number: str, asked: Asked) -> Receipt | None:
    """Return a receipt of the caller's institution by its number; None for any other."""
    if _NUMBER.fullmatch(number) is None:
        return None
    reading = Reading(call)
    found = shape("Receipt", reading, "p", asked)
    row = await reading.fetch_row(
        f"""
        SELECT {", ".join(found.columns)}
        FROM receipts AS x
        INNER JOIN payments AS p ON x.payment_id = p.id
        WHERE
            x.number = {reading.bind(number, "text")}
            AND p.institution_id = {reading.bind(call.caller.institution_id, "integer")}
        """
    )
    return None if row is None else found.read(row)
