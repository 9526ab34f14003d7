"""What the workflows may do, and that all they do is in the Makefile."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tools.paths import ROOT
from tools.workflows import ENVIRONMENTS

Object = dict[str, Any]

FILES = {file.stem: file for file in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
WORKFLOWS: dict[str, Object] = {
    name: yaml.safe_load(file.read_text()) for name, file in FILES.items()
}
JOBS: list[tuple[str, str, Object]] = [
    (name, key, job)
    for name, workflow in WORKFLOWS.items()
    for key, job in workflow["jobs"].items()
]
MAKEFILE = (ROOT / "Makefile").read_text()

OWN_BRANCH = "github.event.pull_request.head.repo.full_name == github.repository"
SETUP = ["git branch main HEAD^1", 'echo "stacks=$stacks" >> "$GITHUB_OUTPUT"']
"""What a step runs beside make: it concerns git and GitHub alone."""

AROUND = re.compile(
    r'(?:sudo env "PATH=\$PATH" "XDG_CACHE_HOME=\$HOME/\.cache" )?(?P<make>make [^|]*?)'
    r'(?: \| tee [a-z.]+ >> "\$GITHUB_STEP_SUMMARY")?|stacks=\$\((?P<listed>make .*)\)'
)
"""What may stand around a call of make."""


def triggers(workflow: dict[Any, Any]) -> Object:
    # YAML 1.1 takes the key `on` for true.
    return workflow[True]


def steps(job: Object) -> list[Object]:
    return job["steps"]


def ids(items: list[tuple[str, str, Object]]) -> list[str]:
    return [f"{name}-{key}" for name, key, _ in items]


def calls() -> Iterator[tuple[Object, list[str]]]:
    """Every call of make with its words, and the job it is in."""
    for _, _, job in JOBS:
        for step in steps(job):
            for line in step.get("run", "").splitlines():
                if line not in SETUP:
                    found = AROUND.fullmatch(line)
                    assert found, line
                    yield job, (found["make"] or found["listed"]).split()[1:]


def matrix(job: Object, name: str) -> list[str]:
    return job["strategy"]["matrix"][name]


def conditions(workflow: Object, job: Object) -> str:
    """A job's own, and those of the jobs it needs: if they are skipped, so is it."""
    needed = workflow["jobs"].get(job.get("needs"))
    return job.get("if", "") + (conditions(workflow, needed) if needed else "")


def secrets(value: Any) -> set[str]:
    return set(re.findall(r"secrets\.(\w+)", str(value)))


def all_jobs(test: Any) -> Any:
    return pytest.mark.parametrize(("name", "key", "job"), JOBS, ids=ids(JOBS))(test)


def test_the_workflows_are_those_that_their_page_tells_of() -> None:
    assert list(FILES) == ["comment", "deploy", "drift", "preview", "test"]
    page = (ROOT / "docs" / "workflows.md").read_text()
    for name in FILES:
        assert f"(../.github/workflows/{name}.yml)" in page


def test_the_engines_preview_keeps_to_the_policies() -> None:
    steps = WORKFLOWS["preview"]["jobs"]["preview"]["steps"]
    (preview,) = [step for step in steps if step.get("uses", "").startswith("pulumi/actions")]
    assert preview["with"]["policyPacks"] == "policy"


