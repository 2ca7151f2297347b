"""The GraphQL documents of a bank's and an agency's client, and the short calls that tests make with them."""

from typing import Any

from tests.acceptance.gateway import Client
from tests.acceptance.people import Person

COLLECTED_AT = "2020-11-16T09:30:00+08:00"

PROBLEM = "... on Problem { code message nextAction }"
LINES = "lines { month monthlyBase rate amount }"
QUOTE = f"""
  id insurance firstMonth lastMonth monthCount amount tier {{ code percent monthlyBase monthlyAmount note }}
  {LINES} status expiresAt
"""
BILL = f"""
  id billNumber origin insurance poolingArea {{ code name }} firstMonth lastMonth monthCount amount {LINES}
  assessedAt payBy status
"""
RECEIPT = """
  id number status maskedName maskedResidentId insurance poolingArea { code name } firstMonth lastMonth amount
  amountInWords institution { code name } bankReference issuedAt verificationCode pdfUrl
"""
PAYMENT = f"""
  id bankReference amount status channel businessDate collectedAt acceptedAt postedAt reversedAt
  payable {{ __typename id insurance firstMonth lastMonth monthCount amount }}
  receipt {{ {RECEIPT} }}
"""
PERIOD = "insurance mode firstMonth lastMonth monthCount payBy tiers { code percent monthlyBase monthlyAmount note }"

PAYER = """query ($residentId: ResidentId!, $name: String!) {
  payer(residentId: $residentId, name: $name) {
    id maskedName maskedResidentId enrolments { insurance poolingArea { code name } firstMonth lastMonth }
  }
}"""
PERIODS = f"""query ($residentId: ResidentId!, $name: String!, $insurance: Insurance, $mode: PeriodMode) {{
  payer(residentId: $residentId, name: $name) {{ payablePeriods(insurance: $insurance, mode: $mode) {{ {PERIOD} }} }}
}}"""
BILLS = f"""query ($residentId: ResidentId!, $name: String!, $insurance: Insurance, $status: BillStatus,
    $first: Int, $after: String) {{
  payer(residentId: $residentId, name: $name) {{
    assessedBills(insurance: $insurance, status: $status, first: $first, after: $after) {{
      edges {{ cursor node {{ {BILL} }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    }}
  }}
}}"""
REQUEST_QUOTE = f"""mutation ($input: RequestQuoteInput!) {{ requestQuote(input: $input) {{
  __typename {PROBLEM} ... on Quote {{ {QUOTE} }}
  ... on PeriodNotPayable {{ payable {{ {PERIOD} }} }}
  ... on TierNotOffered {{ offered {{ code monthlyAmount }} }}
}} }}"""
REQUEST_ASSESSMENT = f"""mutation ($input: RequestAssessmentInput!) {{ requestAssessment(input: $input) {{
  __typename {PROBLEM} ... on AssessedBill {{ {BILL} }}
  ... on PeriodNotPayable {{ payable {{ insurance mode firstMonth lastMonth monthCount }} }}
}} }}"""
SUBMIT_PAYMENT = f"""mutation ($input: SubmitPaymentInput!) {{ submitPayment(input: $input) {{
  __typename {PROBLEM} ... on PaymentAccepted {{ replayed payment {{ {PAYMENT} }} }}
  ... on QuoteExpired {{ expiredAt }} ... on BillNotPayable {{ status }} ... on MonthsAlreadyPaid {{ months }}
  ... on AmountMismatch {{ expected }}
}} }}"""
REVERSE_PAYMENT = f"""mutation ($input: ReversePaymentInput!) {{ reversePayment(input: $input) {{
  __typename {PROBLEM} ... on PaymentReversed {{ replayed payment {{ {PAYMENT} }} }}
  ... on PaymentNotReversible {{ status }}
}} }}"""
ASSESS_BILLS = f"""mutation ($input: AssessBillsInput!) {{ assessBills(input: $input) {{
  __typename {PROBLEM} ... on BillsAssessed {{ batch replayed bills {{ {BILL} }} }}
  ... on BillsRejected {{ rejections {{ index billNumber reason }} }}
}} }}"""
WITHDRAW_BILL = f"""mutation ($input: WithdrawBillInput!) {{ withdrawBill(input: $input) {{
  __typename {PROBLEM} ... on AssessedBill {{ {BILL} }} ... on BillNotPayable {{ notPayable: status }}
}} }}"""
PAYMENT_OF = f"query ($bankReference: String!) {{ payment(bankReference: $bankReference) {{ {PAYMENT} }} }}"
RECEIPT_OF = f"query ($number: String!) {{ receipt(number: $number) {{ {RECEIPT} }} }}"
NODE = f"""query ($id: ID!) {{ node(id: $id) {{
  __typename id ... on Quote {{ {QUOTE} payment {{ bankReference }} }} ... on Payer {{ maskedName }}
  ... on AssessedBill {{ {BILL.replace("status", "billStatus: status")} payment {{ bankReference }} }}
  ... on Payment {{ bankReference paymentStatus: status }} ... on Receipt {{ number receiptStatus: status }}
}} }}"""
REFUND = """
  id status reason requestedAt decidedAt decisionReason institution { code name } bankReference receiptNumber insurance
  poolingArea { code name } firstMonth lastMonth amount maskedName maskedResidentId businessDate
"""
REQUEST_REFUND = f"""mutation ($input: RequestRefundInput!) {{ requestRefund(input: $input) {{
  __typename {PROBLEM}
  ... on RefundRequested {{ replayed refund {{ {REFUND} }}
    payment {{ id status bankReference refund {{ id status }} receipt {{ status }} }} }}
  ... on PaymentNotRefundable {{ status }}
}} }}"""
DECIDE_REFUND = f"""mutation ($input: DecideRefundInput!) {{ decideRefund(input: $input) {{
  __typename {PROBLEM} ... on RefundDecided {{ replayed refund {{ {REFUND} }} }} ... on RefundNotDecidable {{ status }}
}} }}"""
REFUNDS = f"""query ($status: RefundStatus, $first: Int, $after: String) {{
  refunds(status: $status, first: $first, after: $after) {{
    edges {{ cursor node {{ {REFUND} }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
  }}
}}"""

