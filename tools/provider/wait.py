"""Waits until an object is ready or gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tools.provider.errors import NotReadyError, ProviderError
from tools.provider.objects import Api, Ref
from tools.provider.reasons import Trouble, deployment_trouble, pod_trouble
from tools.status import Object, condition, entries, section

DEFAULT_TIMEOUT_S = 600.0
"""The published plugin's; `customTimeouts` and `pulumi.com/timeoutSeconds` go before it."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.5
"""Between two looks: short at first, because most things take no longer."""

_REASON_AFTER_S, _REASON_EVERY_S = 1.0, 2.0
"""When the reason is first looked for, which takes requests of its own, and how often then."""

Report = Callable[[str], Awaitable[None]]
"""Shows a line beside the resource while it is being waited for."""


class Waiter:
    """Waits for objects until they are as wanted, it takes too long, or the engine cancels."""

    def __init__(self) -> None:
        self._canceled = asyncio.Event()

    def cancel(self) -> None:
        """End all waits now."""
        self._canceled.set()

    async def pause(self, seconds: float) -> None:
        """Raises ProviderError when the engine cancels."""
        try:
            await asyncio.wait_for(self._canceled.wait(), seconds)
        except TimeoutError:
            return
        raise ProviderError("canceled while waiting")

    async def ready(self, api: Api, ref: Ref, live: Object, timeout: float, say: Report) -> Object:
        """The object when it is ready.

        Raises NotReadyError with the reason when `timeout` (seconds; 0 for the annotation's or
        the default) has passed, when there is no hope left, or when the engine cancels.
        """
        if skips_wait(live):
            return live
        timeout = timeout or _annotated_timeout(live) or DEFAULT_TIMEOUT_S
        now = time.monotonic()
        deadline, reason, pause, told = now + timeout, now + _REASON_AFTER_S, _FIRST_PAUSE_S, ""
        while not _is_ready(live):
            now = time.monotonic()
            late = now >= deadline
            if late or now >= reason:
                found = await trouble(api, live, with_logs=late)
                if late or found.hopeless:
                    found = await trouble(api, live, with_logs=True)
                    after = f" after {timeout:.0f} s" if late else ""
                    raise NotReadyError(f"{ref} is not ready{after}: {found.text}", live)
                reason = now + _REASON_EVERY_S
                if found.text != told:
                    told = found.text
                    await say(told)
            try:
                await self.pause(min(pause, max(deadline - now, 0.01)))
            except ProviderError as error:
                why = (await trouble(api, live, with_logs=False)).text
                raise NotReadyError(f"{ref}: {error}: {why}", live) from error
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            seen = await api.get(ref)
            if seen is None:
                raise NotReadyError(f"{ref} was deleted while waiting for it", live)
            live = seen
        if told:
            await say("")
        return live

    async def gone(self, api: Api, ref: Ref, uid: str, timeout: float, say: Report) -> None:
        """Return when no object with that uid is left.

        Raises ProviderError with what holds it when `timeout` (seconds; 0 for the default) has
        passed, or when the engine cancels.
        """
        timeout = timeout or DEFAULT_TIMEOUT_S
        deadline, pause, told = time.monotonic() + timeout, _FIRST_PAUSE_S, ""
        while True:
            live = await api.get(ref)
            if live is None or live["metadata"]["uid"] != uid:
                if told:
                    await say("")
                return
            holds = _what_holds(live)
            if time.monotonic() >= deadline:
                raise ProviderError(f"{ref} is still there after {timeout:.0f} s: {holds}")
            if holds != told:
                told = holds
                await say(told)
            await self.pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)


def skips_wait(obj: Object) -> bool:
    """Whether the object asks not to be waited for.

    See https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/.
    """
    return section(obj, "metadata", "annotations").get("pulumi.com/skipAwait") == "true"


def _annotated_timeout(obj: Object) -> float:
    text = section(obj, "metadata", "annotations").get("pulumi.com/timeoutSeconds", "")
    return float(text) if text.isdecimal() else 0


async def not_ready_now(api: Api, live: Object) -> str | None:
    """Why the object is not ready at this moment, None if it is: what a refresh records."""
    if skips_wait(live) or _is_ready(live):
        return None
    return (await trouble(api, live, with_logs=False)).text


def _is_ready(live: Object) -> bool:
    status: Object = live.get("status", {})
    match live["kind"]:
        case "Pod":
            # Restarted containers count again only after the kubelet has seen the change.
            ready = condition(live, "Ready").get("status") == "True"
            alive = not live["metadata"].get("deletionTimestamp")
            return status.get("phase") == "Succeeded" or (ready and alive)
        case "Deployment":
            wanted = live["spec"].get("replicas", 1)
            counts = [status.get(f"{name}Replicas", 0) for name in ("updated", "available")]
            seen = status.get("observedGeneration", 0) >= live["metadata"]["generation"]
            # No old ones left, those that are still ending not counted.
            return seen and counts == [wanted, wanted] and status.get("replicas", 0) == wanted
        case "Job":
            return condition(live, "Complete").get("status") == "True"
        case _:
            return True


async def trouble(api: Api, live: Object, with_logs: bool) -> Trouble:
    """What keeps the object from being ready."""
    match live["kind"]:
        case "Pod":
            return await pod_trouble(api, live, with_logs)
        case "Deployment":
            return await deployment_trouble(api, live, with_logs)
        case _:
            failed = condition(live, "Failed")
            if failed.get("status") == "True":
                return Trouble(f"{failed.get('reason')}: {failed.get('message')}", hopeless=True)
            return Trouble("it is not complete yet")


def _what_holds(live: Object) -> str:
    """Why an object that is being deleted still exists."""
    if live["kind"] == "Namespace":
        conditions = entries(live, "status", "conditions")
        remaining = [item["message"] for item in conditions if item["status"] == "True"]
        if remaining:
            return "; ".join(remaining)
    finalizers: list[str] = live["metadata"].get("finalizers") or []
    if finalizers:
        return f"finalizers {', '.join(finalizers)}"
    return "its containers have not ended yet" if live["kind"] == "Pod" else "it is being deleted"
