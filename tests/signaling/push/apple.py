"""A stand-in for Apple's push service that speaks its published API: HTTP/2 over TLS, and nothing else."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Push(NamedTuple):
    """What it got."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Answer(NamedTuple):
    """What it says."""

    status: int = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


class Apple:
    """Answers in order from `answers`, else as `judge` says."""

    def __init__(self, base: str, trust: ssl.SSLContext) -> None:
        self.base = base
        self.trust = trust
        self.got: list[Push] = []
        self.answers: list[Answer] = []
        self.judge: Callable[[Push], Answer] = lambda push: Answer()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        headers: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        try:
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        headers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
                        bodies[event.stream_id] = b""
                    elif isinstance(event, h2.events.DataReceived):
                        bodies[event.stream_id] += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        self._answer(connection, event.stream_id, headers.pop(event.stream_id), bodies[event.stream_id])
                writer.write(connection.data_to_send())
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def _answer(self, to: h2.connection.H2Connection, stream: int, headers: dict[str, str], body: bytes) -> None:
        assert headers[":method"] == "POST"
        push = Push(headers[":path"], headers, json.loads(body))
        self.got.append(push)
        answer = self.answers.pop(0) if self.answers else self.judge(push)
        text = json.dumps(answer.body).encode() if answer.body is not None else b""
        fields = [(":status", str(answer.status)), ("apns-id", "x"), *answer.headers.items()]
        to.send_headers(stream, fields, end_stream=not text)
        if text:
            to.send_data(stream, text, end_stream=True)


def certificate(folder: Path) -> Path:
    """A certificate for this machine that signs for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "apple stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "apple.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@asynccontextmanager
async def apple_stand_in(folder: Path) -> AsyncIterator[Apple]:
    """It listens on this machine until the end of the block."""
    path = certificate(folder)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(path)
    own.set_alpn_protocols(["h2"])
    trust = ssl.create_default_context(cafile=str(path))
    apple = Apple("", trust)
    server = await asyncio.start_server(apple.serve, "127.0.0.1", 0, ssl=own)
    apple.base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield apple
    finally:
        server.close()
