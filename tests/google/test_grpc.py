"""Google's other gRPC clients against the same behaviour as REST, by the tables of their own libraries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, certificate_manager_v1, iap_v1, resourcemanager_v3, service_usage_v1
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport
from google.cloud.certificate_manager_v1.services.certificate_manager.transports import CertificateManagerGrpcTransport
from google.cloud.iap_v1.services.identity_aware_proxy_admin_service.transports import (
    IdentityAwareProxyAdminServiceGrpcTransport,
)
from google.cloud.resourcemanager_v3.services.projects.transports import ProjectsGrpcTransport
from google.cloud.service_usage_v1.services.service_usage.transports import ServiceUsageGrpcTransport

from rehearsal.google.testing import NUMBER, PROJECT, Emulator
from tests.google.test_core import enable

NAME = f"projects/{PROJECT}"


@pytest.fixture
def channel(secure_emulator: Emulator) -> Iterator[grpc.Channel]:
    """A channel with the deployer's token; the APIs of these tests are on."""
    assert secure_emulator.ca is not None
    enable(secure_emulator, *(f"{name}.googleapis.com" for name in ("artifactregistry", "iap", "certificatemanager")))
    call = grpc.access_token_call_credentials(secure_emulator.token())
    secure = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(secure_emulator.ca.read_bytes()), call)
    with grpc.secure_channel(secure_emulator.url.removeprefix("https://"), secure) as opened:
        yield opened


def test_services_are_enabled_by_an_operation(channel: grpc.Channel) -> None:
    client = service_usage_v1.ServiceUsageClient(transport=ServiceUsageGrpcTransport(channel=channel))
    request = {"parent": NAME, "service_ids": ["dns.googleapis.com"]}
    done = client.batch_enable_services(request=request).result(timeout=10)
    assert done.services[0].state == service_usage_v1.State.ENABLED
    found = client.get_service(request={"name": f"{NAME}/services/sqladmin.googleapis.com"})
    assert found.state == service_usage_v1.State.DISABLED


def test_project_policy(channel: grpc.Channel) -> None:
    client = resourcemanager_v3.ProjectsClient(transport=ProjectsGrpcTransport(channel=channel))
    assert client.get_project(name=NAME).name == f"projects/{NUMBER}"
    policy = client.get_iam_policy(resource=NAME)
    policy.bindings.add(role="roles/browser", members=["user:eve@acme.example"])
    client.set_iam_policy(request={"resource": NAME, "policy": policy})
    with pytest.raises(exceptions.Aborted, match="concurrent policy changes"):
        client.set_iam_policy(request={"resource": NAME, "policy": policy})
    with pytest.raises(exceptions.PermissionDenied):
        client.get_project(name="projects/somebody-elses")
    with pytest.raises(exceptions.InvalidArgument, match="is not valid for this resource"):
        client.test_iam_permissions(resource=NAME, permissions=["nonsense.things.get"])


def test_a_repository(channel: grpc.Channel) -> None:
    client = artifactregistry_v1.ArtifactRegistryClient(transport=ArtifactRegistryGrpcTransport(channel=channel))
    parent = f"{NAME}/locations/europe-west1"
    repository = artifactregistry_v1.Repository(format_="DOCKER")
    operation = client.create_repository(parent=parent, repository_id="mlops", repository=repository)
    assert operation.result(timeout=10).name == f"{parent}/repositories/mlops"
    found = client.get_repository(name=f"{parent}/repositories/mlops")
    assert found.format_ == artifactregistry_v1.Repository.Format.DOCKER


def test_a_certificate_map(channel: grpc.Channel) -> None:
    transport = CertificateManagerGrpcTransport(channel=channel)
    client = certificate_manager_v1.CertificateManagerClient(transport=transport)
    wanted = certificate_manager_v1.CertificateMap(description="platform")
    parent = f"{NAME}/locations/global"
    made = client.create_certificate_map(parent=parent, certificate_map_id="m", certificate_map=wanted).result(
        timeout=10
    )
    assert (made.name, made.description) == (f"{parent}/certificateMaps/m", "platform")


def test_the_policy_of_a_tunnel(channel: grpc.Channel) -> None:
    transport = IdentityAwareProxyAdminServiceGrpcTransport(channel=channel)
    client = iap_v1.IdentityAwareProxyAdminServiceClient(transport=transport)
    resource = f"projects/{NUMBER}/iap_tunnel/zones/europe-west1-b/instances/bastion"
    policy: Any = client.get_iam_policy(request={"resource": resource})
    policy.bindings.add(role="roles/iap.tunnelResourceAccessor", members=["group:platform-admins@acme.example"])
    written = client.set_iam_policy(request={"resource": resource, "policy": policy})
    assert [binding.role for binding in written.bindings] == ["roles/iap.tunnelResourceAccessor"]
