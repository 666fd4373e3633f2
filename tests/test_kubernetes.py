"""deploy/kubernetes: what its parts say of one another, of the command line and of the packages agrees."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer
import yaml

from pipelines.cli.app import app

FOLDER = Path(__file__).parents[1] / "deploy" / "kubernetes"
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (one["kind"], one["metadata"]["name"]): one
    for one in yaml.safe_load_all((FOLDER / "vigie.yaml").read_text("utf-8"))
}
FLINK = OBJECTS["FlinkDeployment", "vigie-flink"]
PODS = {
    "flink": FLINK["spec"]["podTemplate"]["spec"],
    "live": OBJECTS["Deployment", "vigie-live"]["spec"]["template"]["spec"],
    "ingest": OBJECTS["Deployment", "vigie-ingest"]["spec"]["template"]["spec"],
}


def test_each_object_is_of_a_known_version() -> None:
    versions = {kind: one["apiVersion"] for (kind, _), one in OBJECTS.items()}
    assert versions == {
        "PersistentVolumeClaim": "v1",
        "FlinkDeployment": "flink.apache.org/v1beta1",
        "Deployment": "apps/v1",
    }


def test_commands_are_those_of_the_command_line() -> None:
    root: Any = typer.main.get_command(app)
    for name in ("live", "ingest"):
        program, command, *arguments = PODS[name]["containers"][0]["command"]
        assert program == "vigie"
        with root.commands[command].make_context(command, arguments) as context:
            assert context.params["settings"] == Path("/vigie/vigie.toml")


def test_the_job_is_submitted_to_the_service_of_the_cluster() -> None:
    command = PODS["live"]["containers"][0]["command"]
    # The operator calls it so, and Flink's REST server listens there unless told otherwise.
    assert command[command.index("--cluster") + 1] == f"{FLINK['metadata']['name']}-rest:8081"
    parallelism = int(command[command.index("--parallelism") + 1])
    assert parallelism <= int(FLINK["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"])


def test_all_pods_run_one_image_on_one_volume() -> None:
    images = {FLINK["spec"]["image"], *(PODS[name]["containers"][0]["image"] for name in ("live", "ingest"))}
    assert len(images) == 1
    for pod in PODS.values():
        (container,), (volume,) = pod["containers"], pod["volumes"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/vigie"}]
        assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in OBJECTS
        assert pod["securityContext"] == {"fsGroup": 9999}
    assert PODS["flink"]["containers"][0]["name"] == "flink-main-container"


def test_there_is_one_writer_and_one_job_at_any_time() -> None:
    for name in ("vigie-live", "vigie-ingest"):
        spec = OBJECTS["Deployment", name]["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]


def test_passwords_come_from_a_secret() -> None:
    for name in ("flink", "live"):
        (variable,) = PODS[name]["containers"][0]["env"]
        assert variable["name"] == "PGPASSWORD"
        assert variable["valueFrom"]["secretKeyRef"]


def test_the_image_holds_the_flink_that_the_packages_talk_to() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8")
    found = re.search(r"^FROM flink:([\d.]+)-java17 AS flink$", dockerfile, re.MULTILINE)
    assert found is not None
    assert found[1] == version("apache-flink")
