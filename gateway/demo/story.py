"""What the demo plays: who pays, which months, at which tier, and what the ledger says of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.demo.client import BankClient
from gateway.settings import SANDBOX_BUSINESS_DATE

TODAY = SANDBOX_BUSINESS_DATE.isoformat()

CHEN = {"residentId": "369999198503120010", "name": "陈晓兰"}
LIU = {"residentId": "369999197809250024", "name": "刘建国"}
WANG = {"residentId": "369999199001010035", "name": "王芳"}
OUYANG = {"residentId": "36999919660630004X", "name": "欧阳明"}
ZHAO = {"residentId": "369999198811240073", "name": "赵强"}

#: The guide's ten tiers of 2020, yuan a month.
TIERS_2020 = [
    "568.00",
    "605.00",
    "706.00",
    "806.00",
    "907.00",
    "1008.00",
    "1512.00",
    "2016.00",
    "2520.00",
    "3024.00",
]


class NotAsTheRulesSay(Exception):
    """The gateway answered something else than the rules have."""


def expect(what: str, actual: object, expected: object) -> None:
    """Raise NotAsTheRulesSay unless the two are equal."""
    if actual != expected:
        raise NotAsTheRulesSay(f"{what}: expected {expected}, got {actual}")


def tell(base_url: str, console: Console) -> None:
    """Play the story against the server at this URL. Raises NotAsTheRulesSay or CallFailed."""
    with _clients(base_url) as clients:
        _Story(console, clients).play()


@contextmanager
def _clients(base_url: str) -> Iterator[dict[str, BankClient]]:
    ids = ("icbc-mobile", "abc-counter", "tax-wechat", "ganfutong")
    clients: dict[str, BankClient] = {}
    try:
        for client_id in ids:
            clients[client_id] = BankClient(base_url, client_id, "sandbox")
        yield clients
    finally:
        for client in clients.values():
            client.close()


class _Story:
    def __init__(self, console: Console, clients: dict[str, BankClient]) -> None:
        self._console = console
        self._clients = clients

    def play(self) -> None:
        self._console.print(f"[bold]The business date is {TODAY}. Four people pay, four ways.[/]")
        months_paid = self._current_year()
        self._same_months_elsewhere(months_paid)
        self._arrears()
        self._agency_assessed()
        self._medical()
        self._reversal()
        self._settlement()
        self._console.print("\n[bold green]Everything was as the rules have it.[/]")

    # 1 ---------------------------------------------------------------------------------------------------

    def _current_year(self) -> dict[str, Any]:
        bank = self._scene(1, "本年自主缴费: 陈晓兰 in her bank's app", "icbc-mobile")
        payer = self._look_up(bank, CHEN)
        expect("masked name", payer["maskedName"], "**兰")
        expect("masked number", payer["maskedResidentId"], "369***********0010")
        (period,) = payer["payablePeriods"]
        expect("period", (period["firstMonth"], period["lastMonth"]), ("2020-04", "2020-12"))
        expect("tiers", [tier["monthlyAmount"] for tier in period["tiers"]], TIERS_2020)
        self._print_tiers(period["tiers"])
        quote = bank.call(
            "request_quote",
            input={"payerId": payer["id"], "firstMonth": "2020-04", "lastMonth": "2020-12", "tier": "60"},
        )
        expect("quote", quote.get("amount"), "5445.00")
        self._say(
            f"April to December at 60%: {quote['monthCount']} × {quote['tier']['monthlyAmount']} "
            f"= {quote['amount']} yuan"
        )
        receipt = self._pay(bank, quote, "ICBC-20201116-0001")
        expect("in words", receipt["amountInWords"], "伍仟肆佰肆拾伍元整")
        self._say("The answer got lost on its way; the bank sends the same payment again:")
        again = bank.call("submit_payment", input=_submission(quote, "ICBC-20201116-0001"))
        expect("replayed", again.get("replayed"), True)
        expect("the same receipt", again["payment"]["receipt"]["number"], receipt["number"])
        self._say(f"→ replayed, the same receipt {receipt['number']}: taken once")
        return payer

    def _same_months_elsewhere(self, _payer: dict[str, Any]) -> None:
        bank = self._clients["abc-counter"]
        payer = bank.call("find_payer", **CHEN)
        expect("nothing more to pay", payer["payablePeriods"], [])
        self._say("Another bank looks 陈晓兰 up now: nothing is payable any more")

    # 2 ---------------------------------------------------------------------------------------------------

    def _arrears(self) -> None:
        wechat = self._scene(2, "往年核定: 刘建国 in the tax bureau's WeChat account", "tax-wechat")
        payer = self._look_up(wechat, LIU)
        gaps = [p for p in payer["payablePeriods"] if p["mode"] == "ARREARS"]
        expect(
            "gaps",
            [(p["firstMonth"], p["lastMonth"]) for p in gaps],
            [("2018-03", "2018-03"), ("2019-07", "2019-10")],
        )
        bill = wechat.call(
            "request_assessment",
            input={"payerId": payer["id"], "firstMonth": "2019-07", "lastMonth": "2019-10"},
        )
        expect("months assessed", bill.get("monthCount"), 4)
        for line in bill["lines"]:
            self._say(f"{line['month']}  base {line['monthlyBase']} × {line['rate']} = {line['amount']}")
        self._pay(wechat, bill, "TAX-20201116-0001")

    # 3 ---------------------------------------------------------------------------------------------------

    def _agency_assessed(self) -> None:
        counter = self._scene(3, "社保核定: 王芳 at the bank's counter", "abc-counter")
        bill = self._bill(self._look_up(counter, WANG), "AGENCY_COUNTER")
        self._pay(counter, bill, "ABC-20201116-0001", branch="赣州分行营业部", teller="0731")

    # 4 ---------------------------------------------------------------------------------------------------

    def _medical(self) -> None:
        mini_program = self._scene(4, "医保批量核定: 欧阳明 in 赣服通", "ganfutong")
        bill = self._bill(self._look_up(mini_program, OUYANG), "MEDICAL_BATCH")
        expect("a whole year", (bill["firstMonth"], bill["lastMonth"]), ("2021-01", "2021-12"))
        self._pay(mini_program, bill, "TAX-20201116-0002")

    # 5 ---------------------------------------------------------------------------------------------------

    def _reversal(self) -> None:
        counter = self._scene(5, "冲正: 赵强 pays at the counter and changes his mind", "abc-counter")
        payer = self._look_up(counter, ZHAO)
        run = {"firstMonth": "2020-06", "lastMonth": "2020-08"}
        quote = counter.call("request_quote", input={"payerId": payer["id"], "tier": "100", **run})
        receipt = self._pay(counter, quote, "ABC-20201116-0002")
        reversed_ = counter.call(
            "reverse_payment",
            input={"bankReference": "ABC-20201116-0002", "reason": "payer chose another tier"},
        )
        expect("status", reversed_["payment"]["status"], "REVERSED")
        expect("receipt", reversed_["payment"]["receipt"]["status"], "VOID")
        self._say(f"reversed on its own day: receipt {receipt['number']} is void (作废)")
        (period,) = counter.call("find_payer", **ZHAO)["payablePeriods"]
        expect("payable again", (period["firstMonth"], period["lastMonth"]), ("2020-06", "2020-12"))
        self._say(f"{period['firstMonth']} to {period['lastMonth']} can be paid again")

    # 6 ---------------------------------------------------------------------------------------------------

    def _settlement(self) -> None:
        counter = self._scene(6, "日终对账: ABC compares the day with the ledger", "abc-counter")
        page = counter.call("payments_of_day", on=TODAY)
        entries = [
            {
                "bankReference": edge["node"]["bankReference"],
                "amount": edge["node"]["amount"],
                "reversed": edge["node"]["status"] == "REVERSED",
            }
            for edge in page["edges"]
        ]
        expect("ABC's payments", len(entries), 2)
        planted = [*entries[:-1], {"bankReference": "ABC-20201116-9999", "amount": "100.00"}]
        day = counter.call("reconcile_day", input={"date": TODAY, "entries": planted})
        expect("status", day["status"], "DIFFERENT")
        differences = {e["node"]["bankReference"]: e["node"]["kind"] for e in day["differences"]["edges"]}
        expect(
            "differences",
            differences,
            {"ABC-20201116-0002": "MISSING_AT_BANK", "ABC-20201116-9999": "MISSING_AT_GATEWAY"},
        )
        for reference, kind in differences.items():
            self._say(f"{reference}: {kind}")
        day = counter.call("reconcile_day", input={"date": TODAY, "entries": entries})
        expect("status", day["status"], "RECONCILED")
        expect("accepted", day["accepted"]["count"], 2)
        expect("reversed", day["reversed"]["count"], 1)
        expect("net", day["net"]["count"], 1)
        self._say(
            f"With the right list the day is {day['status']}: {day['accepted']['count']} accepted "
            f"({day['accepted']['amount']}), {day['reversed']['count']} reversed ({day['reversed']['amount']}), "
            f"net {day['net']['amount']} yuan"
        )

    # Telling --------------------------------------------------------------------------------------------

    def _scene(self, number: int, title: str, client_id: str) -> BankClient:
        self._console.print(f"\n[bold cyan]{number}. {escape(title)}[/]  [dim]client {client_id}[/]")
        return self._clients[client_id]

    def _say(self, line: str) -> None:
        self._console.print(f"   {escape(line)}")

    def _look_up(self, bank: BankClient, person: dict[str, str]) -> dict[str, Any]:
        payer: dict[str, Any] | None = bank.call("find_payer", **person)
        if payer is None:
            raise NotAsTheRulesSay("a person of the sandbox was not found")
        self._say(f"found {payer['maskedName']} {payer['maskedResidentId']}")
        for period in payer["payablePeriods"]:
            self._say(
                f"payable: {period['insurance']} {period['firstMonth']} to {period['lastMonth']} "
                f"({period['mode']}, {period['monthCount']} months)"
            )
        for edge in payer["assessedBills"]["edges"]:
            bill = edge["node"]
            self._say(
                f"assessed: {bill['insurance']} {bill['firstMonth']} to {bill['lastMonth']}, "
                f"{bill['amount']} yuan, bill {bill['billNumber']} ({bill['origin']})"
            )
        return payer

    def _bill(self, payer: dict[str, Any], origin: str) -> dict[str, Any]:
        bills: list[dict[str, Any]] = [
            edge["node"] for edge in payer["assessedBills"]["edges"] if edge["node"]["origin"] == origin
        ]
        expect(f"bills of origin {origin}", len(bills), 1)
        return bills[0]

    def _print_tiers(self, tiers: list[dict[str, Any]]) -> None:
        table = Table("tier", "monthly base", "monthly amount", "note", box=None, padding=(0, 2, 0, 3))
        for tier in tiers:
            table.add_row(tier["code"], tier["monthlyBase"], tier["monthlyAmount"], tier["note"] or "")
        self._console.print(table)

    def _pay(self, bank: BankClient, payable: dict[str, Any], reference: str, **place: str) -> dict[str, Any]:
        answer = bank.call("submit_payment", input=_submission(payable, reference) | place)
        if "payment" not in answer:
            raise NotAsTheRulesSay(f"payment {reference} was refused: {answer['code']}")
        payment = answer["payment"]
        receipt: dict[str, Any] = payment["receipt"]
        expect("amount", payment["amount"], payable["amount"])
        expect("receipt", receipt["status"], "VALID")
        self._say(f"paid {payment['amount']} yuan under {reference}: {payment['status']}")
        self._say(
            f"receipt {receipt['number']}, {receipt['amountInWords']}, verification code {receipt['verificationCode']}"
        )
        return receipt


def _submission(payable: dict[str, Any], reference: str) -> dict[str, Any]:
    return {
        "payableId": payable["id"],
        "amount": payable["amount"],
        "bankReference": reference,
        "collectedAt": f"{TODAY}T09:30:00+08:00",
    }
