"""A stand-in for Grafana's API that keeps boards, folders and rules, and holds every request and answer
against Grafana's own OpenAPI description where that is beside the checkout.

Tests reach this through the fixture `grafana_double`.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

DESCRIPTION = Path(__file__).parents[2] / "shared" / "grafana" / "openapi3-9.4.json"
TOKEN = "glsa_of_a_test"


class Description:
    """An OpenAPI 3 document. It says what bodies are like with a dialect of JSON Schema close to draft 4."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._registry = Registry().with_resource("api", Resource(contents=content, specification=DRAFT4))

    def faults(self, method: str, path: str, status: int | None, body: Any) -> list[str]:
        """What is wrong with the body of a request (status None) or of an answer."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path} is not described"]
        if status is None:
            described = self._followed(operation.get("requestBody", {}))
        else:
            if str(status) not in operation["responses"]:
                return [f"{method} {path} does not answer {status}"]
            described = self._followed(operation["responses"][str(status)])
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [] if body is None or status is not None else [f"{method} {path} takes no body"]
        # References of the document are written from its own root.
        whole = json.loads(json.dumps(schema).replace('"#/', '"api#/'))
        errors = Draft4Validator(whole, registry=self._registry).iter_errors(body)
        return [
            f"{method} {path}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in errors
            # Durations are described as Go keeps them; over the wire they are texts such as 10m.
            if not (list(error.absolute_path) == ["for"] and re.fullmatch(r"\d+[smhd]", str(error.instance)))
        ]

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, operations in self._content["paths"].items():
            pattern = re.sub(r"\\{[^/]*?\\}", "[^/]+", re.escape(template))
            # Alerting's paths are described with their /api, which the others leave to the server's address.
            if method.lower() in operations and any(
                re.fullmatch(pattern, way) for way in (path, f"/api{path}")
            ):
                found: dict[str, Any] = operations[method.lower()]
                return found
        return None

    def _followed(self, value: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in value:
            return value
        target: Any = self._content
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return dict(target)


class Grafana:
    """What the server keeps and was asked. faults: of requests and answers; writes: that came in."""

    def __init__(self, url: str, description: Description | None) -> None:
        self.url = url
        self.description = description
        self.folders: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.datasources = {"vigie-postgres": {"id": 1, "uid": "vigie-postgres", "name": "Vigie"}}
        self.faults: list[str] = []
        self.writes: list[str] = []
        self.broken = False

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and body, as Grafana 11.6 gives them."""
        kind, _, uid = path.lstrip("/").rpartition("/")
        kept = {
            "datasources/uid": self.datasources,
            "folders": self.folders,
            "v1/provisioning/alert-rules": self.rules,
        }.get(kind)
        if method == "GET" and kept is not None:
            return (200, kept[uid]) if uid in kept else (404, {"message": "not found"})
        if method == "GET" and kind == "dashboards/uid":
            return (
                (200, self.boards[uid]) if uid in self.boards else (404, {"message": "Dashboard not found"})
            )
        self.writes.append(f"{method} {path}")
        if (method, path) == ("POST", "/folders"):
            self.folders[body["uid"]] = {
                "id": len(self.folders) + 1,
                "uid": body["uid"],
                "title": body["title"],
            }
            return 200, self.folders[body["uid"]]
        if (method, path) == ("POST", "/dashboards/db"):
            return 200, self._save(body)
        if (method, path) == ("POST", "/v1/provisioning/alert-rules"):
            self.rules[body["uid"]] = {**body, "id": len(self.rules) + 1, "updated": "2025-01-01T00:00:00Z"}
            return 201, self.rules[body["uid"]]
        if method == "PUT" and kind == "v1/provisioning/alert-rules":
            self.rules[uid] = {**self.rules[uid], **body}
            return 200, self.rules[uid]
        return 404, {"message": f"no {method} {path}"}

    def _save(self, body: dict[str, Any]) -> dict[str, Any]:
        board, uid = dict(body["dashboard"]), body["dashboard"]["uid"]
        before = self.boards.get(uid, {"dashboard": {"id": len(self.boards) + 1, "version": 0}})["dashboard"]
        board |= {"id": before["id"], "version": before["version"] + 1}
        self.boards[uid] = {"dashboard": board, "meta": {"folderUid": body["folderUid"]}}
        return {
            "id": str(board["id"]),
            "uid": uid,
            "status": "success",
            "title": board["title"],
            "version": board["version"],
            "url": f"/d/{uid}",
        }


@contextmanager
def running() -> Iterator[Grafana]:
    """A server on a free port of this machine, stopped at the end."""
    described = Description(json.loads(DESCRIPTION.read_text("utf-8"))) if DESCRIPTION.exists() else None

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            method, path = self.command, self.path.removeprefix("/api")
            if grafana.broken:
                status, answer = 500, {"message": "database is locked"}
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, answer = 401, {"message": "Invalid API key"}
            else:
                status, answer = grafana.answer(method, path, body)
                if described is not None:
                    grafana.faults += described.faults(method, path, None, body) if body is not None else []
                    grafana.faults += described.faults(method, path, status, answer)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Tests say what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    grafana = Grafana(f"http://127.0.0.1:{server.server_address[1]}", described)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
