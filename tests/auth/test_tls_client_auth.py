"""tls_client_auth (RFC 8705, 2.1): the client whose certificate a trusted proxy names, and nobody else."""

import datetime
from typing import Any

import asyncpg
import pytest
from cryptography import x509

from auth import clients, methods, scopes
from auth.institutions import FieldError
from tests.auth.certificate_files import SUBJECT, escaped_pem, make_certificate, structured
from tests.auth.conftest import GRANT, Process, Start, is_refused

pytestmark = pytest.mark.anyio

HEADER = "X-Client-Certificate"
# What httpx's transport into the app names as the peer.
PROXY = "127.0.0.1"


async def register(pool: asyncpg.Pool, name_type: str, name: str) -> str:
    method = methods.by_certificate(name_type, name)
    return await clients.register_strong(pool, "ICBC", None, scopes.RETAIL, method, client_id="icbc-tls")


async def ask(process: Process, certificate: x509.Certificate | None, **form: str) -> Any:
    headers = {HEADER: escaped_pem(certificate)} if certificate else {}
    return await process.http.post("/oauth/token", data=GRANT | {"client_id": "icbc-tls"} | form, headers=headers)


@pytest.mark.parametrize(
    ("name_type", "name"),
    [
        (methods.SUBJECT_DN, SUBJECT),
        (methods.SUBJECT_DN, "CN=api.icbc.example,O=ICBC\\2c Nanchang,C=CN"),
        (methods.SAN_DNS, "API.icbc.example"),
        (methods.SAN_URI, "urn:bank:icbc"),
    ],
)
async def test_a_client_is_known_by_what_its_certificate_names(
    start: Start, banks: None, pool: asyncpg.Pool, name_type: str, name: str
) -> None:
    process = await start(proxies=PROXY)
    await register(pool, name_type, name)
    right = make_certificate(dns="api.icbc.example", uri="urn:bank:icbc")
    assert (await ask(process, right)).status_code == 200
    wrong = [
        make_certificate("CN=api.icbc.example,O=Another,C=CN", dns="api.abc.example", uri="urn:bank:abc"),
        make_certificate("C=CN,O=ICBC\\, Nanchang,CN=api.icbc.example", dns="evil.api.icbc.example"),
        make_certificate(dns="api.icbc.example", uri="urn:bank:icbc", ends=datetime.timedelta(hours=-1)),
        None,
    ]
    texts = set()
    for certificate in wrong:
        answer = await ask(process, certificate)
        is_refused(answer, 401, "invalid_client")
        texts.add(answer.text)
    assert len(texts) == 1


async def test_a_header_from_anybody_else_is_worth_nothing(start: Start, banks: None, pool: asyncpg.Pool) -> None:
    await register(pool, methods.SUBJECT_DN, SUBJECT)
    for proxies in (None, "10.0.0.0/8"):
        process = await start(proxies=proxies)
        headers = {HEADER: structured(make_certificate()), "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1"}
        answer = await process.http.post("/oauth/token", data=GRANT | {"client_id": "icbc-tls"}, headers=headers)
        is_refused(answer, 401, "invalid_client")


async def test_a_certificate_opens_nothing_for_a_client_of_another_method(start: Start, icbc: tuple[str, str]) -> None:
    process = await start(proxies=PROXY)
    is_refused(await ask(process, make_certificate(), client_id=icbc[0]), 401, "invalid_client")
    is_refused(await ask(process, make_certificate(), client_id="nobody"), 401, "invalid_client")


async def test_a_client_with_a_secret_may_have_a_certificate_too(start: Start, icbc: tuple[str, str]) -> None:
    process = await start(proxies=PROXY)
    headers = {HEADER: structured(make_certificate())}
    answer = await process.http.post("/oauth/token", data=GRANT, auth=icbc, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name_type", "name", "field"),
    [
        (methods.SUBJECT_DN, "ICBC", "subject-dn"),
        (methods.SUBJECT_DN, "", "subject-dn"),
        (methods.SUBJECT_DN, "CN=" + "x" * 2000, "subject-dn"),
        (methods.SAN_DNS, "*.icbc.example", "san-dns"),
        (methods.SAN_DNS, "icbc", "san-dns"),
        (methods.SAN_URI, "no uri", "san-uri"),
    ],
)
def test_a_name_that_no_certificate_could_have_is_refused(name_type: str, name: str, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        methods.by_certificate(name_type, name)
    assert refused.value.field == field
