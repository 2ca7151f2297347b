"""The files that agencies send, and how they get into the register and the ledger.

A file is read once as a stream, copied row by row to a staging table, judged and taken over set by set, all in
one transaction: a million rows need no more memory than ten thousand.
"""

from database.loading.assessing import (
    BillRejection,
    BillRow,
    check_bills,
    stage_bills,
    take_over_bills,
)
from database.loading.bills import load_bills
from database.loading.contributions import load_contributions
from database.loading.enrolments import load_enrolments
from database.loading.policies import load_policy
from database.loading.reasons import reason_text
from database.loading.report import FileRefused, LedgerChanged, LoadReport, Rejection

__all__ = [
    "BillRejection",
    "BillRow",
    "FileRefused",
    "LedgerChanged",
    "LoadReport",
    "Rejection",
    "check_bills",
    "load_bills",
    "load_contributions",
    "load_enrolments",
    "load_policy",
    "reason_text",
    "stage_bills",
    "take_over_bills",
]
