"""compose.yaml and what it mounts: files that are there, ports of this machine only, no password inside."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.provisioning import MOUNT, datasources
from pipelines.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
PASSWORDS = ("VIGIE_PG_ADMIN_PASSWORD", "VIGIE_PG_PASSWORD", "VIGIE_GRAFANA_ADMIN_PASSWORD")


def compose() -> list[str] | None:
    """Docker Compose's command line, if one is installed."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], check=False, capture_output=True).returncode
        ):
            return command
    return None


def test_docker_compose_takes_it() -> None:
    command = compose()
    if command is None:
        pytest.skip("Docker Compose is not installed")
    config = [*command, "-f", str(ROOT / "compose.yaml"), "config", "--quiet"]
    given = {**os.environ, **dict.fromkeys(PASSWORDS, "p")}
    taken = subprocess.run(config, check=False, capture_output=True, text=True, env=given)
    assert taken.returncode == 0, taken.stderr
    without = {key: value for key, value in given.items() if key not in PASSWORDS}
    refused = subprocess.run(config, check=False, capture_output=True, text=True, env=without)
    assert refused.returncode != 0
    assert "set it in .env" in refused.stderr


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_mounted_is_there_and_passwords_come_from_outside() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [ROOT / place for place in mounted if place.startswith("./")]
    assert files
    assert all(file.exists() for file in files)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert re.fullmatch(r"\$\{\w+:\?set it in \.env\}", value)


def test_grafana_gets_every_variable_that_its_provisioning_asks_for() -> None:
    asked = set(re.findall(r"\$(VIGIE_\w+)", yaml.safe_dump(datasources())))
    assert asked <= SERVICES["grafana"]["environment"].keys()
    assert any(volume.endswith(f":{MOUNT}:ro") for volume in SERVICES["grafana"]["volumes"])


def test_prometheus_watches_both_of_flinks_services() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    (flink,) = (job for job in config["scrape_configs"] if job["job_name"] == "flink")
    (group,) = flink["static_configs"]
    names = [target.split(":")[0] for target in group["targets"]]
    assert set(names) <= SERVICES.keys()
    assert all(
        f"prom.port: {target.split(':')[1]}" in SERVICES[name]["environment"]["FLINK_PROPERTIES"]
        for name, target in zip(names, group["targets"], strict=True)
    )


def test_vigies_own_services_run_commands_that_there_are() -> None:
    for name, port in (("ingest", "9465"), ("desk", "8321")):
        command = SERVICES[name]["command"]
        assert command[0] in COMMANDS
        assert command[-1] == port
        assert SERVICES[name]["network_mode"] == SERVICES["prometheus"]["network_mode"]
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    assert ["127.0.0.1:9465"] in [
        group["targets"] for job in config["scrape_configs"] for group in job["static_configs"]
    ]
