"""Regions and zones of Google Cloud, and what every zone offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# region -> letters of its zones, as listed at cloud.google.com/compute/docs/regions-zones
_ZONES = {
    "africa-south1": "abc", "asia-east1": "abc", "asia-east2": "abc", "asia-northeast1": "abc",
    "asia-northeast2": "abc", "asia-northeast3": "abc", "asia-south1": "abc", "asia-south2": "abc",
    "asia-southeast1": "abc",
    "asia-southeast2": "abc", "australia-southeast1": "abc", "australia-southeast2": "abc", "europe-central2": "abc",
    "europe-north1": "abc", "europe-north2": "abc", "europe-southwest1": "abc", "europe-west1": "bcd",
    "europe-west10": "abc", "europe-west12": "abc", "europe-west2": "abc", "europe-west3": "abc", "europe-west4": "abc",
    "europe-west6": "abc", "europe-west8": "abc", "europe-west9": "abc", "me-central1": "abc", "me-central2": "abc",
    "me-west1": "abc", "northamerica-northeast1": "abc", "northamerica-northeast2": "abc", "northamerica-south1": "abc",
    "southamerica-east1": "abc", "southamerica-west1": "abc", "us-central1": "abcf", "us-east1": "bcd",
    "us-east4": "abc", "us-east5": "abc", "us-south1": "abc", "us-west1": "abc", "us-west2": "abc", "us-west3": "abc",
    "us-west4": "abc",
}  # fmt: skip
REGIONS = tuple(sorted(_ZONES))
ZONES = tuple(f"{region}-{letter}" for region in REGIONS for letter in _ZONES[region])
_CREATED = "1969-12-31T16:00:00.000-08:00"

# The auto-mode range of each region: consecutive /20 blocks of 10.128.0.0/9.
_SHAPES = {
    "f1-micro": (1, 614), "g1-small": (1, 1740), "e2-micro": (2, 1024), "e2-small": (2, 2048), "e2-medium": (2, 4096),
}  # fmt: skip
_FAMILIES = {
    "e2-standard": 4096, "e2-highmem": 8192, "e2-highcpu": 1024, "n1-standard": 3840, "n1-highmem": 6656,
    "n1-highcpu": 922, "n2-standard": 4096, "n2-highmem": 8192, "n2-highcpu": 1024, "n2d-standard": 4096,
    "n2d-highmem": 8192, "n2d-highcpu": 1024, "n4-standard": 4096, "c2-standard": 4096, "c3-standard": 4096,
    "c3d-standard": 4096, "c4-standard": 3840, "t2d-standard": 4096, "t2a-standard": 4096, "c4a-standard": 4096,
}  # fmt: skip
_SIZES = (1, 2, 4, 8, 16, 22, 30, 32, 44, 48, 60, 64, 80, 88, 96, 128)


def region_of(zone: str) -> str:
    """`europe-west1-b` -> `europe-west1`."""
    return zone.rpartition("-")[0]


def zones_of(region: str) -> list[str]:
    """The zones of a region, in order."""
    return [f"{region}-{letter}" for letter in _ZONES.get(region, "")]


def is_region(name: str) -> bool:
    """Whether Google has a region of this name."""
    return name in _ZONES


def is_zone(name: str) -> bool:
    """Whether Google has a zone of this name."""
    return name in ZONES


def _number(text: str) -> str:
    return str(1000 + sum((index + 1) * ord(letter) for index, letter in enumerate(text)))


def region(base: str, project: str, name: str) -> dict[str, Any]:
    """`compute#region`; `base` is the start of links."""
    return {
        "kind": "compute#region",
        "id": _number(name),
        "creationTimestamp": _CREATED,
        "name": name,
        "description": name,
        "status": "UP",
        "zones": [f"{base}projects/{project}/zones/{zone}" for zone in zones_of(name)],
        "selfLink": f"{base}projects/{project}/regions/{name}",
        "supportsPzs": False,
    }


def zone(base: str, project: str, name: str) -> dict[str, Any]:
    """`compute#zone` (recordings/compute/zones/get_zone)."""
    return {
        "kind": "compute#zone",
        "id": _number(name),
        "creationTimestamp": _CREATED,
        "name": name,
        "description": name,
        "status": "UP",
        "region": f"{base}projects/{project}/regions/{region_of(name)}",
        "availableCpuPlatforms": list(_CPU_PLATFORMS),
        "selfLink": f"{base}projects/{project}/zones/{name}",
        "supportsPzs": True,
    }


_CPU_PLATFORMS = (
    "Ampere Altra", "Intel Broadwell", "Intel Cascade Lake", "Intel Emerald Rapids", "AMD Genoa", "NVIDIA Grace",
    "Intel Granite Rapids", "Intel Haswell", "Intel Ice Lake", "Intel Ivy Bridge", "Google Axion", "AMD Milan",
    "AMD Rome", "Intel Sandy Bridge", "Intel Sapphire Rapids", "Intel Skylake", "Google Axion", "AMD Turin",
)  # fmt: skip


def _shape(name: str) -> tuple[int, int] | None:
    """(CPUs, MiB) of a machine type, or None."""
    if name in _SHAPES:
        return _SHAPES[name]
    family, _, size = name.rpartition("-")
    if family not in _FAMILIES or not size.isdigit() or int(size) not in _SIZES:
        return None
    return int(size), int(size) * _FAMILIES[family]


def machine_type(base: str, project: str, zone_name: str, name: str) -> dict[str, Any] | None:
    """`compute#machineType`, or None where Google has no such type."""
    shape = _shape(name)
    if shape is None:
        return None
    return {
        "kind": "compute#machineType",
        "id": _number(name),
        "creationTimestamp": _CREATED,
        "name": name,
        "description": f"{shape[0]} vCPUs, {shape[1] / 1024:g} GB RAM",
        "guestCpus": shape[0],
        "memoryMb": shape[1],
        "imageSpaceGb": 0,
        "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168",
        "zone": zone_name,
        "architecture": "ARM64" if name.startswith(("t2a", "c4a")) else "X86_64",
        "isSharedCpu": name in _SHAPES,
        "selfLink": f"{base}projects/{project}/zones/{zone_name}/machineTypes/{name}",
    }


def machine_types() -> Iterator[str]:
    """The names of all machine types."""
    yield from _SHAPES
    for family in _FAMILIES:
        yield from (f"{family}-{size}" for size in _SIZES)


# family -> (project, name of its newest image, disk size in GB)
IMAGES = {
    "debian-11": ("debian-cloud", "debian-11-bullseye-v20260910", 10),
    "debian-12": ("debian-cloud", "debian-12-bookworm-v20261014", 10),
    "debian-13": ("debian-cloud", "debian-13-trixie-v20261014", 10),
    "ubuntu-2204-lts": ("ubuntu-os-cloud", "ubuntu-2204-jammy-v20261005", 10),
    "ubuntu-2404-lts-amd64": ("ubuntu-os-cloud", "ubuntu-2404-noble-amd64-v20261005", 10),
    "cos-stable": ("cos-cloud", "cos-stable-125-19216-0-50", 10),
}


def image(base: str, family: str) -> dict[str, Any]:
    """`compute#image` of a family's newest image."""
    project, name, size = IMAGES[family]
    licence = name.rpartition("-v")[0] if "-v" in name else "cos-pcid"
    features = ("UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "GVNIC")
    return {
        "kind": "compute#image",
        "id": "10" + _number(name) + "59271833",
        "creationTimestamp": "2026-10-14T15:46:22.131-07:00",
        "name": name,
        "description": f"{name} built on 20261014",
        "family": family,
        "sourceType": "RAW",
        "status": "READY",
        "architecture": "X86_64",
        "archiveSizeBytes": "1206529280",
        "diskSizeGb": str(size),
        "guestOsFeatures": [{"type": feature} for feature in features],
        "licenses": [f"{base}projects/{project}/global/licenses/{licence}"],
        "licenseCodes": ["2147286739763738111"],
        "labelFingerprint": "42WmSpB8rSM=",
        "storageLocations": ["eu", "us", "asia"],
        "selfLink": f"{base}projects/{project}/global/images/{name}",
    }
