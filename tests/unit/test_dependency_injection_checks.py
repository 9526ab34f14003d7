"""The checks of dependency injection pass on what it promises, and on nothing less."""

import hashlib

import pytest

from components.checks import dependency_injection
from components.plugin_offer import greeter
from tests.unit.simulated import always, every, looked, named, refused

CHECKS = dependency_injection.checks({"version": "2.0.0"})
CURRENT, TIDY, RUNS = (
    named(CHECKS, name) for name in ("bundle current", "nothing left over", "plug-in runs")
)
WANTED = hashlib.sha256(greeter({"version": "2.0.0"})[0]).hexdigest()
OTHER = "0" * 64


def state(link: str, status: str, *files: str) -> str:
    return f"{link}\n{' '.join(['current', 'status', *files])} \n{status}\n"


def test_the_wanted_bundle_passes() -> None:
    using = f"using 2.0.0, sha256 {WANTED}"
    assert looked(CURRENT, answer=always(state(WANTED, using))) == using


@pytest.mark.parametrize(
    ("link", "status"),
    [
        (OTHER, f"using 1.0.0, sha256 {OTHER}"),
        (OTHER, f"using 2.0.0, sha256 {WANTED}"),
        (WANTED, f"refused 3.0.0, 2.0.0 stays: sha256 is {OTHER}, wanted {WANTED}"),
        ("", "cannot fetch 2.0.0: no connection to 192.0.2.1 port 8080: Connection refused"),
    ],
)
def test_another_bundle_fails_with_the_fetchers_reason(link: str, status: str) -> None:
    seen = refused(CURRENT, answer=always(state(link, status)))
    assert seen == f"current is {link or 'nothing'}; the fetcher says: {status}"


def test_a_new_bundle_may_take_the_kubelets_time() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        digest, version = (WANTED, "2.0.0") if now > 250 else (OTHER, "1.0.0")
        return state(digest, f"using {version}, sha256 {digest}")

    assert looked(CURRENT, answer=answer)


def test_the_bundle_before_may_be_there_and_nothing_else() -> None:
    assert "2 bundles" in looked(TIDY, answer=always(state(WANTED, "", WANTED, OTHER)))
    assert "1 bundles" in looked(TIDY, answer=always(state(WANTED, "", WANTED)))
    for files in ([WANTED, OTHER, "1" * 64], [OTHER], [WANTED, ".part"], [WANTED, "current.new"]):
        assert refused(TIDY, answer=always(state(WANTED, "", *files))).startswith("there is ")


def test_an_app_that_runs_the_plug_in_passes() -> None:
    lines = every(10, lambda _: "Plug-in greeter 2.0.0: Hello")
    assert looked(RUNS, logs={"main-app": lines}) == "last line 'Plug-in greeter 2.0.0: Hello'"


@pytest.mark.parametrize(
    "line",
    [
        "Plug-in greeter 1.0.0: Hello",
        "Plug-in greeter 2.0.0: Hell",
        "The plug-in has ended with exit code 2",
    ],
)
def test_an_app_that_says_anything_else_fails(line: str) -> None:
    assert repr(line) in refused(RUNS, logs={"main-app": every(10, lambda _: line)})


def test_an_app_that_has_stopped_fails() -> None:
    lines = every(10, lambda _: "Plug-in greeter 2.0.0: Hello")[:5]
    assert refused(RUNS, logs={"main-app": lines}) == "the app prints nothing"


def test_of_anothers_plug_in_any_line_passes_but_its_failure() -> None:
    url = "https://example.org/it.tar.gz"
    runs = named(dependency_injection.checks({"source": url, "sha256": OTHER}), "plug-in runs")
    assert looked(runs, logs={"main-app": every(10, lambda _: "anything")})
    failed = "The plug-in has ended with exit code 1"
    assert refused(runs, logs={"main-app": every(10, lambda _: failed)})
