"""What is asked for when a machine is wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class MachineSpec:
    """A virtual machine of the emulated Compute Engine; `key` is projects/P/zones/Z/instances/I."""

    key: str
    project: str
    zone: str
    name: str
    address: str
    gateway: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> MachineSpec:
        """From the hypervisor protocol's JSON; fields that make no difference to a machine here are left out."""
        names = ("key", "project", "zone", "name", "address", "gateway")
        return cls(**{name: str(data[name]) for name in names}, metadata=dict(data.get("metadata") or {}))

    @property
    def identity(self) -> str:
        """Short and unique among the machines of a world; fits into the name of a network interface."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:8]

    @property
    def domain_name(self) -> str:
        """The name the VPC's DNS gives it."""
        return f"{self.name}.{self.zone}.c.{self.project}.internal"

    @property
    def os_login(self) -> bool:
        """Whether accounts and keys come from OS Login."""
        return self.metadata.get("enable-oslogin", "").upper() == "TRUE"
