"""A server on the loopback interface that speaks as much of the Hub's protocol as fetching a model's files takes.

``HF_ENDPOINT`` is read when ``huggingface_hub`` is imported, so that whoever asks this server is a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["HubServer", "Repository", "client_environment"]

_API = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_STORE = re.compile(r"/store/(?P<id>[^/]+/[^/]+)/(?P<revision>[^/]+)/(?P<file>.+)")
_TREE = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)/tree/.+")


@dataclass
class Repository:
    """A repository: its files at each commit, and what its branches and tags stand for.

    ``refuses`` gives a status and an error code for the files whose names match a pattern, ``api_refuses`` for the
    description; of the files in ``cuts_short`` half arrives before the connection is closed; the large ones in
    ``elsewhere`` are not sent but pointed to, as the Hub does with what it keeps outside of Git.
    """

    commits: dict[str, dict[str, bytes]]
    refs: dict[str, str]
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    api_refuses: tuple[int, str] | None = None
    cuts_short: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)

    @classmethod
    def of_folder(cls, folder: Path, *, commit: str = "1" * 40) -> Repository:
        """Return a repository of one commit with the folder's files."""
        return cls({commit: {path.name: path.read_bytes() for path in folder.iterdir()}}, {"main": commit})

    def commit(self, revision: str) -> str | None:
        """Return the commit that a branch, tag or commit stands for, or None."""
        return self.refs.get(revision, revision if revision in self.commits else None)


class HubServer:
    """A context manager: the server runs inside it.

    Attributes
    ----------
    repositories : dict
        By id, of the form owner/name.
    requests : list of (str, str)
        Method and path of every request so far.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """What ``HF_ENDPOINT`` must be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def files_sent(self, hub_id: str) -> list[str]:
        """Return the names of the repository's files whose content was asked for, in order."""
        found = [_FILE.fullmatch(path) for method, path in self.requests if method == "GET"]
        return [match["file"] for match in found if match and match["id"] == hub_id]

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path  # quoted still: a revision may hold slashes
        self.hub.requests.append((self.command, unquote(path)))
        if path == "/heal":
            for repository in self.hub.repositories.values():
                repository.cuts_short.clear()
            self._answer(200)
        elif match := _FILE.fullmatch(path):
            self._file(match["id"], unquote(match["revision"]), unquote(match["file"]))
        elif match := _STORE.fullmatch(path):
            self._file(match["id"], match["revision"], unquote(match["file"]), stored=True)
        elif match := _API.fullmatch(path):
            self._description(match["id"], unquote(match["revision"] or "main"))
        elif _TREE.fullmatch(path):
            self._answer(404, code="EntryNotFound")
        else:
            self._answer(404)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def _find(self, hub_id: str, revision: str) -> tuple[Repository, str] | None:
        repository = self.hub.repositories.get(hub_id)
        if repository is None:  # what the Hub tells those who have not logged in
            self._answer(401, code="RepoNotFound")
            return None
        if (commit := repository.commit(revision)) is None:
            self._answer(404, code="RevisionNotFound")
            return None
        return repository, commit

    def _description(self, hub_id: str, revision: str) -> None:
        if (found := self._find(hub_id, revision)) is None:
            return
        repository, commit = found
        if repository.api_refuses is not None:
            self._answer(repository.api_refuses[0], code=repository.api_refuses[1])
            return
        siblings = [{"rfilename": name} for name in repository.commits[commit]]
        body = {
            "_id": "0",
            "id": hub_id,
            "modelId": hub_id,
            "sha": commit,
            "private": False,
            "tags": [],
            "downloads": 0,
        }
        self._answer(200, json.dumps(body | {"siblings": siblings}).encode(), {"Content-Type": "application/json"})

    def _file(self, hub_id: str, revision: str, name: str, *, stored: bool = False) -> None:
        if (found := self._find(hub_id, revision)) is None:
            return
        repository, commit = found
        headers = {"X-Repo-Commit": commit}
        for pattern, (status, code) in repository.refuses.items():
            if fnmatch(name, pattern):
                self._answer(status, code=code, headers=headers)
                return
        content = repository.commits[commit].get(name)
        if content is None:
            self._answer(404, code="EntryNotFound", headers=headers)
            return
        tag = f'"{hashlib.sha1(content).hexdigest()}"'
        if name in repository.elsewhere and not stored:
            place = f"{self.hub.url}/store/{hub_id}/{commit}/{name}"
            linked = {"X-Linked-Etag": tag, "X-Linked-Size": str(len(content)), "Location": place}
            self._answer(302, headers=headers | linked)
            return
        headers |= {"ETag": tag, "Accept-Ranges": "bytes"}
        status, start = 200, 0
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            status, start = 206, int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._answer(
            status, content[start:], headers, until=len(content) // 2 - start if name in repository.cuts_short else None
        )

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        code: str = "",
        until: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "X-Error-Code": code, "Content-Length": str(len(body))}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body if until is None else body[: max(until, 0)])
        self.close_connection = until is not None


def client_environment(endpoint: str, home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that takes ``endpoint`` for the Hub and keeps its cache in ``home``."""
    foreign = re.compile(r"(HF_|HUGGING|TRANSFORMERS_).*|.*_PROXY", re.IGNORECASE)
    inherited = {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}
    ours = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return inherited | ours | more
