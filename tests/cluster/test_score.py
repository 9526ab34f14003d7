"""kube-score, a linter of manifests, has nothing critical to say of any stack but article."""

import subprocess

import pytest

from tools.paths import built
from tools.render import render, to_yaml

WAIVED = {
    "ImagePullPolicy is not set to Always": (
        "tags are pinned, and a pod that restarts should not depend on a registry"
    ),
}


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_nothing_is_critical(stack: str) -> None:
    text = "---\n".join(to_yaml(item.object) for item in render(stack))
    done = subprocess.run(
        [built("kube-score") / "kube-score", "score", "--output-format", "ci", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert any(line.startswith("[OK]") for line in lines), done.stderr
    critical = [line for line in lines if line.startswith("[CRITICAL]")]
    assert [line for line in critical if not line.endswith(tuple(WAIVED))] == []
