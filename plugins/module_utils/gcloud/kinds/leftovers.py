"""Kinds that GKE makes by itself and leaves behind; they are only ever removed (google-cloud-lessons 14)."""

from __future__ import annotations

from ..model import RestKind

NETWORK_ENDPOINT_GROUP = RestKind(
    name="network_endpoint_group",
    service="compute",
    collection="networkEndpointGroups",
    own={"project": "{project}", "zone": "{zone}", "networkEndpointGroup": "{name}"},
    parent={"project": "{project}", "zone": "{zone}"},
    link="projects/{project}/zones/{zone}/networkEndpointGroups/{name}",
    operation="compute",
)
DISK = RestKind(
    name="disk",
    service="compute",
    collection="disks",
    own={"project": "{project}", "zone": "{zone}", "disk": "{name}"},
    parent={"project": "{project}", "zone": "{zone}"},
    link="projects/{project}/zones/{zone}/disks/{name}",
    operation="compute",
)
