"""Google's APIs of a project, switched on and never off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model import Caller, Drift, Field, Kind, Resource, Spec

BATCH = 20  # services.batchEnable takes no more


@dataclass(frozen=True, kw_only=True)
class EnabledServices(Kind):
    """The enabled services of a project; the wanted spec is ``{"enabled": ["compute.googleapis.com", ...]}``."""

    name: str = "project_services"
    operation: str = "serviceusage"
    fields: tuple[Field, ...] = (Field("enabled", compare="includes"),)
    keep: bool = True
    foundation: bool = True

    def read(self, api: Caller, resource: Resource) -> Spec:
        """The wanted services that are on."""
        params = {"parent": f"projects/{resource.params['project']}", "filter": "state:ENABLED", "pageSize": 200}
        listed = api.pages("serviceusage", "services.list", params, "services")
        on = {str(entry["name"]).rsplit("/", 1)[-1] for entry in listed}
        return {"enabled": [name for name in resource.spec["enabled"] if name in on]}

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Not called: a project always has a list of services."""
        return self._enable(api, resource, spec["enabled"])

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Enable what is off, at most twenty at once (Google's limit); a next round does the rest."""
        return self._enable(api, resource, [name for name in spec["enabled"] if name not in have["enabled"]])

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Not called (keep): other work in the project may need them."""
        return {}

    @staticmethod
    def _enable(api: Caller, resource: Resource, names: Sequence[str]) -> Spec:
        parent = {"parent": f"projects/{resource.params['project']}"}
        return api.call("serviceusage", "services.batchEnable", parent, {"serviceIds": list(names)[:BATCH]})


PROJECT_SERVICES = EnabledServices()
