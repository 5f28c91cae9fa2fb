"""One real node: containerd, the kubelet, kube-proxy and kube-router in a network namespace of its own.

Facts and pitfalls: measured with Kubernetes 1.36.3 and Debian's containerd 1.6 on cgroup v1, hybrid and v2.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.cluster import cables
from rehearsal.cluster.control_plane import ControlPlane
from rehearsal.google.substrate import NodeSpec
from rehearsal.hypervisor.processes import Program, StartError, call, start, until
from rehearsal.toolchain.catalog import program_path
from rehearsal.toolchain.debian import NODE
from rehearsal.toolchain.images import layout
from rehearsal.toolchain.oci import NAME
from rehearsal.world import addresses, cgroups, syscalls

log = logging.getLogger(__name__)
READY_DEADLINE_SECONDS = 240.0
PAUSE_IMAGE = "registry.k8s.io/pause:3.10"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass
class Node:
    """A node of `cluster`; everything it writes is below `folder`."""

    cluster: ControlPlane
    spec: NodeSpec
    pool: str
    folder: Path
    world: Path
    programs: list[Program] = field(default_factory=list)
    _preloading: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.spec["name"]

    @property
    def address(self) -> str:
        return self.spec["address"]

    @property
    def running(self) -> bool:
        return bool(self.programs) and all(program.running for program in self.programs)

    @property
    def _run(self) -> Path:
        """The node's folder under a short name: the paths of sockets in it must stay under 104 characters."""
        return Path("/run/nodes", self.name)

    @property
    def _socket(self) -> Path:
        return self._run / "containerd.sock"

    @property
    def _environment(self) -> dict[str, str]:
        libraries = NODE.root / "usr/lib" / f"{os.uname().machine}-linux-gnu"
        return {**NODE.environment(), "XTABLES_LIBDIR": str(libraries / "xtables"), "NODE_NAME": self.name}

    async def start(self) -> None:
        """Brings the node up and returns once Kubernetes says it is Ready.

        Raises StartError with the log of the program that failed.
        """
        if self.running:
            return
        await self._end_programs()
        gateway = str(next(ipaddress.ip_network(f"{self.address}/20", strict=False).hosts()))
        await cables.join(self.name, self.address, gateway)
        self._make_cgroups()
        for folder in (self.folder, self._run):
            folder.mkdir(parents=True, exist_ok=True)
        if not self._run.is_mount():
            syscalls.bind(self.folder, self._run)
        await self._containerd()
        kubelet = await self._start_program("kubelet", program_path("kubelet"), self._kubelet())
        await until(kubelet, self._registered, READY_DEADLINE_SECONDS, f"node {self.name}'s pod range")
        await asyncio.gather(
            self._start_program("kube-proxy", program_path("kube-proxy"), self._kube_proxy()),
            self._start_program("kube-router", program_path("kube-router"), self._kube_router()),
        )
        await until(kubelet, self._ready, READY_DEADLINE_SECONDS, f"node {self.name}")
        self._preloading = asyncio.create_task(self._preload_images())

    async def _preload_images(self) -> None:
        """Fetches all images there are while nobody waits for them, as GKE's image preloading does."""
        names = [entry["annotations"][NAME] for entry in layout().index()]
        command: list[str | Path] = ["nice", "-n", "10", "ctr", "-a", self._socket, "-n", "k8s.io", "images", "pull"]
        options = [f"--hosts-dir={self.folder / 'certs.d'}"]
        for name in names:
            try:
                await call(*command, *options, name, environment=self._environment, namespace=self.name)
            except StartError as error:
                # The kubelet fetches it when a pod needs it, and then says what is wrong.
                log.warning("node %s: could not preload %s: %s", self.name, name, error)

    async def stop(self) -> None:
        """Ends the node's programs and pods and removes its namespace; its Node object goes with it."""
        if self._preloading:
            self._preloading.cancel()
        await self._end_programs()
        await asyncio.to_thread(cgroups.end_members, self._cgroup.lstrip("/"))  # no kubelet starts them anew
        await self._kubectl("delete", "node", self.name, "--ignore-not-found", "--wait=false")
        await cables.cut(self.name)
        if self._run.is_mount():
            syscalls.unmount(self._run)

    async def _end_programs(self) -> None:
        while self.programs:
            await self.programs.pop().stop()

    async def _start_program(self, name: str, program: str | Path, arguments: list[str]) -> Program:
        log = self.folder / "logs" / f"{name}.log"
        made = await start(name, [program, *arguments], log, self._environment, namespace=self.name)
        self.programs.append(made)
        return made

    async def _kubectl(self, *arguments: str) -> str:
        return await call(*self.cluster.kubectl, *arguments)

    async def _registered(self) -> bool:
        """Once the controller manager has given the node its pod range: writes the network configuration."""
        try:
            network = await self._kubectl("get", "node", self.name, "-o", "jsonpath={.spec.podCIDR}")
        except StartError:
            return False
        if not network:
            return False
        await cables.route(self.name, network, self.address)
        folder = self.folder / "cni"
        folder.mkdir(exist_ok=True)
        (folder / "10-pods.conflist").write_text(json.dumps(self._network(network), indent=1))
        return True

    async def _ready(self) -> bool:
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        return await self._kubectl("get", "node", self.name, "-o", f"jsonpath={path}") == "True"

    def _network(self, network: str) -> dict[str, Any]:
        # ptp rather than bridge: traffic across a bridge would bypass kube-router's policies.
        addresses_of_pods = {
            "type": "host-local",
            "dataDir": str(self.folder / "ipam"),
            "ranges": [[{"subnet": network}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        plugins = [
            {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": addresses_of_pods},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ]
        return {"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}

    @property
    def _cgroup(self) -> str:
        return f"/{cgroups.root_name(self.world)}/{self.name}"

    def _make_cgroups(self) -> None:
        for hierarchy in cgroups.hierarchies():
            folder = hierarchy / self._cgroup.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for part in (folder.parent, folder):
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    # A new cpuset of cgroup v1 is empty, and nothing can join it.
                    own, above = part / setting, part.parent / setting
                    if own.is_file() and above.is_file() and not own.read_text().strip():
                        own.write_text(above.read_text())

    async def _containerd(self) -> None:
        mirror = self.folder / "certs.d" / "_default"
        mirror.mkdir(parents=True, exist_ok=True)
        registry = f"http://{addresses.REGISTRY}:{addresses.REGISTRY_MIRROR_PORT}"
        (mirror / "hosts.toml").write_text(f'[host."{registry}"]\n  capabilities = ["pull", "resolve"]\n')
        (self.folder / "base-spec.json").write_text(json.dumps(await self._container_spec()))
        configuration = self.folder / "containerd.toml"
        configuration.write_text(self._containerd_configuration())
        program = await self._start_program("containerd", "containerd", ["-c", str(configuration)])

        async def answers() -> bool:
            try:
                await call("ctr", "-a", self._socket, "version", environment=self._environment)
            except StartError:
                return False
            return True

        await until(program, answers, READY_DEADLINE_SECONDS)

    async def _container_spec(self) -> dict[str, Any]:
        """containerd's default container, with the world's certificate authorities in place of the image's own."""
        spec: dict[str, Any] = json.loads(await call("ctr", "oci", "spec", environment=self._environment))
        options = ["rbind", "ro", "nosuid", "nodev"]
        mount = {"destination": CA_BUNDLE, "type": "bind", "source": CA_BUNDLE, "options": options}
        spec["mounts"] = [*spec["mounts"], mount]
        return spec

    def _containerd_configuration(self) -> str:
        cri, runtime = 'plugins."io.containerd.grpc.v1.cri"', "containerd.runtimes.runc"
        unused = ("aufs", "btrfs", "devmapper", "zfs")
        disabled = [f"io.containerd.snapshotter.v1.{name}" for name in unused]
        disabled += ["io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
        return f"""version = 2
root = "{self.folder}/containerd"
state = "{self._run}/state"
disabled_plugins = {json.dumps(disabled)}
[grpc]
  address = "{self._socket}"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without it no sandbox starts where root lacks CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
  [{cri}.{runtime}]
    runtime_type = "io.containerd.runc.v2"
    base_runtime_spec = "{self.folder}/base-spec.json"
    [{cri}.{runtime}.options]
      BinaryName = "{shutil.which("runc", path=NODE.environment()["PATH"])}"
      SystemdCgroup = false
  [{cri}.cni]
    bin_dir = "{NODE.root}/usr/lib/cni"
    conf_dir = "{self.folder}/cni"
  [{cri}.registry]
    config_path = "{self.folder}/certs.d"
"""

    def _kubelet(self) -> list[str]:
        configuration = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self._cgroup,
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "address": self.address,
            "healthzPort": 0,
            "clusterDNS": [self.cluster.dns_address],
            "clusterDomain": "cluster.local",
            "resolvConf": "/etc/resolv.conf",
            "podLogsDir": str(self.folder / "pod-logs"),
            "volumePluginDir": str(self.folder / "volume-plugins"),
            "failSwapOn": False,
            "registerWithTaints": self.spec["taints"],
            "serializeImagePulls": False,
            # The machine's disk is not this node's to clean up or to judge.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "authentication": {
                "anonymous": {"enabled": False},
                "x509": {"clientCAFile": str(self.cluster.authority.folder / "ca.crt")},
            },
        }
        path = self.folder / "kubelet.yaml"
        path.write_text(json.dumps(configuration, indent=1))
        kubeconfig = self.cluster.authority.kubeconfig(
            self.name, self.cluster.server, f"system:node:{self.name}", "system:nodes"
        )
        labels = {
            **self.spec["labels"],
            "cloud.google.com/gke-nodepool": self.pool,
            "topology.kubernetes.io/zone": self.spec["zone"],
            "topology.kubernetes.io/region": self.spec["zone"].rpartition("-")[0],
            "node.kubernetes.io/instance-type": self.spec["machine_type"],
        }
        cluster = self.cluster.spec
        return [
            f"--config={path}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={self._run / 'kubelet'}",
            f"--cert-dir={self.folder / 'kubelet-pki'}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
            f"--node-labels={','.join(f'{key}={value}' for key, value in labels.items())}",
            f"--provider-id=gce://{cluster['project']}/{self.spec['zone']}/{self.name}",
            "-v=2",
        ]

    def _kube_proxy(self) -> list[str]:
        kubeconfig = self.cluster.authority.kubeconfig("kube-proxy", self.cluster.server, "system:kube-proxy")
        return [
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={self.name}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={self.cluster.spec['pod_cidr']}",
            f"--nodeport-addresses={self.address}/32",
            # Connection tracking limits are the machine's.
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ]

    def _kube_router(self) -> list[str]:
        """NetworkPolicies only: routes and Services are the world's and kube-proxy's."""
        return [
            f"--kubeconfig={self.cluster.admin}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            "--run-loadbalancer=false",
            f"--hostname-override={self.name}",
            f"--service-cluster-ip-range={self.cluster.spec['service_cidr']}",
            "--iptables-sync-period=30s",
            "--health-port=0",
            "-v=1",
        ]
