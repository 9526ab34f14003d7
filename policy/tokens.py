"""The rule about API tokens: nobody gets one without asking."""

from collections.abc import Iterable

from policy.manifests import Manifests, found
from policy.model import Finding


def no_automount(manifests: Manifests) -> Iterable[Finding]:
    """Pods and service accounts switch the automatic mount off, and no token lives for ever."""
    for pod in manifests.pods:
        value = pod.spec.get("automountServiceAccountToken")
        if value is not False:
            path = f"{pod.path}spec.automountServiceAccountToken"
            yield Finding(pod.object, found(path, value, "false"))
    for account in manifests.of("ServiceAccount"):
        value = account.get("automountServiceAccountToken")
        if value is not False:
            yield Finding(account, found("automountServiceAccountToken", value, "false"))
    for secret in manifests.of("Secret"):
        if secret.get("type") == "kubernetes.io/service-account-token":
            allowed = "a projected serviceAccountToken, which expires"
            yield Finding(secret, found("type", secret.get("type"), allowed))
