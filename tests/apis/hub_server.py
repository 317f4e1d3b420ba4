"""A stand-in for the Hugging Face Hub: repositories in memory, behind its HTTP interface."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """Commits, oldest first: names of files and their bytes."""

    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{}])
    # What the list of files says instead of the truth, by file: size or SHA-256.
    lies: dict[str, dict[str, object]] = field(default_factory=dict)

    def commit(self, index: int) -> str:
        return hashlib.sha1(b"%d" % index).hexdigest()

    def find(self, revision: str) -> int | None:
        named = {self.commit(index): index for index in range(len(self.commits))}
        return len(self.commits) - 1 if revision == "main" else named.get(revision)


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _send(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _missing(self, code):
        self._send(404, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def _listed(self, name, index):
        repository = self.server.repositories[name]
        siblings = []
        for file, data in repository.commits[index].items():
            digest = hashlib.sha256(data).hexdigest()
            entry = {"rfilename": file, "size": len(data), "blobId": digest[:40]}
            lie = repository.lies.get(file, {})
            entry |= {key: value for key, value in lie.items() if key == "size"}
            if file.endswith(".safetensors"):
                sha256 = lie.get("sha256", digest)
                entry["lfs"] = {"sha256": sha256, "size": entry["size"], "pointerSize": 1}
            siblings.append(entry)
        return {
            "id": name,
            "sha": repository.commit(index),
            "private": repository.private,
            "siblings": siblings,
        }

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            name, revision = "/".join(parts[2:4]), "/".join(parts[5:]) or "main"
        else:
            name, revision = "/".join(parts[:2]), parts[3]
        repository = self.server.repositories.get(name)
        if repository is None:
            self._missing("RepoNotFound")
            return
        index = repository.find(revision)
        if index is None:
            self._missing("RevisionNotFound")
        elif parts[0] == "api":
            self._send(200, self._listed(name, index))
        else:
            data = repository.commits[index].get("/".join(parts[4:]))
            if data is None:
                self._missing("EntryNotFound")
                return
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            self._send(200, data, ETag=etag, X_Repo_Commit=repository.commit(index))

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        path = urlsplit(self.path).path
        self.server.asked.append(f"POST {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "validate-yaml"]:
            self._send(200, {"errors": [], "warnings": []})
            return
        if not (self.headers.get("Authorization") or "").startswith("Bearer "):
            self._send(401, {"error": "log in"})
            return
        if parts[:2] == ["api", "repos"]:
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            there = name in self.server.repositories
            private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
            self.server.repositories.setdefault(name, Repository(private))
            self._send(409 if there else 200, {"url": f"{self.server.url}/{name}"})
            return
        name = "/".join(parts[2:4])
        repository = self.server.repositories[name]
        if parts[4] == "preupload":
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self._send(200, {"files": files})
            return
        content = dict(repository.commits[-1])
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                value = entry["value"]
                content[value["path"]] = base64.b64decode(value["content"])
        repository.commits.append(content)
        commit = repository.commit(len(repository.commits) - 1)
        url = f"{self.server.url}/{name}/commit/{commit}"
        self._send(200, {"commitUrl": url, "commitOid": commit, "success": True})