Answer = dict[str, Any]


def payer_id(client: Client, person: Person) -> str:
    """Name the person to the client's institution."""
    identity: str = client.run(PAYER, **person.variables)["payer"]["id"]
    return identity


def periods(client: Client, person: Person, **filters: str) -> list[Answer]:
    found: list[Answer] = client.run(PERIODS, **person.variables, **filters)["payer"]["payablePeriods"]
    return found


def runs(client: Client, person: Person, **filters: str) -> list[tuple[str, str, str]]:
    """Return mode, first and last month of every payable period."""
    return [(p["mode"], p["firstMonth"], p["lastMonth"]) for p in periods(client, person, **filters)]


def bills(client: Client, person: Person, **filters: Any) -> list[Answer]:
    found = client.run(BILLS, **person.variables, **filters)["payer"]["assessedBills"]
    return [edge["node"] for edge in found["edges"]]


def quote(client: Client, person: Person, first: str, last: str, tier: str = "60", **more: str) -> Answer:
    run = {"payerId": payer_id(client, person), "firstMonth": first, "lastMonth": last, "tier": tier, **more}
    answer: Answer = client.run(REQUEST_QUOTE, input=run)["requestQuote"]
    return answer


def assess(client: Client, person: Person, first: str, last: str, **more: str) -> Answer:
    run = {"payerId": payer_id(client, person), "firstMonth": first, "lastMonth": last, **more}
    answer: Answer = client.run(REQUEST_ASSESSMENT, input=run)["requestAssessment"]
    return answer


def submission(payable: Answer, reference: str) -> Answer:
    """Return the input of the payment of a quote or bill under a reference."""
    return {
        "payableId": payable["id"],
        "amount": payable["amount"],
        "bankReference": reference,
        "collectedAt": COLLECTED_AT,
    }


def submit(client: Client, payable: Answer, reference: str, **changes: str) -> Answer:
    """Submit a payment, with what a test changes about it."""
    payment = submission(payable, reference) | changes
    answer: Answer = client.run(SUBMIT_PAYMENT, input=payment)["submitPayment"]
    return answer


def pay(client: Client, payable: Answer, reference: str) -> Answer:
    """Submit a payment that must be accepted, and return it."""
    answer = submit(client, payable, reference)
    assert answer["__typename"] == "PaymentAccepted", answer
    payment: Answer = answer["payment"]
    return payment


def payment_of(client: Client, reference: str) -> Answer | None:
    """Return the institution's own payment of that reference."""
    found: Answer | None = client.run(PAYMENT_OF, bankReference=reference)["payment"]
    return found


def reverse(client: Client, reference: str) -> Answer:
    reversal = {"bankReference": reference, "reason": "付错了"}
    answer: Answer = client.run(REVERSE_PAYMENT, input=reversal)["reversePayment"]
    return answer


def node(client: Client, identity: str) -> Answer | None:
    found: Answer | None = client.run(NODE, id=identity)["node"]
    return found


def billed(person: Person, number: str, first: str, last: str, amount: str, **more: str) -> Answer:
    """Return a pension bill as an agency sends it."""
    return {
        "billNumber": number,
        **person.variables,
        "insurance": "PENSION",
        "poolingArea": "360000",
        "firstMonth": first,
        "lastMonth": last,
        "amount": amount,
        **more,
    }


def assess_bills(client: Client, batch: str, *sent: Answer) -> Answer:
    answer: Answer = client.run(ASSESS_BILLS, input={"batch": batch, "bills": list(sent)})["assessBills"]
    return answer


def withdraw(client: Client, number: str) -> Answer:
    withdrawal = {"billNumber": number, "reason": "误核定"}
    answer: Answer = client.run(WITHDRAW_BILL, input=withdrawal)["withdrawBill"]
    return answer


def agency_bill(client: Client, number: str, person: Person, first: str, last: str, amount: str) -> Answer:
    """Have the agency assess one pension bill that must be taken."""
    answer = assess_bills(client, f"BATCH-{number}", billed(person, number, first, last, amount))
    assert answer["__typename"] == "BillsAssessed", answer
    bill: Answer = answer["bills"][0]
    return bill
