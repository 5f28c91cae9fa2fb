"""Virtual machines. Defaults and update calls: recordings/FACTS.md, Compute Engine, instances."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Drift, Field, Resource, RestKind, Spec, Update, lookup

STOPPED = "Google changes this only while the machine is stopped: stop it, change it there, and run this again."
REMAKE = "Remove the machine (state: absent) and run this again; nothing on a bastion is worth keeping."


def _with_fingerprint(path: str) -> Update:
    """setTags and setMetadata take the whole object with the fingerprint of the one that is there."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        return {"items": spec[path]["items"], "fingerprint": lookup(have, f"{path}.fingerprint", "")}

    return Update(f"set{path[0].upper()}{path[1:]}", body=body)


def _labels(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    return {"labels": spec["labels"], "labelFingerprint": have.get("labelFingerprint", "")}


INSTANCE = RestKind(
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