@pytest.mark.parametrize("name", FILES)
def test_actions_are_pinned_to_a_commit_whose_release_is_named(name: str) -> None:
    lines = [line for line in FILES[name].read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r" +- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_an_action_is_the_same_everywhere() -> None:
    text = "".join(file.read_text() for file in FILES.values())
    pins = set(re.findall(r"uses: (\S+)@(.*)", text))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("name", FILES)
def test_a_token_can_do_nothing_but_what_a_job_asks_for(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job in WORKFLOWS[name]["jobs"].values():
        assert job["permissions"]


def test_only_what_comments_and_opens_issues_can_write() -> None:
    found = {
        f"{name} {key}": [what for what, right in job["permissions"].items() if right == "write"]
        for name, key, job in JOBS
    }
    assert {job: rights for job, rights in found.items() if rights} == {
        "comment comment": ["pull-requests"],
        "drift drift": ["issues"],
        "preview preview": ["pull-requests"],
    }


@all_jobs
def test_a_job_ends_in_time(name: str, key: str, job: Object) -> None:
    assert 0 < job["timeout-minutes"] <= 60


@all_jobs
def test_a_checkout_leaves_no_token_behind(name: str, key: str, job: Object) -> None:
    checkouts = [step for step in steps(job) if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) == 1
    assert checkouts[0]["with"]["persist-credentials"] is False
    # What GitHub says it is: of an event that others cause with secrets at hand, main.
    assert not checkouts[0]["with"].keys() & {"ref", "repository"}


def test_the_code_of_a_fork_runs_without_secrets_and_cannot_write() -> None:
    open_to_forks = [
        job
        for name, _, job in JOBS
        if "pull_request" in triggers(WORKFLOWS[name]) and OWN_BRANCH not in job.get("if", "")
    ]
    assert len(open_to_forks) == 2
    for job in open_to_forks:
        assert set(job["permissions"].values()) == {"read"}
        assert not secrets(job)
        assert "environment" not in job
        assert "github.token" not in str(job)


def test_no_event_runs_a_forks_code_with_the_rights_of_this_repository() -> None:
    events = {event for workflow in WORKFLOWS.values() for event in triggers(workflow)}
    assert events == {
        "pull_request",
        "push",
        "schedule",
        "workflow_dispatch",
        "workflow_run",
    }
    assert [name for name in FILES if "workflow_run" in triggers(WORKFLOWS[name])] == ["comment"]


def test_the_comment_takes_one_file_of_the_pull_request_and_runs_none() -> None:
    (job,) = WORKFLOWS["comment"]["jobs"].values()
    assert [(step.get("uses") or step["run"]).partition("@")[0] for step in steps(job)] == [
        "actions/checkout",
        "actions/setup-python",
        "actions/download-artifact",
        'make comment COMMIT="$COMMIT" FILE=.local/artifact/diff.md',
    ]
    assert not secrets(job)
    (uploaded,) = [
        step["with"]
        for step in steps(WORKFLOWS["preview"]["jobs"]["diff"])
        if "upload-artifact" in step.get("uses", "")
    ]
    taken = steps(job)[2]["with"]
    assert (uploaded["name"], uploaded["path"]) == (taken["name"], "diff.md")
    assert triggers(WORKFLOWS["comment"])["workflow_run"]["workflows"] == ["preview"]


@all_jobs
def test_secrets_are_those_of_an_environment_and_for_single_steps(
    name: str, key: str, job: Object
) -> None:
    assert not secrets(triggers(WORKFLOWS[name]))
    outside = {field: value for field, value in job.items() if field != "steps"}
    assert not secrets(outside)
    if secrets(job):
        assert job["environment"]
        assert secrets(job) == {"KUBECONFIG", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"}


@all_jobs
def test_without_a_backend_nothing_asks_for_credentials(name: str, key: str, job: Object) -> None:
    if secrets(job):
        assert "vars.PULUMI_BACKEND_URL" in conditions(WORKFLOWS[name], job)


@all_jobs
def test_a_script_is_the_same_text_for_everybody(name: str, key: str, job: Object) -> None:
    assert all("${{" not in step.get("run", "") for step in steps(job))


def test_every_step_is_a_target_that_the_makefile_has() -> None:
    found: set[str] = set()
    for job, words in calls():
        target = next(word for word in words if word != "-s")
        found |= set(matrix(job, "target")) if target == '"$TARGET"' else {target}
        for variable in (word.partition("=")[0] for word in words if "=" in word):
            assert re.search(rf"^{variable} \?=", MAKEFILE, re.MULTILINE), variable
    for target in found:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    assert {"lint", "unit", "e2e", "diff", "touched", "up", "drift", "comment", "issue"} <= found


def test_a_merge_reaches_one_environment_after_the_other() -> None:
    jobs: dict[str, Object] = WORKFLOWS["deploy"]["jobs"]
    assert tuple(jobs) == ENVIRONMENTS
    assert [job.get("needs") for job in jobs.values()] == [None, *ENVIRONMENTS[:-1]]
    for stack, job in jobs.items():
        assert job["environment"] == stack
        assert steps(job)[-1]["run"] == (
            f"make up STACK={stack} YES=1\nmake preview STACK={stack} EXPECT_NO_CHANGES=1\n"
        )


def test_a_stack_is_deployed_once_at_a_time_and_to_the_end() -> None:
    groups = [job["concurrency"] for job in WORKFLOWS["deploy"]["jobs"].values()]
    assert groups == [
        {"group": f"deploy-{stack}", "cancel-in-progress": False} for stack in ENVIRONMENTS
    ]
    # GitHub drops a job that waits in a group for another one that comes later.
    others = [name for name in FILES if name != "deploy" and "deploy-" in FILES[name].read_text()]
    assert others == []


def test_drift_is_looked_for_everywhere_every_day() -> None:
    (job,) = WORKFLOWS["drift"]["jobs"].values()
    assert tuple(matrix(job, "stack")) == ENVIRONMENTS
    assert job["strategy"]["fail-fast"] is False
    (schedule,) = triggers(WORKFLOWS["drift"])["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])


def test_drift_that_was_found_becomes_an_issue_and_a_failure_does_not() -> None:
    (job,) = WORKFLOWS["drift"]["jobs"].values()
    look, tell = steps(job)[-2:]
    assert look["run"] == 'make drift STACK="$STACK" OUT=drift.md'
    assert tell["if"] == "failure() && hashFiles('drift.md') != ''"
    assert tell["run"] == 'make issue STACK="$STACK" FILE=drift.md'


def test_those_who_only_look_have_other_credentials_than_those_who_deploy() -> None:
    for name, key in (("preview", "preview"), ("drift", "drift")):
        job = WORKFLOWS[name]["jobs"][key]
        assert job["environment"] == "${{ matrix.stack }}-preview"


def test_each_stack_touched_is_previewed_and_told_in_a_comment() -> None:
    jobs: dict[str, Object] = WORKFLOWS["preview"]["jobs"]
    assert matrix(jobs["preview"], "stack") == "${{ fromJSON(needs.diff.outputs.stacks) }}"
    asked = steps(jobs["preview"])[-1]["with"]
    assert asked["stack-name"] == "${{ matrix.stack }}"
    assert (asked["command"], asked["diff"], asked["comment-on-pr"]) == ("preview", True, True)


def test_the_engine_is_of_the_sdks_version() -> None:
    version = re.findall(r"^pulumi==(.*)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    found = [
        step["with"]["pulumi-version"]
        for _, _, job in JOBS
        for step in steps(job)
        if "pulumi/actions@" in step.get("uses", "")
    ]
    assert len(found) == len(ENVIRONMENTS) + 2
    assert set(found) == set(version)
