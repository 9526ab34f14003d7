"""As much of GitHub's REST API as it takes to write something and to edit it later.

https://docs.github.com/en/rest
"""

import json
from collections.abc import Mapping
from typing import Any

import urllib3

from tools.errors import CommandError

Object = dict[str, Any]

AUTHOR = "github-actions[bot]"
"""Who writes with a workflow's own token. Others may write the same marker: theirs stays."""

LIMIT = 65_536
"""Characters that GitHub takes for a comment or an issue."""

_PAGE = 100


class Repository:
    """A repository, as the variables of a workflow name it, and a token for it.

    https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises CommandError for a variable that is missing."""
        for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN"):
            if not environment.get(name):
                raise CommandError(f"{name}: found nothing; a workflow has it, or must pass it on")
        api = environment.get("GITHUB_API_URL") or "https://api.github.com"
        self._root = f"{api}/repos/{environment['GITHUB_REPOSITORY']}"
        self._headers = {
            "Authorization": f"Bearer {environment['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "sidecar-powers",
        }

    def all(self, path: str, **query: str) -> list[Object]:
        """What is listed there, from all pages."""
        found: list[Object] = []
        page = 1
        while True:
            fields = {**query, "per_page": str(_PAGE), "page": str(page)}
            items: list[Object] = self._ask("GET", path, fields=fields)
            found += items
            if len(items) < _PAGE:
                return found
            page += 1

    def keep(self, path: str, text: str, query: Mapping[str, str], **more: str) -> str:
        """Make this text the one that stands there under its first line; returns its URL.

        What AUTHOR has written and the query lists is edited; without it, a new one is made.
        """
        marker = text.partition("\n")[0]
        for item in self.all(path, **query):
            author: Object = item["user"] or {}
            if author.get("login") == AUTHOR and (item["body"] or "").startswith(marker):
                where = item["url"].removeprefix(f"{self._root}/")
                return self._ask("PATCH", where, json={**more, "body": text})["html_url"]
        return self._ask("POST", path, json={**more, "body": text})["html_url"]

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        url = f"{self._root}/{path}"
        try:
            answer = urllib3.request(method, url, headers=self._headers, timeout=30, **more)
            content: Any = answer.json()
        except (urllib3.exceptions.HTTPError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"GitHub can't be asked: {method} {url}: {error}") from None
        if answer.status >= 400:
            said = content.get("message", "")
            raise CommandError(f"GitHub refuses {method} {url}: {answer.status} {said}")
        return content
