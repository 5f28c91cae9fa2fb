"""The cluster as the hand-off sees it: a kubeconfig, objects read and written by the official client."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from .errors import HandOffError

T = TypeVar("T")
CALL_SECONDS = 30
FIELD_MANAGER = "mlops-platform"


class Cluster:
    """The cluster that the kubeconfig at `path` points at.

    Raises HandOffError when the file can't be used; so do all methods when the API server refuses or can't be reached.
    """

    def __init__(self, path: str) -> None:
        from kubernetes import client, config
        from kubernetes.config import ConfigException

        if not Path(path).expanduser().is_file():
            raise HandOffError(f"there is no kubeconfig at {path}", "Run the role cluster_access first.")
        try:
            api = config.new_client_from_config(config_file=path)
        except ConfigException as error:
            raise HandOffError(
                f"the kubeconfig {path} can't be used: {error}", "Run the role cluster_access again."
            ) from error
        self.server = str(api.configuration.host)
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)

    def _call(self, action: str, call: Callable[..., T], *arguments: Any, **options: Any) -> T:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return call(*arguments, _request_timeout=CALL_SECONDS, **options)
        except ApiException as error:
            hint = (
                "Grant the deploying account roles/container.admin." if error.status == 403 else "See the reason above."
            )
            reason = f"{error.status} {error.reason}: {str(error.body)[:400]}"
            raise HandOffError(f"could not {action} at {self.server}: {reason}", hint) from error
        except (HTTPError, OSError) as error:
            hint = "Is the forward through the bastion still open? Run the role cluster_access again."
            raise HandOffError(f"could not {action} at {self.server}: {error}", hint) from error

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The data of a Secret, decoded; None if there's none."""
        selector = f"metadata.name={name}"
        listing = self._call(
            f"read Secret {namespace}/{name}", self._core.list_namespaced_secret, namespace, field_selector=selector
        )
        if not listing.items:
            return None
        return {key: base64.b64decode(value) for key, value in (listing.items[0].data or {}).items()}

    def write_secret(
        self, namespace: str, name: str, data: Mapping[str, bytes], labels: Mapping[str, str], exists: bool
    ) -> None:
        """Makes the Secret, or sets these keys of it."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        body = {"metadata": {"name": name, "labels": dict(labels)}, "data": encoded, "type": "Opaque"}
        action = f"write Secret {namespace}/{name}"
        options = {"field_manager": FIELD_MANAGER}
        if exists:
            self._call(action, self._core.patch_namespaced_secret, name, namespace, body, **options)
        else:
            self._call(action, self._core.create_namespaced_secret, namespace, body, **options)

    def applications(self, namespace: str) -> list[dict[str, Any]]:
        """All Argo CD Applications of the namespace."""
        return self._listed(namespace, "applications", "Applications")

    def application_sets(self, namespace: str) -> list[dict[str, Any]]:
        """All Argo CD ApplicationSets of the namespace."""
        return self._listed(namespace, "applicationsets", "ApplicationSets")

    def _listed(self, namespace: str, plural: str, what: str) -> list[dict[str, Any]]:
        call: Callable[..., Any] = self._custom.list_namespaced_custom_object
        kind = ("argoproj.io", "v1alpha1", namespace, plural)
        items: list[dict[str, Any]] = self._call(f"list {what}", call, *kind)["items"]
        return items

    def sync_application(self, namespace: str, application: Mapping[str, Any]) -> None:
        """Has Argo CD deploy an Application as its own policy says, of which it does not try a failed commit again."""
        policy, name = application["spec"].get("syncPolicy") or {}, application["metadata"]["name"]
        prune = bool((policy.get("automated") or {}).get("prune"))
        sync = {"prune": prune, "syncOptions": policy.get("syncOptions") or []}
        operation = {"initiatedBy": {"username": "playbooks"}, "sync": sync, "retry": policy.get("retry") or {}}
        call, kind = self._custom.patch_namespaced_custom_object, ("argoproj.io", "v1alpha1", namespace, "applications")
        self._call(f"sync Application {name}", call, *kind, name, {"operation": operation})

    def refresh_application(self, namespace: str, name: str) -> None:
        """Asks Argo CD to compare an Application with Git now rather than at its next poll."""
        body = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
        call, kind = self._custom.patch_namespaced_custom_object, ("argoproj.io", "v1alpha1", namespace, "applications")
        self._call(f"refresh Application {name}", call, *kind, name, body)
