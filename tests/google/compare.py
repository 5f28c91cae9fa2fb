"""Answers held against recorded ones: what differs in every run, what Google has changed, what proves nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Members that normalization removes in some logs: their absence in a recording proves nothing (README.md).
MAY_LACK = {
    "details", "debugInfo", "warnings", "peerings", "routingConfig", "subnetworks", "satisfiesPzi",
    "enableConfidentialCompute", "locked", "multiWriter", "sizeGb", "status.quotaUsage", "response.labels",
    "selfLinkWithId", "ruleNumber", "config", "done", "metadata", "pemCertificate", "usedBy",
    "bgpBestPathSelectionMode", "subnetwork", "generation", "satisfiesPZI",
}  # fmt: skip
# Members that come from steps which the recording does not hold, or that Google still showed when they were gone.
UNSEEN = {"peerings", "usedBy", "lastAttachTimestamp"}
# GKE's defaults have changed between 2024 and 2026; the emulator has those of 2026, the older recordings their own.
ERA = {
    "anonymousAuthenticationConfig", "controlPlaneEgress", "enableK8sCertsViaDns", "enableK8sTokensViaDns",
    "networkTierConfig", "dnsCacheConfig", "nodeReadinessConfig", "autoprovisioningNodePoolDefaults",
    "nodeCreationConfig", "podAutoscaling", "enablePrivateNodes", "bootDisk",
    "goog-gke-node-pool-provisioning-model", "kubeletConfig", "effectiveCgroupMode", "nodePoolAutoConfig",
    "rbacBindingConfig", "userManagedKeysConfig", "currentState", "clientCertificateConfig",
    "controlPlaneEndpointsConfig", "enableComponents", "servicesIpv4Cidr", "servicesIpv4CidrBlock",
    "servicesSecondaryRangeName", "maxParallelImagePulls", "nodeKubeletConfig", "nodeImageConfig",
    "kubeletCertInfo", "defaultPodIpv4RangeUtilization", "podIpv4RangeUtilization", "mode", "registryUri",
    "windowsNodeConfig", "gcpPublicCidrsAccessEnabled", "intValue", "resourceLabels", "progress",
    "currentNodeCount", "response.service.config",
}  # fmt: skip
# Members whose value is different in every run.
VARYING = {
    "id", "targetId", "uniqueId", "oauth2ClientId", "etag", "fingerprint", "labelFingerprint", "user",
    "generation", "address", "IPAddress", "natIP", "networkIP", "gatewayAddress", "ipAddress", "projectNumber",
    "endpoint", "publicEndpoint", "privateEndpoint", "clusterCaCertificate", "resourceVersion",
    "currentMasterVersion", "currentNodeVersion", "initialClusterVersion", "version", "clusterIpv4Cidr",
    "clusterIpv4CidrBlock", "podIpv4CidrBlock", "cpuPlatform", "vmDnsSettingMetadataValue", "progress",
    "nextPageToken", "data",
    "internalIpv6Range", "pemCertificate", "sourceImage", "sourceImageId", "licenseCodes",
    "defaultServiceAccount", "quotas", "selfLinkWithId", "units", "host", "instanceGroupUrls", "nameServers",
    "stateDetails", "podRange", "metageneration", "clusterSecondaryRangeName", "privateEndpointSubnetwork",
    "dataCrc32c", "registryUri",
}  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)")


def compare(request: dict[str, Any], expected: dict[str, Any], status: int, body: Any) -> list[str]:
    if expected["status"] == 409 and "not empty" in json.dumps(expected.get("body")):
        return []  # shown right after the bucket was listed as empty; see _entry
    if expected["status"] == 400 and "is not ready" in json.dumps(expected.get("body")):
        return []  # a matter of timing
    if status != expected["status"]:
        return [f"status {status}, recorded {expected['status']}; answered {json.dumps(body)[:300]}"]
    wanted = expected.get("body")
    if wanted is None or isinstance(wanted, str):
        return []
    if "/changes/" in request["url"] and wanted.get("status") == "pending":
        return []  # how long a change takes is not compared
    if wanted.get("status") == "RECONCILING" and isinstance(body, dict) and body.get("status") == "RUNNING":
        return []  # how long a cluster is at work is not compared
    if request["method"] == "GET" and _unfinished(request["url"], wanted):
        return []  # how long an operation takes is not compared
    if request["url"].partition("?")[0].endswith("/services"):
        return []  # which of Google's APIs a page holds is not compared
    if "/images/" in request["url"]:
        wanted, body = ({name: item.get(name) for name in ("kind", "family", "status")} for item in (wanted, body))
    if request["method"] != "GET" and isinstance(body, dict) and wanted.get("done") and body.get("done") is False:
        wanted = {name: item for name, item in wanted.items() if name not in ("done", "response")}
        wanted.get("metadata", {}).pop("endTime", None)
        body = {name: item for name, item in body.items() if name != "done"}
    return list(_differences(_plain(wanted), _plain(body), ""))


def _unfinished(url: str, body: dict[str, Any]) -> bool:
    """Whether this is a poll of an operation that still ran in the recorded run."""
    if "/operations/" not in url:
        return False
    return body.get("status") in ("RUNNING", "PENDING") if "status" in body else not body.get("done")


def _plain(value: Any, name: str = "") -> Any:
    """A body without what differs in every run."""
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, name) for item in value]
    if name in VARYING:
        return f"<{name}>"
    if isinstance(value, str):
        value = value.replace("/compute/beta/", "/compute/v1/")
        value = re.sub(r"operation-\d+-[0-9a-f-]+", "<operation>", value)
        value = re.sub(r"operations/[\w.-]+", "operations/<operation>", value)
        value = re.sub(r"(locations/global/firewallPolicies/)[\w-]+", r"\1<policy>", value)
        if name == "name" and re.fullmatch(r"\d{15,}|firewallpolicyid", value):
            return "<number>"
        if name == "name":
            value = re.sub(r"^projects/\d+$", "projects/<number>", value)
            value = re.sub(r"^(operationid|(acat|pssn|cp)\.[\w-]+)$", "<operation>", value)
        value = re.sub(r"gke-[0-9a-f]{20,}", "gke-<hash>", value)
        value = re.sub(r"(iap_web/compute-[^/]+/services/)[^/]+$", r"\1<service>", value)
        value = re.sub(r"ns-cloud-[a-e](\d)\.", r"ns-cloud-x\1.", value)
        value = re.sub(r"\(type\.googleapis\.com/[^)]*\)", "(type)", value)
        return "<time>" if _TIME.fullmatch(value) else _TIME.sub("<time>", value)
    return value


def _differences(wanted: Any, found: Any, place: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        trimmed = {key.removeprefix("_trimmed_") for key in wanted if key.startswith("_trimmed_")}
        for key in sorted({*wanted, *found} - {f"_trimmed_{name}" for name in trimmed}):
            where = f"{place}.{key}" if place else key
            if key in trimmed or ((key in ERA or where in ERA) and wanted.get(key) != found.get(key)):
                continue
            if key not in found:
                if wanted[key] is not None and key not in UNSEEN:
                    yield f"{where} missing, recorded {json.dumps(wanted[key])[:150]}"
            elif key not in wanted:
                if key not in MAY_LACK and where not in MAY_LACK and not (key == "status" and place == ""):
                    yield f"{where} = {json.dumps(found[key])[:150]} was not recorded"
            else:
                yield from _differences(wanted[key], found[key], where)
    elif isinstance(wanted, list) and isinstance(found, list):
        yield from _list_differences(wanted, found, place)
    elif wanted != found:
        yield f"{place} = {json.dumps(found)[:200]}, recorded {json.dumps(wanted)[:200]}"


def _list_differences(wanted: list[Any], found: list[Any], place: str) -> Iterator[str]:
    """Order tells nothing where Google answers in none."""
    if len(wanted) != len(found):
        both = f"{json.dumps(found)[:200]} / {json.dumps(wanted)[:200]}"
        yield f"{place} has {len(found)} items, recorded {len(wanted)}: {both}"
        return
    order = [json.dumps(_sortable(item), sort_keys=True) for item in wanted]
    other = [json.dumps(_sortable(item), sort_keys=True) for item in found]
    pairs = zip(
        sorted(range(len(order)), key=order.__getitem__), sorted(range(len(other)), key=other.__getitem__), strict=True
    )
    for left, right in pairs:
        yield from _differences(wanted[left], found[right], f"{place}[{left}]")


def _sortable(item: Any) -> Any:
    return (
        {key: value for key, value in item.items() if key not in MAY_LACK and key not in ERA}
        if isinstance(item, dict)
        else item
    )
