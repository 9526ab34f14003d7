"""The sidecar's token expires, and nobody notices."""

import re
from collections.abc import Iterator

import pytest

from components.own_pod import CREDENTIALS
from tests.cluster.faults import within
from tests.cluster.patched import applied
from tests.cluster.project import Cluster, Object, Project, restarts

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults-token")]
"""It waits most of its time: beside others."""

LIFETIME_S = 600
"""The shortest that Kubernetes allows."""

UPDATER = ("env-inherit", "version-updater")


def short_lived(demo: str, spec: Object) -> None:
    volume = next(item for item in spec["volumes"] if "projected" in item)
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    token["expirationSeconds"] = LIFETIME_S


@pytest.fixture(scope="module", autouse=True)
def demo(project: Project) -> Iterator[None]:
    project.configure(demos={"env-inherit": {"intervalSeconds": 5}})
    with applied(project, short_lived):
        yield


def test_the_updater_goes_on_when_its_first_token_has_expired(
    local_cluster: Cluster, project: Project
) -> None:
    def run(command: str) -> str:
        return local_cluster.run(project.namespace, *UPDATER, command)

    def status(token: str) -> str:
        """What the API server answers to a token."""
        return run(
            f"curl --silent --cacert {CREDENTIALS}/ca.crt --output /dev/null"
            f" --write-out '%{{http_code}}' --header 'Authorization: Bearer {token}'"
            " https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
            f"/api/v1/namespaces/{project.namespace}/pods/$POD_NAME"
        )

    def token() -> str:
        return run(f"cat {CREDENTIALS}/token").strip()

    def label() -> str:
        return local_cluster.pod(project.namespace, "env-inherit").metadata.labels["version"]

    first = token()
    assert status(first) == "200"
    # The kubelet replaces it when 80 % of its life are over.
    second = within(LIFETIME_S, lambda: (found := token()) != first and found)
    within(LIFETIME_S, lambda: status(first) == "401")
    assert status(second) == "200"
    before = label()
    within(30, lambda: label() != before)
    log = local_cluster.log(project.namespace, *UPDATER)
    assert not re.findall("401|Unauthorized|Trying again", log)
    assert restarts(local_cluster.pod(project.namespace, "env-inherit")) == 0
    project.verify()
