"""The services of the emulated cloud: hosts, discovery documents, error shapes, what a fresh project has enabled."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import Family


@dataclass(frozen=True)
class Service:
    """An API: `api` is its name without `.googleapis.com`; `documents` its versions, the usual one first.

    `needs_enabling` is false for what Google serves to every project.
    """

    api: str
    documents: tuple[str, ...]
    family: Family
    permission_prefix: str
    needs_enabling: bool = True

    @property
    def name(self) -> str:
        """The name under which the API is enabled."""
        return f"{self.api}.googleapis.com"


SERVICES: tuple[Service, ...] = (
    Service("compute", ("compute.v1", "compute.beta"), Family.LEGACY, "compute"),
    Service("container", ("container.v1", "container.v1beta1"), Family.BOTH, "container"),
    Service("storage", ("storage.v1",), Family.LEGACY, "storage"),
    Service("dns", ("dns.v1", "dns.v1beta2"), Family.LEGACY, "dns"),
    Service("sqladmin", ("sqladmin.v1", "sqladmin.v1beta4"), Family.LEGACY, "cloudsql"),
    Service("secretmanager", ("secretmanager.v1", "secretmanager.v1beta1"), Family.MODERN, "secretmanager"),
    Service("artifactregistry", ("artifactregistry.v1", "artifactregistry.v1beta2"), Family.MODERN, "artifactregistry"),
    Service("certificatemanager", ("certificatemanager.v1",), Family.MODERN, "certificatemanager"),
    Service("cloudkms", ("cloudkms.v1",), Family.MODERN, "cloudkms"),
    Service("iamcredentials", ("iamcredentials.v1",), Family.BOTH, "iam"),
    Service("iam", ("iam.v1",), Family.BOTH, "iam"),
    Service("oslogin", ("oslogin.v1", "oslogin.v1beta"), Family.BOTH, "oslogin"),
    Service("cloudbilling", ("cloudbilling.v1",), Family.BOTH, "billing"),
    Service("serviceusage", ("serviceusage.v1", "serviceusage.v1beta1"), Family.BOTH, "serviceusage"),
    Service("servicenetworking", ("servicenetworking.v1",), Family.BOTH, "servicenetworking"),
    Service(
        "cloudresourcemanager", ("cloudresourcemanager.v3", "cloudresourcemanager.v1"), Family.BOTH, "resourcemanager"
    ),
    Service("oauth2", ("oauth2.v2",), Family.BOTH, "oauth2", needs_enabling=False),
    Service("iap", ("iap.v1", "iap.v1beta1"), Family.BOTH, "iap"),
)
BY_API = {service.api: service for service in SERVICES}


def declare(service: Service) -> None:
    """Makes one more service known, as a line in `SERVICES` does."""
    global SERVICES
    SERVICES = (*SERVICES, service)
    BY_API[service.api] = service


# What a project made in the console has enabled (Google's documentation of default services); Cloud Resource Manager
# is not among it. The IAM APIs are on wherever somebody has made a service account by the console.
FRESH = (
    "analyticshub.googleapis.com",
    "bigquery.googleapis.com",
    "bigqueryconnection.googleapis.com",
    "bigquerydatapolicy.googleapis.com",
    "bigquerymigration.googleapis.com",
    "bigqueryreservation.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudapis.googleapis.com",
    "cloudtrace.googleapis.com",
    "dataform.googleapis.com",
    "dataplex.googleapis.com",
    "datastore.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "servicemanagement.googleapis.com",
    "serviceusage.googleapis.com",
    "sql-component.googleapis.com",
    "storage-api.googleapis.com",
    "storage-component.googleapis.com",
    "storage.googleapis.com",
)

TITLES = {
    "artifactregistry.googleapis.com": "Artifact Registry API",
    "autoscaling.googleapis.com": "Cloud Autoscaling API",
    "certificatemanager.googleapis.com": "Certificate Manager API",
    "cloudbilling.googleapis.com": "Cloud Billing API",
    "cloudkms.googleapis.com": "Cloud Key Management Service (KMS) API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "compute.googleapis.com": "Compute Engine API",
    "container.googleapis.com": "Kubernetes Engine API",
    "containerfilesystem.googleapis.com": "Container File System API",
    "containerregistry.googleapis.com": "Container Registry API",
    "dns.googleapis.com": "Cloud DNS API",
    "gkebackup.googleapis.com": "Backup for GKE API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "iamcredentials.googleapis.com": "IAM Service Account Credentials API",
    "iap.googleapis.com": "Cloud Identity-Aware Proxy API",
    "logging.googleapis.com": "Cloud Logging API",
    "mesh.googleapis.com": "Mesh API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "networkconnectivity.googleapis.com": "Network Connectivity API",
    "networkmanagement.googleapis.com": "Network Management API",
    "oslogin.googleapis.com": "Cloud OS Login API",
    "pubsub.googleapis.com": "Cloud Pub/Sub API",
    "secretmanager.googleapis.com": "Secret Manager API",
    "servicenetworking.googleapis.com": "Service Networking API",
    "serviceusage.googleapis.com": "Service Usage API",
    "sql-component.googleapis.com": "Cloud SQL",
    "sqladmin.googleapis.com": "Cloud SQL Admin API",
    "storage.googleapis.com": "Cloud Storage API",
    "storage-api.googleapis.com": "Google Cloud Storage JSON API",
    "sts.googleapis.com": "Security Token Service API",
}
# More of Google's APIs, so that lists have Google's length and any of them can be turned on.
_MORE = """
accesscontextmanager aiplatform anthos apigateway apikeys appengine batch bigtable bigtableadmin
binaryauthorization certificatemanager cloudasset cloudbuild clouderrorreporting cloudfunctions cloudidentity
cloudprofiler cloudscheduler cloudtasks composer connectgateway containeranalysis containersecurity
containerthreatdetection datacatalog dataflow datamigration dataproc datastream deploymentmanager dialogflow
edgecontainer eventarc file firebase firestore gkeconnect gkehub gkemulticloud healthcare identitytoolkit ids
integrations kubernetesmetadata language managedidentities meshconfig metastore ml multiclusteringress
networksecurity networkservices notebooks ondemandscanning orgpolicy policytroubleshooter privateca pubsublite
recommendationengine recommender redis run runtimeconfig securitycenter servicecontrol servicedirectory
sourcerepo spanner speech storagetransfer texttospeech tpu trafficdirector translate videointelligence vision
vpcaccess websecurityscanner workflowexecutions workflows workstations
"""
OTHERS = tuple(f"{name}.googleapis.com" for name in _MORE.split())
# Enabling one brings others along (Google's service dependencies, those that matter here).
IMPLIED = {
    "container.googleapis.com": (
        "compute.googleapis.com",
        "oslogin.googleapis.com",
        "artifactregistry.googleapis.com",
        "autoscaling.googleapis.com",
        "containerfilesystem.googleapis.com",
        "containerregistry.googleapis.com",
        "dns.googleapis.com",
        "gkebackup.googleapis.com",
        "networkconnectivity.googleapis.com",
        "pubsub.googleapis.com",
    ),
    "compute.googleapis.com": ("oslogin.googleapis.com",),
}


def title(service: str) -> str:
    """What people read for `compute.googleapis.com`."""
    return TITLES.get(service, f"{service.split('.')[0].capitalize()} API")


def exists(service: str) -> bool:
    """Whether an API of this name can be enabled here."""
    return (
        service in TITLES or service in FRESH or service in OTHERS or any(known.name == service for known in SERVICES)
    )
