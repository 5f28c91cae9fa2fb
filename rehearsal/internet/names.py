"""Which public name has which address. Names that the emulated Cloud DNS holds are not here (zones.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rehearsal.world import addresses

EXACT: Mapping[str, str] = {
    "tunnel.cloudproxy.app": addresses.RELAY,
    "mtls.tunnel.cloudproxy.app": addresses.RELAY,
    "metadata.google.internal": addresses.METADATA,
    "metadata": addresses.METADATA,
    "emulator.internal": addresses.APIS,
    "dns.google": addresses.DNS,
    "accounts.google.com": addresses.SIGN_IN,
    "www.gstatic.com": addresses.SIGN_IN,
}

SUFFIXES: Mapping[str, str] = {
    # Google's APIs, its sign-in pages, GKE's DNS endpoints and Artifact Registry
    "googleapis.com": addresses.APIS,
    "google.com": addresses.APIS,
    "gke.goog": addresses.APIS,
    "pkg.dev": addresses.APIS,
    # registries of upstream images, and the hosts they send clients to
    "quay.io": addresses.REGISTRY,
    "docker.io": addresses.REGISTRY,
    "docker.com": addresses.REGISTRY,
    "ghcr.io": addresses.REGISTRY,
    "gcr.io": addresses.REGISTRY,
    "registry.k8s.io": addresses.REGISTRY,
    "public.ecr.aws": addresses.REGISTRY,
    "mcr.microsoft.com": addresses.REGISTRY,
    # where release files are downloaded from
    "github.com": addresses.RELEASES,
    "githubusercontent.com": addresses.RELEASES,
    "github.io": addresses.RELEASES,
    "dl.k8s.io": addresses.RELEASES,
}


class Names:
    """The world's static names: the tables above and those that this world's own content adds."""

    def __init__(self, extra: Mapping[str, str]) -> None:
        self._exact = {**EXACT, **{name.lower().rstrip("."): address for name, address in extra.items()}}

    def address(self, name: str) -> str | None:
        """Address of `name` (lower case, no final dot), or None if no such name is public."""
        if name in self._exact:
            return self._exact[name]
        return next((address for parent in _parents(name) if (address := SUFFIXES.get(parent))), None)


def _parents(name: str) -> Iterable[str]:
    while name:
        yield name
        name = name.partition(".")[2]
