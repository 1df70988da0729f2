"""What is shipped for production: the Compose file, its settings and the relay's configuration."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from signaling import settings
from signaling.settings import OPERATORS

CHECKOUT = Path(__file__).parents[2]
TEXT = CHECKOUT.joinpath("docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)[^}]*\}")
EXAMPLE = CHECKOUT.joinpath(".env.example").read_text()
GIVEN = re.compile(r"^((?:#.*\n)+)([A-Z_]+)=(.*)$", re.MULTILINE)

NOT_IN_PRODUCTION = {
    "DATA_DIR": "nothing is kept in the container: database, cache and SECRET_KEY are given",
    "INDEX_URL": "the one cache holds the candidate index too; one of its own is for those who outgrow this file",
    "HOST": "the image listens on all of its container's addresses",
    "PORT": "the image's; Caddy knows it",
    "REDIS_PREFIX": "the cache is not shared with anything else",
}
APP = {"FCM_CREDENTIALS", "APNS_KEY", "APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC", "APNS_SANDBOX"}
"""For those who have an app of their own: docs/how-to/ring-closed-pages.md."""


def test_the_compose_file_fits_the_specification() -> None:
    schema = json.loads(CHECKOUT.joinpath("tests/data/compose-spec.json").read_text())
    errors = validator_for(schema)(schema).iter_errors(COMPOSE)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_every_variable_is_explained_and_every_explained_one_is_used() -> None:
    explained = {name for _, name, _ in GIVEN.findall(EXAMPLE)}
    assert explained == set(VARIABLE.findall(TEXT))
    assert explained == {line.split("=")[0] for line in EXAMPLE.splitlines() if "=" in line and line[0] != "#"}


def test_no_secret_has_a_value_that_somebody_might_keep() -> None:
    for _, name, value in GIVEN.findall(EXAMPLE):
        if re.search("SECRET|PASSWORD|SMTP", name):
            assert value == ""


def test_every_setting_that_matters_in_production_is_given() -> None:
    given = SERVICES["server"]["environment"].keys()
    assert given == OPERATORS.keys() - NOT_IN_PRODUCTION.keys() - APP


def test_the_server_accepts_what_it_is_given() -> None:
    values = {name: value for _, name, value in GIVEN.findall(EXAMPLE)}
    values |= {"DOMAIN": "visavis.example", "SMTP_URL": "smtp://u:p@mail.example:587", "MAIL_FROM": "v@visavis.example"}
    values |= {name: "x" * 64 for name in values if re.fullmatch("SECRET_KEY|.*_PASSWORD|TURN_SECRET", name)}
    values["TURN_URLS"] = values["TURN_URLS"].strip('"')
    environ = {
        name: VARIABLE.sub(lambda found: values[found[1]], str(value))
        for name, value in SERVICES["server"]["environment"].items()
    }
    read = settings.read(environ)
    assert read.secure
    assert read.origins == ("https://visavis.example",)
    assert read.secret_previous is None
    assert [str(network) for network in read.trusted_proxies] == [values["EDGE_SUBNET"]]


def test_only_caddy_is_reached_from_outside_and_the_relay_by_its_own_rules() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"caddy"}
    assert {name for name, service in SERVICES.items() if "network_mode" in service} == {"coturn"}
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "data" in service.get("networks", ())} == {
        "migrate",
        "server",
        "postgres",
        "valkey",
    }
    assert SERVICES["postgres"]["networks"] == SERVICES["valkey"]["networks"] == ["data"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_the_least_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", ())) <= {"NET_BIND_SERVICE"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"visavis|[\w/]+:[\d.]+", service["image"]), "a version, not whatever is latest"
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert "healthcheck" in service or service["image"] == "visavis", "the image has its own"


def test_the_server_waits_for_the_database_to_be_migrated() -> None:
    waits = {name: rule["condition"] for name, rule in SERVICES["server"]["depends_on"].items()}
    assert waits == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "valkey": "service_healthy",
    }
    assert SERVICES["migrate"]["command"] == ["migrate"]
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_no_password_is_on_a_command_line() -> None:
    for service in SERVICES.values():
        for word in (*service.get("command", ()), *service.get("entrypoint", ())):
            assert VARIABLE.search(word) is None


def relay_configuration(folder: Path, address: str) -> tuple[list[str], list[str]]:
    """What coturn is started with, and the lines of the configuration that it reads."""
    coturn = folder / "turnserver"
    coturn.write_text('#!/bin/sh\necho "$@"; env\n')
    coturn.chmod(0o755)
    environ = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "TURN_CONF": str(CHECKOUT / "deploy/turnserver.conf"),
        "TURN_RUN": str(folder),
        "DOMAIN": "visavis.example",
        "TURN_ADDRESS": address,
        "TURN_SECRET": "the-shared-secret",
    }
    script = ["/bin/sh", str(CHECKOUT / "deploy/coturn.sh")]
    started = subprocess.run(script, env=environ, capture_output=True, text=True, check=True)
    lines = (folder / "turnserver.conf").read_text().splitlines()
    return started.stdout.splitlines(), [line for line in lines if line and not line.startswith("#")]


def test_the_relay_knows_its_secret_and_shows_it_to_nobody(tmp_path: Path) -> None:
    said, lines = relay_configuration(tmp_path, "198.51.100.7")
    assert said[0] == f"-c {tmp_path}/turnserver.conf"
    assert "the-shared-secret" not in "\n".join(said)
    assert (tmp_path / "turnserver.conf").stat().st_mode & 0o777 == 0o600
    assert {"static-auth-secret=the-shared-secret", "realm=visavis.example"} <= set(lines)
    assert {"use-auth-secret", "no-tcp-relay", "no-cli", "fingerprint", "no-multicast-peers"} <= set(lines)
    assert any(line.startswith("user-quota=") for line in lines)
    assert any(line.startswith("total-quota=") for line in lines)


@pytest.mark.parametrize(
    ("address", "own", "allowed"),
    [
        ("198.51.100.7", "198.51.100.7", {"198.51.100.7"}),
        ("198.51.100.7/10.0.0.7", "10.0.0.7", {"198.51.100.7", "10.0.0.7"}),
    ],
)
def test_the_relay_reaches_nobody_but_itself(tmp_path: Path, address: str, own: str, allowed: set[str]) -> None:
    _, lines = relay_configuration(tmp_path, address)
    denied = [
        tuple(map(ipaddress.ip_address, line.split("=")[1].split("-")))
        for line in lines
        if line.startswith("denied-peer-ip=")
    ]
    everything = {ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")}
    assert {(network[0], network[-1]) for network in everything} <= set(denied)
    assert {line.split("=")[1] for line in lines if line.startswith("allowed-peer-ip=")} == allowed
    assert f"relay-ip={own}" in lines
    assert (f"external-ip={address}" in lines) == ("/" in address)
    assert "allow-loopback-peers" not in lines


def test_the_ports_of_the_relay_are_those_that_are_named() -> None:
    lines = CHECKOUT.joinpath("deploy/turnserver.conf").read_text().splitlines()
    ports = dict(line.split("=") for line in lines if line.startswith(("min-port", "max-port", "listening-port")))
    said = re.search(r"the relay \((\d+), (\d+)-(\d+)\)", TEXT)
    assert said is not None
    assert list(said.groups()) == [ports["listening-port"], ports["min-port"], ports["max-port"]]
    assert f":{ports['listening-port']}?" in EXAMPLE
