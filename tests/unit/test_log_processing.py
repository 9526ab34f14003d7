import re
from typing import Any

import pytest

from components.log_processing import LogProcessing, names_pattern
from components.quantity import parse_quantity
from tests.unit.hardening import users
from tests.unit.recorder import Object, containers, pod_of, registered


def pod(args: Any) -> Object:
    objects = registered(lambda: LogProcessing("log-processing-demo", args))
    return pod_of(objects.one("Deployment"))


def volume(template: Object, name: str) -> Object:
    return next(item for item in template["spec"]["volumes"] if item["name"] == name)


def test_the_sidecar_alone_has_its_place_and_both_have_the_log() -> None:
    template = pod({})
    assert users(template, "state") == ["log-processor"]
    assert sorted(users(template, "logs")) == ["log-processor", "main-app"]


def test_the_sidecar_can_signal_the_app_and_see_what_it_has_open() -> None:
    template = pod({})
    assert template["spec"]["shareProcessNamespace"] is True
    sidecar = containers(template)["log-processor"]
    assert {"name": "TARGET", "value": "main-app"} in sidecar["env"]
    # One and the same path, by which the sidecar finds who has a file open.
    paths = [
        mount["mountPath"]
        for container in containers(template).values()
        for mount in container["volumeMounts"]
        if mount["name"] == "logs"
    ]
    assert len(paths) == 2
    assert len(set(paths)) == 1


@pytest.mark.parametrize(
    ("size", "number", "limit"),
    [("1Mi", "1048576", "16Mi"), ("16Ki", "16384", "12648448"), ("16Mi", "16777216", "76Mi")],
)
def test_the_volume_has_room_for_more_than_what_is_rotated(
    size: str, number: str, limit: str
) -> None:
    template = pod({"max_size": size})
    assert number in containers(template)["log-processor"]["command"]
    assert volume(template, "logs")["emptyDir"] == {"sizeLimit": limit}


def test_the_volume_fits_into_what_the_pod_may_take_of_the_disk() -> None:
    template = pod({"max_size": "16Mi"})
    limits = [
        parse_quantity(container["resources"]["limits"]["ephemeral-storage"])
        for container in containers(template).values()
    ]
    # The kubelet keeps five files of 10Mi of each container's output by default.
    taken = [
        parse_quantity(volume(template, it)["emptyDir"]["sizeLimit"]) for it in ("logs", "state")
    ]
    assert sum(taken) + 2 * parse_quantity("50Mi") <= sum(limits)


@pytest.mark.parametrize("size", ["16383", "17Mi", "0", "-1Mi"])
def test_a_size_that_makes_no_sense_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match=f"max_size: found '{size}', allowed is 16Ki to 16Mi"):
        pod({"max_size": size})


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ([], "masked_keys: found none, allowed is at least one name"),
        (["a|b"], re.escape("masked_keys: found 'a|b', allowed are names of A-Z")),
        (["pass word"], "masked_keys: found 'pass word'"),
        (["-a"], "masked_keys: found '-a'"),
        (["a/"], "masked_keys: found 'a/'"),
        (["token", ""], "masked_keys: found ''"),
    ],
)
def test_what_is_no_name_to_mask_is_refused(keys: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        pod({"masked_keys": keys})


def test_names_are_matched_however_their_words_are_joined() -> None:
    pattern = names_pattern(["API_Key", "token", "a-b--c"])
    assert pattern == "api[-_]?key|token|a[-_]?b[-_]?c"
    assert (
        pattern
        in containers(pod({"masked_keys": ["API_Key", "token", "a-b--c"]}))["log-processor"][
            "command"
        ]
    )
