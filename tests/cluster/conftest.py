"""The local cluster, and the program deployed on it."""

import sys
from collections.abc import Iterator

import pytest

from tests.cluster.project import Cluster, Project
from tools import cluster


@pytest.fixture(scope="session")
def local_cluster() -> Cluster:
    """The local cluster, started if it doesn't run; it is left running."""
    cluster.up(lambda line: print(line, file=sys.stderr))
    return Cluster()


@pytest.fixture(scope="module")
def project(local_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose stack is destroyed in the end."""
    project = Project(tmp_path_factory.mktemp("project"))
    yield project
    project.destroy()
