"""The one table of what may differ between a recorded answer and the emulator's, with the reason.

Reasons name sections of the recordings' README.md ("What normalization changed"). A member whose value was replaced
there is still held to the form that Google's values have; a member that was removed in some logs may be there or not;
nothing is passed over as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_IPV4 = r"\d+\.\d+\.\d+\.\d+"
_IDS = "ids: `000000000000000000000` and `${xID}` stand for a resource's name and id, both"
_MARKS = "`abcdef0123A=` stands for every etag and fingerprint"
_PLACES = "addresses are constants (`8.8.8.8`, `192.0.0.10`, `10.0.0.1`, `10.1.2.3`)"
_GKE = "GKE endpoints, ranges and maintenance policy versions are placeholders; raw ones differ in every run"
_RUN = "differs in every run: chosen by Google at random or by date"


@dataclass(frozen=True)
class Form:
    """Members whose recorded value says nothing: this run's must have the form `pattern` (or equal the recorded)."""

    names: str
    pattern: str
    reason: str


FORMS = (
    Form(
        "id targetId uniqueId oauth2ClientId projectNumber sourceImageId", r"\d{1,22}|[0-9a-f]{64}|[a-z][\w/.-]+", _IDS
    ),
    Form("fingerprint labelFingerprint", r"[A-Za-z0-9+/_-]{11}=|[0-9a-f]{8}", _MARKS),
    Form("etag", r'[\w+/=-]{4,}|"[0-9a-f]{14}"|W/"\d+"', _MARKS),
    Form("user", r"[\w.+-]+@[\w.-]+", "caller: `user@example.com`, `integration-test@...`"),
    Form("address IPAddress natIP networkIP gatewayAddress ipAddress", _IPV4, _PLACES),
    Form("host", rf"({_IPV4})?", "health-check host: a constant, empty ones too"),
    Form("generation", r"\d{16}", "bucket generation"),
    Form("endpoint publicEndpoint privateEndpoint", _IPV4, _GKE),
    Form("clusterIpv4Cidr clusterIpv4CidrBlock podIpv4CidrBlock", _IPV4 + r"/\d+", _GKE),
    Form("internalIpv6Range", r"fd20:[0-9a-f:]+/48", _RUN),
    Form("resourceVersion", r"[0-9a-f]{8}", _GKE),
    Form(
        "currentMasterVersion currentNodeVersion initialClusterVersion version",
        r"\d+\.\d+\.\d+-gke\.\d+",
        "the version of the day on which the recording was made",
    ),
    Form("clusterCaCertificate", r"[A-Za-z0-9+/]{100,}=*", "the certificate of the recorded cluster's own authority"),
    Form("pemCertificate", r"-----BEGIN CERTIFICATE-----[\s\S]+", "certificates in the recordings are cut or redacted"),
    Form("cpuPlatform", r"(Intel|AMD|Ampere) [\w ]+", _RUN),
    Form("nextPageToken", r"\S+", _RUN),
    Form("sourceImage", r"https://\S+/projects/[\w-]+/global/images/[\w-]+", "image versions: `v20231010`"),
    Form("licenseCodes[]", r"\d+", "ids of the image of the day"),
    Form("data", r"[0-9a-f-]{36}\.\d+\.authorize\.certificatemanager\.goog\.", _RUN),
    Form("instanceGroupUrls[]", r"https://\S+/instanceGroupManagers/gke-[\w-]+-grp", _RUN),
    Form("clusterSecondaryRangeName podRange", r"gke-[\w-]+-pods-[0-9a-f]{8}", _RUN),
    Form("privateEndpointSubnetwork", r"projects/[\w-]+/regions/[\w-]+/subnetworks/gke-[\w-]+-pe-subnet", _RUN),
    Form("nameServers[]", r"ns-cloud-[a-e][1-4]\.googledomains\.com\.", "DNS name servers are constants"),
    Form("stateDetails", r"\[<time[\w ]*>\]: [\w .]+", "nearly every time"),
    Form("units", r"\d+", _RUN),
    Form("progress", r"\d+", "how far an operation was when it was asked"),
    Form("selfLinkWithId", r"https://\S+/\d+", _IDS),
    Form("defaultServiceAccount", r"\d+-compute@developer\.gserviceaccount\.com", "ids"),
    Form("vmDnsSettingMetadataValue", r"ZonalOnly|ZonalPreferred|GlobalOnly|GlobalDefault", "a setting of the project"),
)


