"""Where a notification may be sent, and where never."""

from ipaddress import ip_address

import pytest

from contributions import addresses

PUBLIC = [
    "https://bank.example.cn/callback",
    "https://bank.example.cn",
    "https://bank.example.cn:443/",
    "https://bank.example.cn:8443/a/b?c=d%20e",
    "https://xn--fiq228c.example",
    "https://8.8.8.8/",
    "https://[2400:3200::1]:1024/x",
]
REFUSED = [
    "http://bank.example.cn/",
    "ftp://bank.example.cn/",
    "//bank.example.cn/",
    "https://",
    "https:///x",
    "https://bank.example.cn:0/",
    "https://bank.example.cn:22/",
    "https://bank.example.cn:65536/",
    "https://user@bank.example.cn/",
    "https://user:word@bank.example.cn/",
    "https://bank.example.cn/#part",
    "https://bank.example.cn\\@10.0.0.1/",
    "https://bank.example.cn /",
    "https://bank.example.cn/\n",
    "https://bank.example.cn./",
    "https://银行.cn/",
    "https://localhost/",
    "https://intranet/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://bank.example.0x7f/",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://169.254.169.254/latest/meta-data",
    "https://bank.example.cn/" + "a" * addresses.MAX_LENGTH,
]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.255.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:100.64.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_https_address_is_taken_as_it_is(url: str) -> None:
    assert addresses.check(url, sandbox=False) == url


@pytest.mark.parametrize("url", REFUSED)
def test_any_other_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="^must ") as refusal:
        addresses.check(url, sandbox=False)
    assert url not in str(refusal.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost/x", "https://[::1]:22/", *PUBLIC])
def test_the_sandbox_reaches_its_own_machine(url: str) -> None:
    assert addresses.check(url, sandbox=True) == url


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "http://me@127.0.0.1/", "http://127.0.0.1/#x", "http://127.1/", "http://127.0.0.1:0/"],
)
def test_the_sandbox_too_wants_a_url_that_every_parser_reads_alike(url: str) -> None:
    with pytest.raises(ValueError, match="^must "):
        addresses.check(url, sandbox=True)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_of_a_private_or_special_network_is_not_public(address: str) -> None:
    assert not addresses.is_public(ip_address(address))
    assert not addresses.is_public_text(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "223.5.5.5", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_an_address_of_the_internet_is(address: str) -> None:
    assert addresses.is_public_text(address)


def test_an_address_with_a_zone_is_not_public() -> None:
    assert not addresses.is_public_text("fe80::1%eth0")
    assert not addresses.is_public_text("2400:3200::1%eth0")
