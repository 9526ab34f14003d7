"""What the peers read: a chart, and a folder of manifests."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tests.bench.model import Object
from tests.bench.objects import DEMOS
from tools.render import to_yaml

_INSTANCE = re.compile(rf"({'|'.join(DEMOS)})-(\d+)-")


def manifests(objects: Iterable[Object], folder: Path) -> Path:
    """All objects as one file for kubectl, in a folder that kustomize reads too."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "all.yaml"
    file.write_text("---\n".join(to_yaml(item) for item in objects))
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": [file.name]}))
    return file


def chart(objects: Iterable[Object], instances: int, folder: Path) -> Path:
    """A chart that makes these objects: a template a pattern, with a loop over its instances.

    What belongs to no instance is a template of its own.
    """
    bodies: dict[str, str] = {}
    for item in objects:
        found = _INSTANCE.search(item["metadata"]["name"])
        # The first instance of a pattern stands for all others.
        if found and int(found[2]) != DEMOS.index(found[1]):
            continue
        text = to_yaml(item).replace("{{", '{{ "{{" }}')
        pattern = found[1] if found else ""
        if found:
            text = text.replace(found[0], f"{pattern}-{{{{ . }}}}-")
        bodies[pattern] = f"{bodies.get(pattern, '')}---\n{text}"
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    for pattern, body in bodies.items():
        loop = f'{{{{- range index .Values "{pattern}" }}}}\n{body}{{{{- end }}}}\n'
        file = folder / "templates" / f"{pattern or 'common'}.yaml"
        file.write_text(loop if pattern else body)
    about = {"apiVersion": "v2", "name": "bench", "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(json.dumps(about))
    values = {demo: [*range(index, instances, 5)] for index, demo in enumerate(DEMOS)}
    (folder / "values.yaml").write_text(json.dumps(values))
    return folder
