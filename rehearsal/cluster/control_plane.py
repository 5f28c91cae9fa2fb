"""A real etcd, API server, controller manager and scheduler on the address of the cluster's private endpoint.

AnyIP lets the API server bind the very address that the cluster's API names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from pathlib import Path

import aiohttp

from rehearsal.cluster.pki import Authority, write_kubeconfig
from rehearsal.google.substrate import ClusterSpec
from rehearsal.hypervisor.processes import Program, start, until
from rehearsal.toolchain.catalog import program_path

START_DEADLINE_SECONDS = 300.0
WEBHOOKS = "https://container.googleapis.com/_webhooks"


class ControlPlane:
    """The control plane of one cluster; everything it writes is below `folder`."""

    def __init__(self, spec: ClusterSpec, folder: Path, world_ca: Path, slot: int) -> None:
        """`slot` numbers the clusters of a world from 0: each has its own ports on the loopback address."""
        self.spec = spec
        self.folder = folder
        self.world_ca = world_ca
        self.slot = slot
        self.endpoint = spec["endpoint"]
        self.authority = Authority(folder / "pki")
        self.programs: list[Program] = []

    @property
    def server(self) -> str:
        return f"https://{self.endpoint}"

    @property
    def admin(self) -> Path:
        """A kubeconfig with every right, for the hypervisor's own use."""
        return self.authority.kubeconfig("admin", self.server, "admin", "system:masters")

    @property
    def kubectl(self) -> list[str | Path]:
        """The beginning of a kubectl command with every right."""
        return [program_path("kubectl"), f"--kubeconfig={self.admin}"]

    @property
    def dns_address(self) -> str:
        """The tenth address of the services range, where GKE puts the cluster's DNS."""
        return str(ipaddress.ip_network(self.spec["service_cidr"])[10])

    async def start(self) -> None:
        """Brings it up and returns once /readyz says so.

        Raises StartError with the log of the program that failed.
        """
        if self.programs and all(program.running for program in self.programs):
            return
        await self.stop()
        self._write_certificates()
        await self._start("etcd", self._etcd())
        api_server = await self._start("kube-apiserver", self._api_server())
        await until(api_server, self.ready, START_DEADLINE_SECONDS, f"the API server at {self.server}")
        await asyncio.gather(
            self._start("kube-controller-manager", self._controller_manager()),
            self._start("kube-scheduler", self._scheduler()),
        )

    async def stop(self) -> None:
        """Ends its programs, the last started first."""
        while self.programs:
            await self.programs.pop().stop()

    async def ready(self) -> bool:
        """Whether the API server answers /readyz with 200."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        timeout = aiohttp.ClientTimeout(total=2)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.server}/readyz", ssl=context) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _start(self, name: str, arguments: list[str]) -> Program:
        program = await start(name, [program_path(name), *arguments], self.folder / "logs" / f"{name}.log")
        self.programs.append(program)
        return program

    def _write_certificates(self) -> None:
        service = str(ipaddress.ip_network(self.spec["service_cidr"])[1])
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        self.authority.issue("apiserver", "kube-apiserver", names=[self.endpoint, "127.0.0.1", service, *names])
        self.authority.issue("front-proxy", "front-proxy")
        self.authority.issue("kubelet-client", "kube-apiserver-kubelet-client", "system:masters")
        self.authority.signing_keys()

    def _webhook(self, name: str) -> Path:
        # in the path: Kubernetes' clients put their own query in the place of a URL's
        target = {"server": f"{WEBHOOKS}/{name}/{self.spec['key']}", "certificate-authority": str(self.world_ca)}
        return write_kubeconfig(self.folder / f"{name}.kubeconfig", target, {})

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port + 10 * self.slot}" for port in (2379, 2380))
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server(self) -> list[str]:
        pki = self.authority.folder
        return [
            f"--etcd-servers=http://127.0.0.1:{2379 + 10 * self.slot}",
            f"--bind-address={self.endpoint}",
            f"--advertise-address={self.endpoint}",
            "--secure-port=443",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            f"--service-account-issuer=https://container.googleapis.com/v1/{self.spec['key']}",
            f"--service-cluster-ip-range={self.spec['service_cidr']}",
            "--authorization-mode=Node,RBAC,Webhook",
            f"--authorization-webhook-config-file={self._webhook('authorize')}",
            "--authorization-webhook-version=v1",
            "--authorization-webhook-cache-authorized-ttl=10s",
            "--authorization-webhook-cache-unauthorized-ttl=5s",
            f"--authentication-token-webhook-config-file={self._webhook('authenticate')}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=10s",
            "--enable-admission-plugins=NodeRestriction",
            # Webhooks are reached at their pods: the API server stands outside the nodes' network, without kube-proxy.
            "--enable-aggregator-routing=true",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy.crt",
            f"--proxy-client-key-file={pki}/front-proxy.key",
            f"--kubelet-client-certificate={pki}/kubelet-client.crt",
            f"--kubelet-client-key={pki}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged",
            "--profiling=false",
        ]

    def _controller_manager(self) -> list[str]:
        pki = self.authority.folder
        kubeconfig = self.authority.kubeconfig("controller-manager", self.server, "system:kube-controller-manager")
        return [
            *self._delegating(kubeconfig),
            f"--secure-port={10257 + 10 * self.slot}",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={self.spec['pod_cidr']}",
            f"--service-cluster-ip-range={self.spec['service_cidr']}",
            "--use-service-account-credentials=true",
            # The defaults (20, 30, 10) hold up hundreds of namespaces for minutes.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-namespace-syncs=40",
        ]

    def _scheduler(self) -> list[str]:
        kubeconfig = self.authority.kubeconfig("scheduler", self.server, "system:kube-scheduler")
        return [*self._delegating(kubeconfig), f"--secure-port={10259 + 10 * self.slot}"]

    @staticmethod
    def _delegating(kubeconfig: Path) -> list[str]:
        return [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        ]
