"""The well-known addresses of a world. Everything else is answered by AnyIP or reserved by the emulator."""

from __future__ import annotations

WORLD = "10.0.0.50"
"""Source address of everything in the world that did not choose one."""

APIS = "142.250.0.10"
RELAY = "142.250.0.11"
SIGN_IN = "142.250.0.12"
METADATA = "169.254.169.254"
DNS = "8.8.8.8"
DNS_ALSO = ("8.8.4.4", "1.1.1.1", METADATA)
GIT = "140.82.121.4"
REGISTRY = "151.101.0.20"
REGISTRY_MIRROR_PORT = 5000
RELEASES = "185.199.108.133"
DEBIAN = "151.101.2.132"

OFFICE = "203.0.113.10"
OFFICE_GATEWAY = "203.0.113.1"
IAP_SOURCES = "35.235.240.0/20"
PRIVATE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
