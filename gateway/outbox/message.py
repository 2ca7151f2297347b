"""What a notification says: ids and facts that never change, the same at each try, and nothing that names a person."""

from typing import Any, Final

import asyncpg
import orjson

from contributions import money, months
from database.vault import Vault
from gateway.settings import SHANGHAI

#: One delivery ($1) that still waits: where it goes, and what its event was.
SELECT_MESSAGE: Final = """
    SELECT
        d.client_id, k.url, k.sealed_secret, k.data_key_id, k.registered_at, c.revoked_at IS NOT NULL AS revoked,
        e.message_id, e.sequence, e.institution_id, e.kind, e.occurred_at,
        e.payment_id, p.bank_reference, p.business_date, p.quote_id, p.bill_id AS paid_bill_id,
        r.number AS receipt_number,
        b.id AS bill_id, b.bill_number, b.origin, b.pay_by,
        coalesce(p.payer_id, b.payer_id) AS payer_id,
        coalesce(p.insurance, b.insurance) AS insurance,
        coalesce(p.pooling_area, b.pooling_area) AS pooling_area,
        lower(coalesce(p.months, b.months)) AS first_month,
        upper(coalesce(p.months, b.months)) - 1 AS last_month,
        coalesce(p.amount, b.amount) AS amount
    FROM deliveries AS d
    INNER JOIN callbacks AS k ON d.client_id = k.client_id
    INNER JOIN clients AS c ON d.client_id = c.id
    INNER JOIN events AS e ON d.event_id = e.id
    LEFT JOIN payments AS p ON e.payment_id = p.id
    LEFT JOIN receipts AS r ON p.id = r.payment_id
    LEFT JOIN bills AS b ON e.bill_id = b.id
    WHERE d.id = $1 AND d.delivered_at IS NULL AND d.failed_at IS NULL
"""


def message_of(row: asyncpg.Record, vault: Vault) -> bytes:
    """Return the JSON body: type, timestamp and data, as Standard Webhooks has it."""
    body = {
        "type": row["kind"].lower().replace("_", "."),
        "timestamp": row["occurred_at"].astimezone(SHANGHAI).isoformat(),
        "data": {
            "sequence": row["sequence"],
            **_of_payment(row, vault),
            **_of_bill(row, vault),
            "payerId": vault.opaque_id("Payer", row["payer_id"], row["institution_id"]),
            "insurance": row["insurance"],
            "poolingArea": row["pooling_area"],
            "firstMonth": months.text(row["first_month"]),
            "lastMonth": months.text(row["last_month"]),
            "amount": money.text(row["amount"]),
        },
    }
    return orjson.dumps(body)


def _of_payment(row: asyncpg.Record, vault: Vault) -> dict[str, Any]:
    if row["payment_id"] is None:
        return {}
    institution_id = row["institution_id"]
    kind, payable = ("Quote", row["quote_id"]) if row["paid_bill_id"] is None else ("AssessedBill", row["paid_bill_id"])
    return {
        "paymentId": vault.opaque_id("Payment", row["payment_id"], institution_id),
        "payableId": vault.opaque_id(kind, payable, institution_id),
        "bankReference": row["bank_reference"],
        "businessDate": row["business_date"].isoformat(),
        "receiptNumber": row["receipt_number"],
        "status": row["kind"].removeprefix("PAYMENT_"),
    }


def _of_bill(row: asyncpg.Record, vault: Vault) -> dict[str, Any]:
    if row["bill_id"] is None:
        return {}
    return {
        "billId": vault.opaque_id("AssessedBill", row["bill_id"], row["institution_id"]),
        "billNumber": row["bill_number"],
        "origin": row["origin"],
        "payBy": None if row["pay_by"] is None else row["pay_by"].isoformat(),
    }
