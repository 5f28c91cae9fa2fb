"""A machine that really boots: Debian with systemd as its first process, in its own network, process and cgroup space.

Its disk is an overlay over the base, in the world's folder, so it survives `rehearsal down` as a disk does. Needs root.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from rehearsal.errors import RehearsalError
from rehearsal.machines import furnish
from rehearsal.machines.base import Base
from rehearsal.machines.spec import MachineSpec
from rehearsal.world import cgroups, syscalls
from rehearsal.world.commands import find_program, run

BOOT_SECONDS = 180.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
REBOOT_STATUS = 133
"""systemd-nspawn's exit status when the machine asked for a reboot and nobody else is there to do it."""
NETWORK_INTERFACE = "ens4"
"""As Debian names it on Compute Engine; its MTU is Google's too."""
MTU = 1460


class SystemdMachine:
    """One machine; `start`, `stop` and `destroy` may be called in any state."""

    mode = "systemd"

    def __init__(self, spec: MachineSpec, world_dir: Path, base: Base) -> None:
        self.spec = spec
        self._base = base
        self._world_dir = world_dir
        self._folder = world_dir / "machines" / f"{spec.name}-{spec.identity}"
        self._root = self._folder / "root"
        self._namespace = f"vm-{spec.identity}"
        self._cable = f"vm{spec.identity}"
        self._log = world_dir / "logs" / "machines" / f"{spec.name}.log"
        self._running: asyncio.Task[None] | None = None

    @property
    def detail(self) -> str:
        """For `rehearsal status`."""
        state = "running" if self._running and not self._running.done() else "stopped"
        return f"Debian {self._base.folder.name.split('-')[1]}, {state}, {self.spec.address}"

    async def start(self) -> None:
        """Boot it and wait until its SSH server answers; a running machine is left alone."""
        if self._running and not self._running.done():
            return
        await asyncio.to_thread(self._prepare)
        self._running = asyncio.create_task(self._boot_again_and_again())
        await self._wait_for_ssh()

    async def stop(self) -> None:
        """Shut it down in good order, or pull the plug after STOP_SECONDS; its disk stays."""
        if self._running and not self._running.done():
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await asyncio.to_thread(self._clear)

    async def destroy(self) -> None:
        """Pull the plug and delete its disk."""
        await asyncio.to_thread(self._kill)
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, True)

    def _prepare(self) -> None:
        self._clear()
        fresh = not (self._folder / "upper").exists()
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._mount_disk()
        if fresh:
            furnish.furnish(self._root, self.spec, self._world_dir)
        self._connect()

    def _mount_disk(self) -> None:
        # `volatile` spares the disk dpkg's many fsyncs; its mark must go before the next mount
        shutil.rmtree(self._folder / "work" / "work" / "incompat", ignore_errors=True)
        places = f"lowerdir={self._base.root},upperdir={self._folder / 'upper'},workdir={self._folder / 'work'}"
        try:
            syscalls.mount("overlay", self._root, "overlay", data=f"{places},volatile")
        except OSError:
            syscalls.mount("overlay", self._root, "overlay", data=places)  # kernels before 5.10

    def _connect(self) -> None:
        """A network namespace with one cable to the world, configured as Compute Engine's DHCP does."""
        spec = self.spec
        run(["ip", "netns", "add", self._namespace])
        # The route is in table local, where the world's AnyIP route would claim the address otherwise.
        world_side = [
            f"link add {self._cable} type veth peer name {NETWORK_INTERFACE} netns {self._namespace}",
            f"link set {self._cable} mtu {MTU} up",
            f"route add {spec.address}/32 dev {self._cable} table local",
        ]
        machine_side = [
            "link set lo up",
            f"addr add {spec.address}/32 dev {NETWORK_INTERFACE}",
            f"link set {NETWORK_INTERFACE} mtu {MTU} up",
            f"route add {spec.gateway} dev {NETWORK_INTERFACE}",
            f"route add default via {spec.gateway} dev {NETWORK_INTERFACE}",
        ]
        run(["ip", "-batch", "-"], text_input="\n".join(world_side))
        run(["ip", "-netns", self._namespace, "-batch", "-"], text_input="\n".join(machine_side))

    def _cgroups(self) -> list[Path]:
        name = cgroups.root_name(self._world_dir)
        return [top / name / "machines" / self.spec.identity for top in cgroups.systemd_hierarchies()]

    def _enter_cgroups(self) -> None:
        """Runs in the child before systemd-nspawn: what it starts is then found and ended by its cgroup."""
        for folder in self._cgroups():
            (folder / "cgroup.procs").write_text("0")

    async def _boot_again_and_again(self) -> None:
        status = REBOOT_STATUS
        while status == REBOOT_STATUS:
            status = await self._boot()
            # The namespace outlives the reboot, which a kernel's firewall rules and counters do not.
            await asyncio.to_thread(
                run, ["ip", "netns", "exec", self._namespace, find_program("nft"), "flush", "ruleset"]
            )

    async def _boot(self) -> int:
        for folder in self._cgroups():
            folder.mkdir(parents=True, exist_ok=True)
        command = [
            *(find_program("systemd-nspawn"), "--quiet", "--boot", f"--directory={self._root}"),
            *(f"--machine={self.spec.name}", f"--hostname={self.spec.name}"),
            *("--register=no", "--keep-unit", f"--network-namespace-path=/run/netns/{self._namespace}"),
            *("--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            "--console=pipe",
        ]
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                start_new_session=True,
                preexec_fn=self._enter_cgroups,
            )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            if process.returncode is None:
                process.terminate()  # systemd-nspawn asks the machine to power off
                await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=STOP_SECONDS)
            if process.returncode is None:
                await asyncio.to_thread(self._kill)
                await process.wait()
            raise

    async def _wait_for_ssh(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while not await asyncio.to_thread(self._ssh_listens):
            ended = self._running is None or self._running.done()
            if ended or time.monotonic() > deadline:
                why = "it ended while it booted" if ended else f"its SSH server did not start in {BOOT_SECONDS:g} s"
                raise RehearsalError(
                    f"boot the machine {self.spec.name}", f"{why}: {self._last_words()}", self._advice()
                )
            await asyncio.sleep(POLL_SECONDS)

    def _ssh_listens(self) -> bool:
        """Whether the SSH server is up, seen from inside: the machine's own firewall may refuse us from outside."""
        listing = run(["ip", "netns", "exec", self._namespace, find_program("ss"), "-Hltn", "sport = :22"])
        return bool(listing.strip())

    def _last_words(self) -> str:
        return " / ".join(self._log.read_text(errors="replace").strip().splitlines()[-5:])

    def _advice(self) -> str:
        return f"Read its console: rehearsal logs machines/{self.spec.name}"

    def _kill(self) -> None:
        for folder in self._cgroups():
            if (folder / "cgroup.kill").exists():
                (folder / "cgroup.kill").write_text("1")

    def _clear(self) -> None:
        """Remove whatever an earlier run of it left: processes, mounts, cable, cgroups."""
        self._kill()
        for folder in self._cgroups():
            cgroups.remove_tree(folder)
        while os.path.ismount(self._root):
            run(["umount", "--lazy", self._root])
        if Path("/run/netns", self._namespace).exists():
            run(["ip", "netns", "del", self._namespace])
            # The cable goes with the namespace, a little later
            while Path("/sys/class/net", self._cable).exists():
                time.sleep(POLL_SECONDS)
