"""A voucher to draw."""

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any

from contributions.records import Line
from resolvers.vouchers import Voucher

PUBLIC_URL = "https://gateway.example"
ISSUED_AT = datetime.datetime(2020, 11, 16, 1, 30, tzinfo=datetime.UTC)
VOIDED_AT = datetime.datetime(2020, 11, 16, 3, 0, tzinfo=datetime.UTC)
FIRST = 2020 * 12 + 3


def a_voucher(**changes: Any) -> Voucher:
    line = Line(FIRST, Decimal("3024.00"), Decimal("0.2000"), Decimal("605.00"))
    voucher = Voucher(
        voided_at=None,
        masked_name="**兰",
        masked_resident_id="369***********0010",
        insurance="PENSION",
        pooling_area="江西省",
        first_month=FIRST,
        last_month=FIRST + 8,
        amount=Decimal("5445.00"),
        institution_name="中国工商银行",
        issued_at=ISSUED_AT,
        number="202011160000000001",
        verification_code="0123456789AB",
        bank_reference="ICBC-1",
        lines=tuple(replace(line, month=FIRST + month) for month in range(9)),
        prints=1,
    )
    return replace(voucher, **changes)
