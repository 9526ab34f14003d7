"""What a stack's pods take and how they are made, for people: from the manifests alone."""

from components.usage import total, workload_usage
from stacks.budget import exceeded
from stacks.settings import decoded, encoded, read
from tools import engine
from tools.render import render
from tools.report.manifests import quota, workloads
from tools.report.model import Report


def report(stack: str) -> Report:
    """What there is to tell of a stack. Raises CommandError where its file is wrong."""
    config = engine.stack_config(stack)
    objects = [item.object for item in render(stack, config=config)]
    settings = read(decoded(encoded(config))).settings
    return Report(
        stack,
        settings.namespace,
        workloads(objects),
        total(map(workload_usage, objects)),
        quota(objects),
        settings.budget,
        exceeded(settings.budget, objects),
    )
