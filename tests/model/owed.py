"""The rules of months: which are paid, which can be paid in which mode, and what one costs."""

from tests.model.ledger import Answer, Facts, Payment, Person, run, span, tier_facts


class Owed:
    """What people owe. `schedules` are the published pension policies by year, as agencies write them."""

    def __init__(self, schedules: dict[int, Facts]) -> None:
        self.schedules = schedules
        self.payments: dict[tuple[str, str], Payment] = {}

    def paid(self, person: Person, insurance: str) -> set[str]:
        """Return the months that are paid, here or elsewhere."""
        months = set(person.paid_elsewhere.get(insurance, ()))
        for payment in self.payments.values():
            payable = payment.payable
            if (payable.person, payable.insurance, payment.standing) == (person, insurance, True):
                months.update(payable.months)
        return months

    def periods(self, person: Person, today: str, *modes: str) -> list[Facts]:
        """Return the payable periods of these modes (of both, when none is named), the earliest first.

        Medical is paid only by assessed bill: it has none.
        """
        year = today[:4]
        enrolled = person.enrolments.get("PENSION")
        if enrolled is None:
            return []
        first, last = enrolled
        found: list[tuple[str, list[str]]] = []
        before = None
        paid = self.paid(person, "PENSION")
        for month in run(first, min(last or f"{year}-12", f"{year}-12")):
            mode = "CURRENT_YEAR" if month[:4] == year else "ARREARS"
            if month in paid:
                before = None
                continue
            if before != mode:
                found.append((mode, []))
            found[-1][1].append(month)
            before = mode
        return [self._period(mode, months, int(year)) for mode, months in found if not modes or mode in modes]

    def _period(self, mode: str, months: list[str], year: int) -> Facts:
        current = mode == "CURRENT_YEAR"
        return {
            "insurance": "PENSION",
            "mode": mode,
            **span(months),
            "payBy": f"{year}-12-31" if current else None,
            "tiers": [tier_facts(t) for t in self.schedules[year]["tiers"]]
            if current and year in self.schedules
            else [],
        }

    def not_payable(self, person: Person, insurance: str, months: list[str], mode: str, today: str) -> Answer | None:
        """Return why the months are no run that can be priced in this mode."""
        periods = self.periods(person, today, mode) if insurance == "PENSION" else []
        told = [
            {name: period[name] for name in ("mode", "firstMonth", "lastMonth", "monthCount")} for period in periods
        ]
        if not any(p["firstMonth"] <= months[0] and months[-1] <= p["lastMonth"] for p in periods):
            return Answer("PeriodNotPayable", {"code": "PERIOD_NOT_PAYABLE", "payable": told})
        if any(int(month[:4]) not in self.schedules for month in months):
            return Answer("PeriodNotPayable", {"code": "SCHEDULE_MISSING", "payable": told})
        return None

    def line(self, month: str, tier_code: str | None = None) -> Facts:
        """Return the price of a month by the schedule of its own year, at its arrears tier when none is named."""
        schedule = self.schedules[int(month[:4])]
        code = tier_code or schedule["arrears_tier"]
        tier = next(t for t in schedule["tiers"] if t["code"] == code)
        amount, base = tier["monthly_amount"], tier["monthly_base"]
        return {"month": month, "monthlyBase": base, "rate": schedule["rate"], "amount": amount}
