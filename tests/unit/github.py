"""A stand-in for GitHub's REST API, which keeps what is written to it."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]

BOT = "github-actions[bot]"
TOKEN = "a-token"


class GitHub:
    """One repository, `someone/project`: lists by path, such as `issues/3/comments`."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.lists: dict[str, list[Object]] = {"pulls": [], "issues": []}
        self.written: list[str] = []
        """Method and path of what changed something."""
        self.refusal = 0
        """The status to answer everything with."""

    @property
    def environment(self) -> dict[str, str]:
        """What a workflow's step would have."""
        return {
            "GITHUB_API_URL": self.root,
            "GITHUB_REPOSITORY": "someone/project",
            "GITHUB_TOKEN": TOKEN,
        }

    def pull(self, number: int, commit: str) -> None:
        """Open a pull request."""
        self.lists["pulls"].append({"number": number, "head": {"sha": commit}, "state": "open"})
        self.lists[f"issues/{number}/comments"] = []

    def add(self, path: str, body: str | None, author: str | None, **more: Any) -> Object:
        """Put a comment or an issue into a list, as if its author had written it."""
        number = sum(map(len, self.lists.values())) + 1
        kept = path if path == "issues" else "issues/comments"
        item = {
            "user": author and {"login": author},
            "body": body,
            "url": f"{self.root}/repos/someone/project/{kept}/{number}",
            "html_url": f"https://example.org/{number}",
            "state": "open",
            **more,
        }
        self.lists[path].append(item)
        return item

    def answer(self, method: str, target: str, token: str, body: Object) -> tuple[int, Any]:
        """What a request comes to."""
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if self.refusal:
            return self.refusal, {"message": "Resource not accessible by integration"}
        url = urlsplit(target)
        path = url.path.removeprefix("/repos/someone/project/")
        if method == "GET":
            query = parse_qs(url.query)
            size = min(int(query.get("per_page", ["30"])[0]), 100)
            start = (int(query.get("page", ["1"])[0]) - 1) * size
            states = query.get("state", ["open"] if path in ("issues", "pulls") else [])
            found = [item for item in self.lists[path] if not states or item["state"] in states]
            return 200, found[start : start + size]
        self.written.append(f"{method} {path}")
        if method == "POST":
            return 201, self.add(path, author=BOT, **body)
        items = (item for items in self.lists.values() for item in items)
        item = next(item for item in items if item.get("url") == f"{self.root}{url.path}")
        item.update(body)
        return 200, item


@contextmanager
def serving() -> Generator[GitHub]:
    """Serve at a port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body: Object = json.loads(self.rfile.read(size) or "{}")
            token = self.headers.get("Authorization", "")
            code, content = github.answer(self.command, self.path, token, body)
            text = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PATCH = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github = GitHub(server.server_address[1])
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
