"""Where pushes may go, and where they may not: whoever registers a device chooses the address."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from signaling.push.addresses import Allowed, GuardedResolver, LeadsInside, look_up, public, read_hosts
from signaling.push.errors import EndpointRefused, Refused
from signaling.push.message import ring
from signaling.push.web_push import WebPush
from signaling.settings import SettingsError, read
from tests.signaling.push.services import Browser, stand_in
from tests.signaling.push.test_web_push import OFFER, vapid

GOOD = "https://fcm.googleapis.com/fcm/send/abc:APA91"


class Names(AbstractResolver):
    """A name service that says what the test wants."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if not self.addresses:
            raise OSError("no such name")
        return [
            ResolveResult(hostname=host, host=each, port=port, family=_family(each), proto=0, flags=0)
            for each in self.addresses
        ]

    async def close(self) -> None: ...


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@pytest.mark.parametrize(
    "address",
    [
        GOOD,
        "https://fcm.googleapis.com:443/fcm/send/abc",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA_-x",
        "https://autopush.stage.push.services.mozilla.com/wpush/v2/x",
        "https://db5p.notify.windows.com/w/?token=BQYAAAB%2fx%2b",
        "https://web.push.apple.com/QABC-d_e",
        "https://eu.push.example.org/x",
    ],
)
def test_push_services_are_let_through(address: str) -> None:
    found = Allowed(named=("*.push.example.org",)).check(address)
    assert found.url == address.replace(":443", "")
    assert found.port == 443
    assert found.named == ("example.org" in address)


@pytest.mark.parametrize(
    "address",
    [
        "http://fcm.googleapis.com/fcm/send/abc",
        "https://fcm.googleapis.com:8443/fcm/send/abc",
        "https://user@fcm.googleapis.com/x",
        "https://user:secret@fcm.googleapis.com/x",
        "https://@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://10.0.0.7/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.7]/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://evil.example/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evilnotify.windows.com/x",
        "https://notify.windows.com.evil.example/x",
        "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com\\@evil.example/x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/\r\nX: y",
        "https://fcm.googleapis.com/#fragment",
        "https://fcm.googleapis.com:x/",
        "https://fcm.googleapis.com:99999/",
        "https://[fcm.googleapis.com/",
        "https://fcm.googleapis.côm/x",
        "ftp://fcm.googleapis.com/x",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//fcm.googleapis.com/x",
        "",
        "https://fcm.googleapis.com/" + "x" * 2048,
    ],
)
def test_everything_else_is_refused(address: str) -> None:
    with pytest.raises(EndpointRefused):
        Allowed().check(address)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("142.250.1.95", True),
        ("2a00:1450:4001:82f::200a", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("198.51.100.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.7", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:142.250.1.95", True),
        ("64:ff9b::a00:7", False),
        ("2002:a00:7::1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("not an address", False),
    ],
)
def test_only_the_internet_is_public(address: str, good: bool) -> None:
    assert public(address) is good


@pytest.mark.parametrize(
    "entry",
    [
        "http://127.0.0.1:8090",
        "https://push.example.org",
        "push.example.org:8443",
        "10.0.0.7",
        "127.0.0.1",
        "localhost",
        "*",
        "*.*",
        "push_example",
        "a.1",
    ],
)
def test_production_takes_names_of_hosts_only(entry: str) -> None:
    with pytest.raises(SettingsError, match="PUSH_HOSTS"):
        read({"PUSH_HOSTS": entry, "PUBLIC_URL": "https://visavis.example"})


def test_development_takes_an_origin_of_this_machine() -> None:
    found = read({"PUSH_HOSTS": "http://127.0.0.1:8090 push.example.org"}, development=True).push_services
    assert found.check("http://127.0.0.1:8090/notify/x?y=z").url == "http://127.0.0.1:8090/notify/x?y=z"
    assert found.check("https://push.example.org/x").named
    for other in (
        "http://127.0.0.1:8091/x",
        "http://127.0.0.1/x",
        "http://localhost:8090/x",
        "http://x@127.0.0.1:8090/",
    ):
        with pytest.raises(EndpointRefused):
            found.check(other)
    for entry in ("http://push.example.org:80", "http://10.0.0.7:80", "http://127.0.0.1", "http://127.0.0.1:80/x"):
        with pytest.raises(ValueError, match="PUSH_HOSTS"):
            read_hosts(entry, development=True)


async def test_a_name_that_leads_inside_is_refused_when_it_is_saved() -> None:
    endpoint = Allowed().check(GOOD)
    for inside in (("127.0.0.1",), ("10.0.0.7", "::1"), ("::ffff:192.168.0.1",)):
        with pytest.raises(EndpointRefused):
            await look_up(GuardedResolver(Allowed(), Names(*inside)), endpoint)
    (found,) = await look_up(GuardedResolver(Allowed(), Names("10.0.0.7", "142.250.1.95")), endpoint)
    assert found["host"] == "142.250.1.95"


async def test_a_name_that_cannot_be_looked_up_now_loses_nobody_their_device() -> None:
    assert await look_up(GuardedResolver(Allowed(), Names()), Allowed().check(GOOD)) == []


async def test_an_origin_of_development_leads_nowhere_but_here() -> None:
    allowed = Allowed(here=("http://localhost:8090",))
    resolver = GuardedResolver(allowed, Names("127.0.0.1"))
    assert len(await resolver.resolve("localhost", 8090)) == 1
    with pytest.raises(LeadsInside):
        await resolver.resolve("localhost", 8091)
    with pytest.raises(LeadsInside):
        await GuardedResolver(allowed, Names("10.0.0.7")).resolve("localhost", 8090)


async def test_a_name_that_has_begun_to_lead_inside_is_not_connected_to() -> None:
    """DNS rebinding: on the internet when it was saved, inside when a message is sent. Whoever listens there hears
    nothing: the connection goes to the address that was checked, or to none."""
    names = Names("142.250.1.95")
    resolver = GuardedResolver(Allowed(), names)
    await look_up(resolver, Allowed().check(GOOD))
    names.addresses = ("127.0.0.1",)
    async with stand_in() as inside:
        service = WebPush(Allowed(), vapid(), 60, resolver)
        try:
            with pytest.raises(Refused, match="inside"):
                await service.send(Browser().device(GOOD), ring(OFFER, 30))
        finally:
            await service.close()
        assert names.asked == 2
        assert inside.got == []
