"""The package that others install, for tests of what they get."""

from pathlib import Path

import pytest

from tests import package


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is published."""
    return package.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import it from."""
    folder = tmp_path_factory.mktemp("installed")
    package.install(wheel, folder)
    return folder
