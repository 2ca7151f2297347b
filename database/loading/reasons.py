"""Why a row of an agency's file is not taken over: stable codes, and what they mean in English."""

from typing import Final

# What a field has to look like. A refused field is named and described, never repeated: it may hold an
# identity number or a name.
_FIELDS: Final = {
    "bill_number": "1 to 64 printable characters with no space around them",
    "resident_id": "17 digits and a check character (X in upper case) that fits them, with a real birth date",
    "name": "1 to 50 characters, none of them a control or an invisible one",
    "insurance": "PENSION or MEDICAL",
    "pooling_area": "the six digits of a region",
    "first_month": "a month as YYYY-MM, years 1900 to 2999",
    "last_month": "a month as YYYY-MM, years 1900 to 2999",
    "amount": "digits with at most two decimals, above zero and below 10^12",
    "paid_on": "a day of the calendar as YYYY-MM-DD, years 1900 to 2999",
    "pay_by": "empty, or a day of the calendar as YYYY-MM-DD, years 1900 to 2999",
    "origin": "PAYER_ARREARS, AGENCY_COUNTER or MEDICAL_BATCH",
}

_REASONS: Final = {
    # Of one row as it stands in the file.
    "MALFORMED_RECORD": "no record by RFC 4180: check the quotes",
    "RECORD_TOO_LONG": "longer than a record can be: check the quotes",
    "WRONG_COLUMN_COUNT": "not as many columns as the header has",
    "NOT_UTF8": "not encoded in UTF-8",
    "INVALID_FIELD": "a field is not written as it must be",
    "MONTHS_REVERSED": "the last month lies before the first",
    # Of a row against the register, the ledger and the other rows.
    "UNKNOWN_POOLING_AREA": "no pooling area has this code",
    "NAME_DIFFERS": "the person has another name in the register, or two names in this file",
    "OVERLAPS_ENROLMENT": (
        "the enrolments of this person in this insurance overlap, in the file or with those there are"
    ),
    "UNKNOWN_PERSON": "no person in the register has this resident identity number",
    "MONTHS_ALREADY_PAID": "a month of it has been paid already",
    "OVERLAPS_ROW": "another row of the file states some of the same months of this person and insurance",
    # One reason for a number that is unknown and for a name that does not match: the answer must not tell
    # whoever holds a number alone that there is such a person.
    "PERSON_NOT_FOUND": "no person in the register has this resident identity number and this name",
    "NOT_ENROLLED": "the person is not enrolled in this insurance for all of the months",
    "ORIGIN_NOT_FOR_INSURANCE": "MEDICAL_BATCH is for MEDICAL only, PAYER_ARREARS for PENSION only",
    "BILL_NUMBER_USED": "the bill number stands for another bill, in the ledger or in the file",
    "BILL_NUMBER_RESERVED": "bill numbers that begin with ARREARS- are given by the gateway",
    "ARREARS_ALREADY_ASSESSED": "a bill of the same arrears stands already, in the ledger or in the file",
}

CODES: Final = frozenset(_REASONS)


def reason_text(code: str, field: str | None = None) -> str:
    """Return what a reason means, in one English phrase, without a value of the row.

    `field` is the column it is about, for INVALID_FIELD. Raises KeyError for a code or field of no file.
    """
    if code == "INVALID_FIELD" and field is not None:
        return f"{field} must be {_FIELDS[field]}"
    return _REASONS[code]
