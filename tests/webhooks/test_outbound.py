"""What is called for strangers: whatever a URL, a resolver or a receiver says, the internet alone."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from graphql_api.outbound.address import is_public
from graphql_api.outbound.outbound import MAX_RESPONSE_BYTES, Outbound, RefusedUrlError, Reply
from tests.webhooks.receiver import Receiver

PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
NOT_PUBLIC = (
    "0.0.0.0",  # noqa: S104 - refused, not bound to
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
LOOPBACK = ipaddress.ip_network("127.0.0.1/32")


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text: str):
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_any_other_address_is_not(text: str):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com./a?b=c",
        "https://hooks.example.com:8443/x",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/",
        "https://xn--bcher-kva.example/",
        "HTTPS://EXAMPLE.COM/",
    ],
)
def test_a_url_of_the_internet_is_taken(url: str):
    assert Outbound().require(url) == url


REFUSED = [
    "",
    "example.com",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "https://",
    "https:///path",
    "https://user@example.com/",
    "https://user" + ":word@example.com/",
    "https://:@example.com/",
    "https://example.com/#part",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://exa mple.com/",
    "https://example.com/\r\nHost: other",
    "https://exam\tple.com/",
    "https://bücher.example/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://localhost/",
    "https://api.localhost./",
    "https://-a.example/",
    "https://a_b.example/",
    "https://a..example/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://1.2.3.4.5/",
    "https://[::1/",
    "https://[fe80::1%25eth0]/",
    "https://[::ffff:7f00:1]/",
    "https://example.com\\@127.0.0.1/",
    "https://" + "a" * 2100 + ".example/",
    *(f"https://[{one}]/" if ":" in one else f"https://{one}/" for one in NOT_PUBLIC),
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_of_another_form_is_refused(url: str):
    with pytest.raises(RefusedUrlError):
        Outbound().require(url)


def test_development_takes_http_and_the_networks_it_was_told_of():
    development = Outbound([LOOPBACK], is_development=True)
    assert development.require("http://127.0.0.1:9000/hook")
    for url in ("http://127.0.0.2:9000/", "http://10.0.0.1/", "http://[::1]/"):
        with pytest.raises(RefusedUrlError):
            development.require(url)


class Names:
    """A resolver whose answers are a test's: each time the next, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[Any]:
        self.asked += 1
        found = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port, 0, 0) if ":" in one else (one, port),
            )
            for one in found
        ]


async def posted(outbound: Outbound, url: str, times: int = 1) -> list[Reply]:
    async with outbound.session() as calls:
        return [await calls.post(url, b"{}", {"content-type": "application/json"}) for _ in range(times)]


def at(receiver: Receiver, host: str) -> str:
    return f"http://{host}:{receiver.port}/hook"


async def test_a_name_is_called_at_the_address_that_was_checked(receiver: Receiver):
    names = Names(["127.0.0.1"])
    outbound = Outbound([LOOPBACK], is_development=True, lookup=names)
    (reply,) = await posted(outbound, at(receiver, "hooks.example"))
    assert (reply.status, names.asked) == (204, 1)
    (received,) = receiver.taken()
    assert received.headers["Host"] == f"hooks.example:{receiver.port}"


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]])
async def test_a_name_with_an_address_of_this_machine_is_not_called(receiver: Receiver, answer: list[str]):
    (reply,) = await posted(Outbound(lookup=Names(answer)), at(receiver, "hooks.example"))
    assert (reply.status, reply.problem) == (None, "The host has an address that is not called.")
    assert receiver.taken() == []


async def test_a_name_that_is_bound_anew_is_checked_anew(receiver: Receiver):
    """The first answer may be called, the second is this machine's other address."""
    network = ipaddress.ip_network("127.0.0.1/32")
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    outbound = Outbound([network], is_development=True, lookup=names)
    receiver.says(200, Connection="close")
    first, second = await posted(outbound, at(receiver, "hooks.example"), times=2)
    assert first.status == 200
    assert (second.status, second.problem) == (None, "The host has an address that is not called.")
    assert len(receiver.taken()) == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433", "127.1"]
)
async def test_a_url_that_was_never_checked_reaches_nothing(receiver: Receiver, host: str):
    """As if it had been stored past the rule: the connection itself is refused."""
    (reply,) = await posted(Outbound(), at(receiver, host))
    assert (reply.status, receiver.taken()) == (None, [])
    assert reply.problem is not None


async def test_a_redirect_is_an_answer_and_nothing_more(receiver: Receiver):
    receiver.says(307, Location=at(receiver, "127.0.0.1"))
    (reply,) = await posted(Outbound([LOOPBACK], is_development=True), receiver.url)
    assert (reply.status, len(receiver.taken())) == (307, 1)


async def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (reply,) = await posted(Outbound([LOOPBACK], is_development=True), receiver.url)
    assert reply.status == 204


async def test_little_is_read_of_an_answer(receiver: Receiver):
    receiver.says(200, "x" * 1_000_000)
    (reply,) = await posted(Outbound([LOOPBACK], is_development=True), receiver.url)
    assert 0 < len(reply.text) <= MAX_RESPONSE_BYTES


async def test_who_does_not_answer_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("graphql_api.outbound.outbound.POST_SECONDS", 0.2)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        (reply,) = await posted(Outbound([LOOPBACK], is_development=True), url)
    assert reply.status is None
    assert "no answer" in (reply.problem or "")


async def test_what_went_wrong_tells_nothing_of_this_network(receiver: Receiver):
    outbound = Outbound([LOOPBACK], is_development=True)
    (tls,) = await posted(outbound, f"https://127.0.0.1:{receiver.port}/")
    (closed,) = await posted(outbound, "http://127.0.0.1:1/")
    assert tls.problem == "TLS could not be agreed on, or the certificate is not valid."
    assert closed.problem == "There was no connection."
