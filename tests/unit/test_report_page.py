"""The page of a report is whole in itself, inert whatever it tells, and readable by everyone."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from stacks.settings import PROJECT
from tests.unit.pods import container, deployment
from tests.unit.recorder import Object
from tests.unit.test_report import STACK, told
from tools import engine, paths, report
from tools.render import render
from tools.report.as_html import show

STACKS = sorted(path.name.split(".")[1] for path in (paths.ROOT / "stacks").glob("Pulumi.*.yaml"))
every_stack = pytest.mark.parametrize("stack", STACKS)

HOSTILE = (
    "</style></title></svg></pre><script>alert(1)</script><img src=x onerror=alert(2)>\" '\x00"
)

VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """A page as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        """The texts by the elements that they stand in."""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, *names: str) -> list[dict[str, str]]:
        """The attributes of all elements of these names."""
        return [attributes for tag, attributes in self.tags if tag in names]


def page(stack: str) -> Page:
    return Page(show(report.report(stack)))


def hostile_pod() -> Object:
    mounts = [{"name": HOSTILE, "mountPath": HOSTILE}]
    words = {"image": HOSTILE, "command": [HOSTILE, f"{HOSTILE}\n"], "volumeMounts": mounts}
    sender = container("sender", env=[{"name": "TARGET", "value": HOSTILE}])
    return deployment(
        HOSTILE,
        container(HOSTILE, **words),
        sender,
        serviceAccountName=HOSTILE,
        shareProcessNamespace=True,
        volumes=[{"name": HOSTILE, "hostPath": {"path": HOSTILE}}],
    )


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section"),
    *(
        "h1",
        "h2",
        "h3",
        "p",
        "div",
        "span",
        "a",
        "code",
        "pre",
        "wbr",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
    ),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary"),
    *("svg", "desc", "rect", "circle", "path", "text"),
}


def assert_inert(found: Page) -> None:
    """It runs nothing, loads nothing, and leads to nothing but itself."""
    assert {tag for tag, _ in found.tags} <= TAGS
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not {"src", "style", "srcset", "action", "xlink:href"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#"), tag


def test_hostile_texts_of_a_stack_file_are_shown_and_do_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {
        f"{PROJECT}:namespace": "here",
        f"{PROJECT}:demos": {
            "signal": {"message": HOSTILE},
            "init-sidecar": {"initialText": HOSTILE, "updatedText": f"{HOSTILE}\n{HOSTILE}"},
        },
    }

    def stack_config(_: str) -> dict[str, Any]:
        return config

    monkeypatch.setattr(engine, "stack_config", stack_config)
    found = page("dev")
    assert_inert(found)
    assert found.texts["code"].count(HOSTILE.replace("\x00", "�")) == 2


def test_hostile_manifests_are_shown_and_do_nothing() -> None:
    found = Page(show(told(hostile_pod(), **{"limits.cpu": "0"})))
    assert_inert(found)
    shown = HOSTILE.replace("\x00", "�")
    for element in ("a", "h2", "th", "code", "pre", "dd", "summary"):
        assert any(shown in text for text in found.texts[element]), element
    assert "\x00" not in str(found.texts)


@every_stack
def test_a_page_needs_nothing_else(stack: str) -> None:
    found = page(stack)
    assert_inert(found)
    style = "".join(found.texts["style"])
    assert not re.search(r"url\(|@import|expression|</", style)


def test_the_pages_policy_lets_only_its_own_style_apply() -> None:
    found = page("dev")
    digest = hashlib.sha256("".join(found.texts["style"]).encode()).digest()
    policy = next(item for item in found.all("meta") if "http-equiv" in item)
    assert policy == {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; base-uri 'none'; form-action 'none';"
        f" style-src 'sha256-{base64.b64encode(digest).decode()}'",
    }


@every_stack
def test_a_page_is_the_same_each_time(stack: str) -> None:
    assert show(report.report(stack)) == show(report.report(stack))


def test_a_phone_is_told_to_show_it_at_its_own_width_and_colours() -> None:
    names = {item.get("name"): item.get("content") for item in page("dev").all("meta")}
    assert names["viewport"] == "width=device-width, initial-scale=1"
    assert names["color-scheme"] == "light dark"


@every_stack
def test_headings_make_an_outline_and_links_lead_to_them(stack: str) -> None:
    found = page(stack)
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len({*ids}) == len(ids)
    links = [item["href"][1:] for item in found.all("a")]
    labels = [name for _, item in found.tags for name in item.get("aria-labelledby", "").split()]
    assert {*links, *labels} <= {*ids}
    assert found.all("html") == [{"lang": "en"}]
    assert all(item.get("scope") in ("row", "col") for item in found.all("th"))


@every_stack
def test_every_pod_has_a_picture_that_is_told_in_words_too(stack: str) -> None:
    found = page(stack)
    pods = [item for item in render(stack) if item.object["kind"] in ("Deployment", "Pod")]
    pictures = [item for item in found.all("svg") if item.get("role") == "img"]
    assert len(pictures) == len(found.texts["desc"]) == len(pods)
    assert all("aria-labelledby" in item for item in pictures)
    others = [item for item in found.all("svg") if item not in pictures]
    assert all(item["aria-hidden"] == "true" for item in others)


def test_a_picture_tells_who_starts_mounts_signals_and_has_the_token() -> None:
    words = "".join(page("article").texts["desc"])
    assert "1: init-config, init container, writes to config-vol. 2: main-app, container," in words
    assert "signal-sender signals main-app." in words
    assert "version-updater, container, reads api-token, has an API token." in words


def test_what_exceeds_the_budget_stands_on_top() -> None:
    shown = show(told(*STACK, pods="1"))
    assert '<p class="over">budget.pods: found 2, allowed is 1: 1 too much.' in shown
    assert '<span class="over">200 %</span> of&nbsp;1' in shown
    assert 'class="over"' not in show(told(*STACK, pods="2"))


def palettes() -> list[dict[str, str]]:
    """The colours of the style, light and dark."""
    style = "".join(page("dev").texts["style"])
    found: list[dict[str, str]] = []
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        own = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        found.append({**(found[0] if found else {}), **own})
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


SURFACES = ["page", "surface", "init-surface", "sidecar-surface", "container-surface"]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out_from_what_it_stands_on(scheme: int) -> None:
    colours = palettes()[scheme]
    pairs = [(text, surface) for text in ("ink", "muted", "token") for surface in SURFACES]
    pairs += [(text, surface) for text in ("link", "signal", "over") for surface in SURFACES[:2]]
    # The number of a step, and the frames of containers.
    pairs += [("surface", role) for role in ("init", "sidecar", "container")]
    pairs += [(role, f"{role}-surface") for role in ("init", "sidecar", "container")]
    low = {pair: contrast(*(colours[name] for name in pair)) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


def test_dark_has_colours_of_its_own() -> None:
    light, dark = palettes()
    assert all(light[name] != dark[name] for name in light)
