"""How much the engine asks of the API server, which no clock changes: it may fall, and never rise
unseen.
"""

from collections import Counter

from tests.cluster.program import Object
from tests.cluster.project import Project
from tests.cluster.requests import counted

DEMOS: Object = {
    demo: {} for demo in ("shared-filesystem", "init-sidecar", "signal", "env-inherit", "resource")
}
OBJECTS = 11
"""Of these demos and their namespace, the Namespace itself not counted."""


def test_no_command_asks_more_of_the_api_server_than_it_did(project: Project) -> None:
    project.configure(demos=DEMOS)
    with counted(project.namespace) as preview:
        project.registered()
    assert preview == {"dry-create": OBJECTS}
    with counted(project.namespace) as first:
        project.up()
    # How often it looks whether pods are ready depends on how long they take.
    writes = first - Counter(get=first["get"], list=first["list"])
    assert writes.keys() == {"create", "patch"}
    assert writes["create"] == OBJECTS
    # One each, to own it, and again where a controller was faster.
    assert OBJECTS <= writes["patch"] <= 2 * OBJECTS
    with counted(project.namespace) as unchanged:
        project.up()
    assert unchanged == {}
    with counted(project.namespace) as refreshed:
        project.refresh()
    assert refreshed == {"get": OBJECTS + 1}
    with counted(project.namespace) as removed:
        project.destroy()
    assert removed["delete"] == OBJECTS + 1
    assert removed.keys() == {"delete", "get"}
