"""Results are told in full, refusals as rules, and printed commands are tried as they are."""

import json
import os
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from kubernetes.client.exceptions import ApiException

from components.checks import UnmetError
from tools import engine
from tools.errors import CommandError
from tools.target import Target
from tools.verify import Result, verify
from tools.verify.causes import missing_rules
from tools.verify.cluster import said, unmet
from tools.verify.commands import try_out
from tools.verify.patience import Patience, UnseenError
from tools.verify.report import show


def patience(seconds: float) -> Patience:
    return Patience(seconds, threading.Event())


PASSED = Result("signal", "", "ready", "1 of 1 pods are ready", True, "1 of 1", 0.5)
FAILED = Result(
    "signal",
    "signal-demo-1",
    "signals answered",
    "each line is answered",
    False,
    "a signal \x07 without an answer",
    12.25,
    ['container "main-app": OOMKilled, exit code 137; its last lines:\nlast words'],
)


def test_the_table_says_of_a_failed_check_what_was_expected_and_seen_and_why() -> None:
    table = show([PASSED, FAILED], "dev", "table")
    assert "1 of 2 checks passed" in table
    for text in (FAILED.expected, "without an answer", "OOMKilled, exit code 137", "last words"):
        assert text in table
    assert "FAILED" in str(FAILED)
    assert "FAILED" not in str(PASSED)


def test_pods_are_named_only_where_there_are_several() -> None:
    other = Result("signal", "signal-demo-2", "signals answered", "", True, "", 1)
    assert "signal-demo-1" not in show([PASSED, FAILED], "dev", "table").splitlines()[2]
    table = show([PASSED, FAILED, other], "dev", "table")
    assert "signal (signal-demo-2)" in table


def test_json_has_every_field() -> None:
    found = json.loads(show([PASSED, FAILED], "dev", "json"))
    assert (found["stack"], found["passed"]) == ("dev", False)
    assert found["checks"][1]["causes"] == FAILED.causes
    assert json.loads(show([PASSED], "dev", "json"))["passed"] is True


def test_junit_is_xml_whatever_a_container_prints() -> None:
    suite = ElementTree.fromstring(show([PASSED, FAILED], "dev", "junit").encode())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    case = suite.findall("testcase")[1]
    assert (case.get("classname"), case.get("time")) == ("signal (signal-demo-1)", "12.250")
    failure = case.find("failure")
    assert failure is not None
    assert "OOMKilled" in (failure.text or "")


FORBIDDEN = (
    'pods "x" is forbidden: User "system:serviceaccount:ns:pod-labeler" cannot patch resource'
    ' "pods" in API group "" in the namespace "ns"'
)


@pytest.mark.parametrize("text", [FORBIDDEN, json.dumps({"message": FORBIDDEN})])
def test_a_refusal_names_the_rule_that_is_missing(text: str) -> None:
    assert missing_rules(text) == [
        "RBAC: system:serviceaccount:ns:pod-labeler lacks the rule"
        ' apiGroups: [""], resources: ["pods"], verbs: ["patch"] in namespace ns'
    ]


def test_a_refusal_of_a_cluster_scoped_object_has_no_namespace() -> None:
    text = 'User "me" cannot list resource "nodes" in API group "metrics.k8s.io" at the cluster'
    assert missing_rules(text) == [
        'RBAC: me lacks the rule apiGroups: ["metrics.k8s.io"], resources: ["nodes"],'
        ' verbs: ["list"]'
    ]
    assert missing_rules("nothing of that kind") == []


def test_the_api_servers_own_words_are_found_in_either_kind_of_answer() -> None:
    body = json.dumps({"kind": "Status", "message": FORBIDDEN}, separators=(",", ":"))
    plain = ApiException(status=403, reason="Forbidden")
    plain.body = body
    stream = ApiException(status=0, reason=f"Handshake status 403 -+-+- {{}} -+-+- b'{body}'")
    assert said(plain) == said(stream) == FORBIDDEN
    assert said(ApiException(status=0, reason="no route")) == "no route"
    assert said(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("status", "reason", "final"),
    [
        (403, "Forbidden", True),
        (401, "Unauthorized", True),
        (0, "Handshake status 403 Forbidden", True),
        (404, 'pods "x" not found', True),
        # A kubelet that has just started.
        (404, "the server could not find the requested resource ( pods/log x)", False),
        (0, "Handshake status 404 Not Found -+-+- pod does not exist", False),
        (500, "etcdserver: leader changed", False),
        (0, "Connection reset by peer", False),
    ],
)
def test_only_what_would_be_answered_again_is_an_answer(
    status: int, reason: str, final: bool
) -> None:
    with pytest.raises(UnmetError) as raised, unmet():
        raise ApiException(status=status, reason=reason)
    assert isinstance(raised.value, UnseenError) is not final


def test_commands_that_go_on_are_ended_after_the_last_one(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    forward = f"sh -c 'echo $$ >{pid}; echo forwarding $0; exec sleep 60' 8080:80"
    assert try_out([forward, "echo done"], {}, patience(5)) == "2 of 2"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_local_port_is_a_free_one_in_both_commands(tmp_path: Path) -> None:
    file = tmp_path / "ports"
    commands = [
        f"sh -c 'echo $0 | tee -a {file}' 8080:8080",
        f"sh -c 'echo $0 | tee -a {file}' http://localhost:8080",
    ]
    try_out(commands, {}, patience(5))
    forwarded, url = file.read_text().split()
    local, _, port = forwarded.partition(":")
    assert port == "8080"
    assert local != "8080"
    assert url == f"http://localhost:{local}"


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ("sh -c 'echo no such thing >&2; exit 3'", "ended with exit code 3: no such thing"),
        ("true", "shows nothing"),
        ("sleep 60", "shows nothing"),
        ("no-such-program", "no-such-program is not installed"),
    ],
)
def test_a_command_that_shows_nothing_fails(command: str, seen: str) -> None:
    started = time.monotonic()
    with pytest.raises(UnmetError, match=seen):
        try_out([command], {}, patience(0.5))
    assert time.monotonic() - started < 10


def test_a_look_is_repeated_until_it_is_right_or_too_late() -> None:
    looks = iter([UnmetError("not yet"), "seen"])

    def look() -> str:
        found = next(looks)
        if isinstance(found, UnmetError):
            raise found
        return found

    assert patience(5).until(look) == "seen"
    with pytest.raises(UnmetError, match="never"):
        patience(0).until(_never)


def test_only_a_way_that_failed_is_tried_again_for_whoever_looks_once() -> None:
    errors = iter([UnseenError("connection lost"), UnmetError("refused")])

    def look() -> str:
        raise next(errors)

    with pytest.raises(UnmetError, match="refused"):
        patience(5).reached(look)


def _never() -> str:
    raise UnmetError("never")


def test_a_cluster_that_does_not_answer_is_one_message(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"name": "away", "cluster": {"server": "http://127.0.0.1:1"}}
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [cluster],
                "contexts": [{"name": "away", "context": {"cluster": "away", "user": ""}}],
            }
        )
    )
    target = Target("away", "away", str(kubeconfig))
    with pytest.raises(CommandError, match="Context away can't be reached"):
        verify("dev", engine.stack_config("dev"), target, print)
