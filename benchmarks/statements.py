"""What a hand-written endpoint asks PostgreSQL for each workload: one statement, the same for all such contenders.

asyncpg reads arrays of rows by itself. Node's pg would get them as text, so it is given JSON: `for_node` says the same
in its words.
"""

from typing import Final

_STATUS: Final = """CASE
        WHEN b.withdrawn_at IS NOT NULL THEN 'WITHDRAWN'
        WHEN EXISTS (SELECT 1 FROM contributions AS w WHERE w.bill_id = b.id AND w.standing) THEN 'PAID'
        WHEN b.pay_by < $2::date THEN 'EXPIRED'
        ELSE 'PAYABLE'
    END"""

_BILLS: Final = f"""
    SELECT {{row}}(
        b.bill_number, b.origin, b.insurance, lower(b.months), upper(b.months) - 1, b.amount, b.pay_by, {_STATUS}
    )
    FROM bills AS b
    WHERE b.payer_id = {{payer_id}} AND {_STATUS} = 'PAYABLE'
    ORDER BY b.id
    LIMIT $3::integer + 1
"""

#: January of the business year and of the next one, as months.
_YEAR: Final = "extract(YEAR FROM $2::date)::integer * 12"
_PERIODS: Final = f"""
    SELECT {{row}}(u.insurance, w.mode, lower(run), upper(run) - 1)
    FROM unpaid_months AS u
    CROSS JOIN (VALUES
        ('ARREARS', int4range(NULL, {_YEAR})), ('CURRENT_YEAR', int4range({_YEAR}, {_YEAR} + 12))
    ) AS w (mode, months)
    CROSS JOIN unnest(u.months * int4multirange(w.months)) AS run
    WHERE u.payer_id = {{payer_id}} AND u.insurance = 'PENSION'
    ORDER BY lower(run)
"""

#: $1 the index of number and name, $2 the business date, $3 how many bills.
_BILL_LIST: Final = f"""
    SELECT p.masked_name, p.masked_resident_id, {{list}}(ARRAY({_BILLS.replace("{payer_id}", "p.id")}))
    FROM payers AS p
    WHERE p.name_index = $1
"""
_PAYER: Final = f"""
    SELECT
        p.masked_name, p.masked_resident_id,
        {{list}}(ARRAY({_BILLS.replace("{payer_id}", "p.id")})),
        {{list}}(ARRAY({_PERIODS.replace("{payer_id}", "p.id")}))
    FROM payers AS p
    WHERE p.name_index = $1
"""
#: $1 institution, $2 client, $3 payer, $4 and $5 first and last month, $6 tier, $7 the year.
_QUOTE: Final = """
    INSERT INTO quotes AS q (
        institution_id, client_id, payer_id, insurance, pooling_area, months, rate, tier_code, tier_percent,
        tier_monthly_base, tier_monthly_amount, tier_note, amount, expires_at
    )
    SELECT
        $1::integer, $2::text, u.payer_id, u.insurance, u.pooling_area, r.run, s.rate, t.code, t.percent,
        t.monthly_base, t.monthly_amount, t.note, t.monthly_amount * month_count(r.run), now() + interval '30 minutes'
    FROM unpaid_months AS u
    CROSS JOIN (VALUES (int4range($4::integer, $5::integer + 1))) AS r (run)
    INNER JOIN schedules AS s ON u.insurance = s.insurance AND u.pooling_area = s.pooling_area AND s.year = $7::integer
    INNER JOIN schedule_tiers AS t ON s.id = t.schedule_id AND t.code = $6::text
    WHERE u.payer_id = $3::bigint AND u.insurance = 'PENSION' AND u.months @> r.run
    RETURNING q.tier_monthly_amount, q.amount
"""
#: $1 institution, $2 client, $3 bill, $4 amount, $5 bank reference, $6 collected at, $7 business date, $8 code.
_PAYMENT: Final = """
    SELECT o.outcome, (o.payment).amount, (o.payment).channel, (o.payment).business_date::text
    FROM submit_payment($1, $2, 'COUNTER', NULL, $3, $4, $5, $6, NULL, NULL, $7, $8) AS o
"""
#: What a resolver of a field asks by itself: $1 the payer, $2 the business date, $3 how many.
_NATURAL: Final = {
    "found": "SELECT p.id, p.masked_name, p.masked_resident_id FROM payers AS p WHERE p.name_index = $1",
    "billsOf": f"SELECT {{list}}(ARRAY({_BILLS.replace('{payer_id}', '$1')}))",
    "periodsOf": f"SELECT {{list}}(ARRAY({_PERIODS.replace('{payer_id}', '$1')}))",
}

_ALL: Final = {"payer": _PAYER, "bills": _BILL_LIST, "quote": _QUOTE, "payment": _PAYMENT}


def _worded(statement: str, *, row: str, list_: str) -> str:
    return statement.replace("{row}", row).replace("{list}", list_)


#: By workload, for asyncpg.
STATEMENTS: Final = {name: _worded(statement, row="ROW", list_="") for name, statement in _ALL.items()}


def for_node() -> dict[str, str]:
    """Return the same by name for node's pg, and those of natural resolvers."""
    return {
        name: _worded(statement, row="json_build_array", list_="to_json")
        for name, statement in (_ALL | _NATURAL).items()
    }
