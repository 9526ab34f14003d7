"""Every pattern has its page and its picture, and they are of this state of the project."""

import re
from pathlib import Path

import pytest

from stacks.model import PATTERNS
from tests.unit import patterns
from tests.unit.recorder import Object, outputs, registered
from tools import pictures, policies
from tools.paths import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
SECTIONS = [
    "See it live",
    "What it guarantees",
    "What can go wrong",
    "When a ready-made sidecar is better",
]


def page(pattern: str) -> str:
    return (DOCS / f"{pattern}.md").read_text()


def links(text: str) -> list[str]:
    """The targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_has_all_sections_in_order(pattern: str) -> None:
    assert re.findall("^## (.*)$", page(pattern), re.MULTILINE) == SECTIONS
    for section in re.split("^## .*$", page(pattern), flags=re.MULTILINE):
        assert len(section.split()) > 20


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_shows_its_picture_and_leads_to_its_component(pattern: str) -> None:
    module = pattern.replace("-", "_")
    found = links(page(pattern))
    assert f"{pattern}.svg" in found
    assert f"../components/{module}.py" in found
    assert f"../components/checks/{module}.py" in found
    assert "../README.md#under-faults" in found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_page_shows_the_commands_that_the_stack_prints(pattern: str) -> None:
    found: list[Object] = []

    def program() -> None:
        args = patterns.args_of(pattern, namespace="sidecar-powers")
        demo = patterns.PATTERNS[pattern](f"{pattern}-demo", args)
        found.append(outputs(demo, ["commands"]))

    registered(program)
    assert found[0]["commands"]
    for command in found[0]["commands"]:
        assert f"\n{command}\n" in page(pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_readmes_lead_to_the_page(pattern: str) -> None:
    assert f"docs/{pattern}.md" in links(PAGES[0].read_text())
    assert f"{pattern}.md" in links((DOCS / "README.md").read_text())


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_link_into_the_repository_leads_somewhere(file: Path) -> None:
    for link in links(file.read_text()):
        if not link.startswith("https://"):
            assert (file.parent / link.partition("#")[0]).exists(), link


def test_every_pattern_has_a_picture_and_every_picture_a_pattern() -> None:
    names = [f"{pattern}.svg" for pattern in [*PATTERNS, "benchmarks"]]
    assert sorted(file.name for file in DOCS.glob("*.svg")) == sorted(names)
    assert [source.stem for source in pictures.sources()] == sorted(PATTERNS)


@pytest.mark.parametrize("source", pictures.sources(), ids=lambda source: source.stem)
def test_a_picture_is_the_one_of_its_source(source: Path) -> None:
    drawn = source.with_suffix(".svg").read_text()
    assert drawn.endswith(f"</svg>\n{pictures.mark(source)}"), "say `make docs`"


@pytest.mark.parametrize("source", pictures.sources(), ids=lambda source: source.stem)
def test_a_picture_is_small_and_readable_in_light_and_dark(source: Path) -> None:
    picture = source.with_suffix(".svg")
    assert picture.stat().st_size < 60_000
    assert "@media screen and (prefers-color-scheme:dark)" in picture.read_text()


def test_the_mark_of_a_picture_changes_with_source_and_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    style, source = tmp_path / "style.d2", tmp_path / "a.d2"
    monkeypatch.setattr(pictures, "STYLE", style)
    style.write_text("b")
    source.write_text("a")
    marks = {pictures.mark(source)}
    source.write_text("a2")
    marks.add(pictures.mark(source))
    style.write_text("b2")
    marks.add(pictures.mark(source))
    assert len(marks) == 3


def test_the_page_of_the_policies_has_every_rule_as_it_is() -> None:
    assert policies.PAGE.read_text() == policies.page(), "say `make docs`"