@dataclass(frozen=True)
class Loose:
    """Members that one side may lack.

    Attributes:
        names: members, by name or dotted place.
        where: a regular expression on the URL; elsewhere they count in full.
        recorded: the recording may lack it (`-`), the emulator may (`+`), or both, whatever the value (`*`).
        reason: why.
    """

    names: str
    where: str
    side: str
    reason: str


_REMOVED = "removed in some or all logs (README.md)"
_AGE = "GKE's answers changed between the recordings of 2024 and of 2026; the emulator has those of 2026"
_CONTAINER = r"//container\.googleapis\.com/"
_COMPUTE = r"/compute/(v1|beta)/"

LOOSE = (
    Loose("error.details debugInfo", r".", "-", _REMOVED),
    Loose("done", r".", "-", _REMOVED + ": `done: false`"),
    Loose("peerings routingConfig bgpBestPathSelectionMode subnetworks", r"/global/networks/", "-", _REMOVED),
    Loose("peerings", r"/global/networks/", "+", "made by another service, outside of the slice"),
    Loose("warnings", r"/operations/", "-", _REMOVED),
    Loose("satisfiesPzi enableConfidentialCompute locked multiWriter sizeGb", _COMPUTE, "-", _REMOVED),
    Loose("status.quotaUsage status", r"/urlMaps/", "-", _REMOVED),
    Loose("selfLinkWithId ruleNumber", r"/(securityPolicies|[fF]irewallPolicies|networks)/", "-", _REMOVED),
    Loose("usedBy", r"/backend(Services|Buckets)/", "+-", "shown with a delay, still shown when the user was gone"),
    Loose("lastAttachTimestamp", r"/disks/", "+", "the instance was made outside of the slice"),
    Loose("pemCertificate", r"/certificates", "-", "removed with the private data"),
    Loose("response.service.config config", r"serviceusage", "*", _REMOVED + ": service configs"),
    Loose("nextPageToken", r"serviceusage", "+", "which of Google's APIs exist"),
    Loose("metadata", r"serviceusage|workloadIdentityPools", "-", _REMOVED),
    Loose("response.labels", r"/operations/", "-", "left out of the response of some operations"),
    Loose("registryUri response.registryUri", r"artifactregistry", "-", "not yet shown in 2024"),
    Loose("generation satisfiesPZI", r"/storage/", "-", _REMOVED),
    Loose(
        "anonymousAuthenticationConfig controlPlaneEgress enableK8sCertsViaDns enableK8sTokensViaDns networkTierConfig "
        "dnsCacheConfig nodeReadinessConfig autoprovisioningNodePoolDefaults nodeCreationConfig podAutoscaling "
        "enablePrivateNodes bootDisk goog-gke-node-pool-provisioning-model kubeletConfig effectiveCgroupMode "
        "nodePoolAutoConfig rbacBindingConfig userManagedKeysConfig currentState clientCertificateConfig "
        "controlPlaneEndpointsConfig enableComponents servicesIpv4Cidr servicesIpv4CidrBlock "
        "servicesSecondaryRangeName maxParallelImagePulls nodeKubeletConfig nodeImageConfig kubeletCertInfo "
        "defaultPodIpv4RangeUtilization podIpv4RangeUtilization mode registryUri windowsNodeConfig "
        "gcpPublicCidrsAccessEnabled intValue resourceLabels progress currentNodeCount subnetwork",
        _CONTAINER,
        "*",
        _AGE,
    ),
)
_FORM_BY_NAME = {name: re.compile(form.pattern) for form in FORMS for name in form.names.split()}


def fits(name: str, value: str) -> bool | None:
    """Whether a value has the form that members of this name have; None where the value itself counts."""
    pattern = _FORM_BY_NAME.get(name)
    return None if pattern is None else pattern.fullmatch(value) is not None


def loose(place: str, url: str, side: str) -> bool:
    """Whether the member at a place may be missing in the recording (`-`), the emulator (`+`) or differ (`*`)."""
    plain = re.sub(r"\[\d*\]", "", place)
    name = plain.rpartition(".")[2]
    return any(
        (side in item.side or item.side == "*")
        and re.search(item.where, url)
        and {name, plain} & set(item.names.split())
        for item in LOOSE
    )
