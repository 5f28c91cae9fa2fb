"""Virtual machines. Defaults and update calls: recordings/FACTS.md, Compute Engine, instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model import Caller, Drift, Field, Resource, RestKind, Spec, Update, lookup
from ..operations import Patience, wait

STOPPED = (
    "Google changes this only while the machine is stopped: allow that (bastion.allow_stop: true), or stop it, "
    "change it there, and run this again."
)
STOP_SECONDS = 300.0
REMAKE = "Remove the machine (state: absent) and run this again; nothing on a bastion is worth keeping."


def _with_fingerprint(path: str) -> Update:
    """setTags and setMetadata take the whole object with the fingerprint of the one that is there."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        return {"items": spec[path]["items"], "fingerprint": lookup(have, f"{path}.fingerprint", "")}

    return Update(f"set{path[0].upper()}{path[1:]}", body=body)


def _labels(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    return {"labels": spec["labels"], "labelFingerprint": have.get("labelFingerprint", "")}


@dataclass(frozen=True, kw_only=True)
class InstanceKind(RestKind):
    """A machine, for some of whose fields it is stopped, changed and started again: the update ``stopped``.

    A run that is killed in between leaves a stopped machine, which the next run changes and starts.
    """

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Change *drifts*, all of the update *name*."""
        if name != "stopped":
            return super().update(api, resource, spec, have, name, drifts)
        if have.get("status") != "TERMINATED":
            self._do(api, resource, "stop", None)
        parts = {drift.path.split(".")[0] for drift in drifts}
        if "machineType" in parts:
            self._do(api, resource, "setMachineType", {"machineType": spec["machineType"]})
        if "serviceAccounts" in parts:
            self._do(api, resource, "setServiceAccount", dict(spec["serviceAccounts"][0]))
        if "shieldedInstanceConfig" in parts:
            self._do(api, resource, "updateShieldedInstanceConfig", dict(spec["shieldedInstanceConfig"]))
        return api.call("compute", "instances.start", self._fill(self.own, resource))

    def _do(self, api: Caller, resource: Resource, verb: str, body: Spec | None) -> None:
        answer = api.call("compute", f"instances.{verb}", self._fill(self.own, resource), body)
        wait(api, self.operation, answer, resource.params, f"{resource.title}: {verb}", Patience(STOP_SECONDS))


INSTANCE = InstanceKind(
    name="instance",
    service="compute",
    collection="instances",
    own={"project": "{project}", "zone": "{zone}", "instance": "{name}"},
    parent={"project": "{project}", "zone": "{zone}"},
    link="projects/{project}/zones/{zone}/instances/{name}",
    operation="compute",
    pending={"status": frozenset({"PROVISIONING", "STAGING", "STOPPING", "REPAIRING", "SUSPENDING"})},
    fields=(
        Field("machineType", update=None, way_out=STOPPED),
        Field("disks", compare="create"),
        Field("networkInterfaces", compare="value", update=None, way_out=REMAKE),
        Field("serviceAccounts", update=None, way_out=STOPPED),
        Field("shieldedInstanceConfig.enableSecureBoot", update=None, default=False, way_out=STOPPED),
        Field("shieldedInstanceConfig.enableVtpm", update=None, default=True, way_out=STOPPED),
        Field("shieldedInstanceConfig.enableIntegrityMonitoring", update=None, default=True, way_out=STOPPED),
        Field("confidentialInstanceConfig.enableConfidentialCompute", update=None, default=False, way_out=REMAKE),
        Field("canIpForward", update=None, default=False, way_out=REMAKE),
        Field("scheduling", compare="create"),
        Field("description", update=None),
        Field("labels", update="labels", compare="map"),
        Field("tags.items", update="tags", compare="set"),
        Field("metadata.items", update="metadata", compare="keyed", key="key"),
        Field("status", update="start", on_create=False),
    ),
    updates={
        "labels": Update("setLabels", body=_labels),
        "tags": _with_fingerprint("tags"),
        "metadata": _with_fingerprint("metadata"),
        "start": Update("start", body=lambda resource, spec, have, drifts: None),
    },
)

# The same where the user lets the machine be stopped for a change.
STOPPABLE_INSTANCE = replace(
    INSTANCE,
    fields=tuple(replace(field, update="stopped") if field.way_out == STOPPED else field for field in INSTANCE.fields),
)
