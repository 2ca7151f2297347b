"""The addresses in the compose file and in nginx's configuration belong together."""

import re
from ipaddress import ip_address, ip_network

from gateway.settings import Settings
from tests.docs.pages import text

COMPOSE = text("docker/compose.yaml")


def only(pattern: str, page: str) -> str:
    """What the one match of a pattern holds."""
    (found,) = re.findall(pattern, page)
    return str(found)


def test_the_replicas_trust_the_proxy_and_nobody_who_could_be_another() -> None:
    proxy = only(r"ipv4_address: ([\d.]+)", COMPOSE)
    given = {"trusted_proxies": only(r"GATEWAY_TRUSTED_PROXIES: (\S+)", COMPOSE)}
    assert Settings.model_validate(given).trusted_proxies == (ip_network(proxy),)
    assert ip_address(proxy) in ip_network(only(r"- subnet: (\S+)", COMPOSE))
    assert ip_address(proxy) not in ip_network(only(r"ip_range: (\S+)", COMPOSE))


def test_nginx_believes_this_machine_whom_it_asks_for_and_tells_one_address() -> None:
    nginx = text("docker/nginx.conf")
    gateway = only(r"gateway: ([\d.]+)", COMPOSE)
    assert only(r"set_real_ip_from (\S+);", nginx) == gateway != only(r"ipv4_address: ([\d.]+)", COMPOSE)
    assert "real_ip_header X-Forwarded-For;" in nginx
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert 'proxy_set_header X-Client-Certificate "";' in nginx
