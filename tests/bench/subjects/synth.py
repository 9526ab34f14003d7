"""Makes objects with cdk8s and prints them: python synth.py OBJECTS.

Runs in the environment of cdk8s, without this project. ApiObject is its fastest way: the typed
classes of cdk8s-plus make the same objects in more calls to Node.
https://cdk8s.io/docs/latest/basics/api-object/
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# What type checkers of this project don't have.
cdk8s: Any = import_module("cdk8s")
app = cdk8s.App()
chart = cdk8s.Chart(app, "bench", disable_resource_name_hashes=True)
for number, item in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    version, kind, about = item.pop("apiVersion"), item.pop("kind"), item.pop("metadata")
    made = cdk8s.ApiObject(chart, str(number), api_version=version, kind=kind, metadata=about)
    made.add_json_patch(*(cdk8s.JsonPatch.add(f"/{key}", value) for key, value in item.items()))
sys.stdout.write(app.synth_yaml())
