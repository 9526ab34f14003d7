"""What can go wrong, in sentences for a person to read."""

from tools.provider.values import Properties
from tools.status import Object, entries


class ProviderError(Exception):
    """Why something cannot be done: one clear sentence, shown by the engine as it stands."""


class ApiError(ProviderError):
    """The API server refused a request; the text is its own message.

    See https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.
    """

    def __init__(self, code: int, status: Object) -> None:
        """`code` is the HTTP status, `status` the body: a Status, or {} if it was none."""
        message = str(status.get("message") or f"the API server answered {code}")
        super().__init__(message)
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.causes = entries(status, "details", "causes")
        """Of a 409 or 422: `field` names the field, `message` says what is wrong with it."""


class NotReadyError(ProviderError):
    """The object exists but is not ready: in time, or at all. The state keeps it."""

    def __init__(self, reason: str, live: Object) -> None:
        super().__init__(reason)
        self.live = live
        """The object as last seen."""


class InitFailedError(ProviderError):
    """What the engine must record of an object that exists but did not become ready.

    Without it the engine would forget the object, and the next `up` would fail because it exists.
    """

    def __init__(
        self, reason: str, resource_id: str, outputs: Properties, inputs: Properties
    ) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.outputs = outputs
        self.inputs = inputs
