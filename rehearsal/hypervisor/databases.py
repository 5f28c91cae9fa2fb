"""Real PostgreSQL servers (Debian's package) on the private addresses of emulated Cloud SQL instances."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cluster.pki import Authority
from rehearsal.google.substrate import DatabaseSpec, SubstrateItem
from rehearsal.hypervisor.processes import Program, StartError, call, start, until
from rehearsal.toolchain.debian import POSTGRESQL
from rehearsal.world import syscalls

VERSION = "POSTGRES_15"
START_DEADLINE_SECONDS = 180.0
# PostgreSQL refuses to run as root, and a cache in root's home is closed to others: it sees both through mounts here.
RUN = Path("/run/rehearsal-databases")
ADMIN = "cloudsqladmin"  # the superuser that Cloud SQL itself keeps


@dataclass
class Database:
    """One running server and the folder of its data."""

    spec: DatabaseSpec
    program: Program
    folder: Path


class Databases:
    """Starts and ends servers; every method may be called again with the same arguments."""

    def __init__(self, world_dir: Path) -> None:
        self.world_dir = world_dir
        self._databases: dict[str, Database] = {}
        self._lock = asyncio.Lock()
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None

    def _data(self, key: str) -> Path:
        return self.world_dir / "databases" / hashlib.sha256(key.encode()).hexdigest()[:8]

    def _prepare(self, key: str) -> tuple[Path, Path]:
        """Makes the programs and the data folder reachable for the server's user; returns both."""
        data = self._data(key)
        data.mkdir(parents=True, exist_ok=True)
        if self._user is None:
            return POSTGRESQL.root, data
        programs, seen = RUN / "programs", RUN / data.name
        for source, target in ((POSTGRESQL.root, programs), (data, seen)):
            target.mkdir(parents=True, exist_ok=True)
            if not target.is_mount():
                syscalls.bind(source, target)
        os.chown(seen, self._user, self._user)
        return programs, seen

    async def ensure(self, spec: DatabaseSpec) -> None:
        """Brings up the server `spec` with its databases and users.

        Raises StartError for a version that isn't there, or with the server's log.
        """
        if spec["version"] != VERSION:
            raise StartError(f"{spec['key']}: {spec['version']} is not to be had here; {VERSION} is")
        async with self._lock:
            if spec["key"] not in self._databases:
                self._databases[spec["key"]] = await self._start(spec)
            await self._fill(spec)

    async def _start(self, spec: DatabaseSpec) -> Database:
        programs, folder = self._prepare(spec["key"])
        binaries = programs / "usr/lib/postgresql/15/bin"
        environment = {**POSTGRESQL.environment(programs), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        log = self.world_dir / "logs" / f"postgresql-{folder.name}.log"
        data = folder / "data"
        if not (data / "PG_VERSION").is_file():
            command: list[str | Path] = [
                binaries / "initdb",
                f"--pgdata={data}",
                f"--username={ADMIN}",
                "--auth-local=trust",
            ]
            command += ["--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8"]
            made = await start("initdb", command, log, environment, user=self._user)
            if await made.process.wait():
                raise StartError(f"{spec['key']}: initdb failed:\n{made.last_lines()}")
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
        certificate = self._certificate(folder, spec["address"])
        options = {
            "listen_addresses": spec["address"],
            "unix_socket_directories": str(folder),
            "ssl": "on",
            "ssl_cert_file": f"{certificate}.crt",
            "ssl_key_file": f"{certificate}.key",
            "fsync": "off",  # the data need not outlive the machine
            "jit": "off",
            "shared_buffers": "32MB",
        }
        command = [binaries / "postgres", "-D", data, *(f"--{key}={value}" for key, value in options.items())]
        program = await start("postgres", command, log, environment, user=self._user)
        ready: list[str | Path] = [binaries / "pg_isready", "--quiet", f"--host={folder}"]

        async def accepts() -> bool:
            try:
                await call(*ready, environment=environment)
            except StartError:
                return False
            return True

        await until(program, accepts, START_DEADLINE_SECONDS, f"PostgreSQL for {spec['key']}")
        return Database(spec, program, folder)

    def _certificate(self, folder: Path, address: str) -> Path:
        """Path, without suffix, of the server's certificate: by an authority of the instance's own, as in Cloud SQL."""
        authority = Authority(folder / "pki")
        authority.issue("server", "server", names=[address])
        for path in (authority.folder, *authority.folder.iterdir()):
            if self._user is not None:
                os.chown(path, self._user, self._user)
        return authority.folder / "server"

    async def _sql(self, folder: Path, statement: str) -> str:
        """Runs `statement`, which is given on standard input since it may hold a password."""
        programs = POSTGRESQL.root if self._user is None else RUN / "programs"
        command: list[str | Path] = [
            programs / "usr/lib/postgresql/15/bin/psql",
            f"--host={folder}",
            f"--username={ADMIN}",
        ]
        command += ["--dbname=postgres", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1"]
        return await call(*command, environment=POSTGRESQL.environment(programs), given=statement.encode())

    async def _fill(self, spec: DatabaseSpec) -> None:
        folder = self._databases[spec["key"]].folder
        roles = set((await self._sql(folder, "SELECT rolname FROM pg_roles")).split())
        for user in spec["users"]:
            verb = "ALTER" if user["name"] in roles else "CREATE"
            password = _quoted(user["password"], "'")
            name = _quoted(user["name"], '"')
            await self._sql(folder, f"{verb} ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD {password}")
        there = set((await self._sql(folder, "SELECT datname FROM pg_database")).split())
        for database in spec["databases"]:
            if database not in there:
                await self._sql(folder, f"CREATE DATABASE {_quoted(database, chr(34))}")
            # Cloud SQL's users are members of cloudsqlsuperuser and may create in every database's public schema.
            for user in spec["users"]:
                name = _quoted(user["name"], '"')
                await self._sql(folder, f"GRANT ALL ON DATABASE {_quoted(database, chr(34))} TO {name}")
                await self._sql(folder, f"\\connect {_quoted(database, chr(34))}\nGRANT ALL ON SCHEMA public TO {name}")

    async def remove(self, key: str) -> None:
        """Ends the server `key` and forgets its data."""
        async with self._lock:
            if database := self._databases.pop(key, None):
                await database.program.stop(grace=10)
                if self._user is not None and database.folder.is_mount():
                    syscalls.unmount(database.folder)
            shutil.rmtree(self._data(key), ignore_errors=True)

    def status(self) -> list[SubstrateItem]:
        """A line for each server."""
        return [
            {"kind": "database", "key": key, "mode": "real", "detail": f"PostgreSQL 15 at {database.spec['address']}"}
            for key, database in self._databases.items()
        ]


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark
