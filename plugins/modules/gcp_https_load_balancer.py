#!/usr/bin/python
"""Ansible module: a global external HTTPS load balancer with all it needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_https_load_balancer
short_description: An external HTTPS load balancer with address, DNS, certificate, Cloud Armor and sign-in
version_added: "0.1.0"
description:
  - Makes, as one graph, a global address, a DNS zone with records, a certificate that DNS proves, a Cloud Armor policy,
    a health check, a backend service behind Identity-Aware Proxy, URL maps, proxies, and forwarding rules for 443 and
    for 80, which redirects.
  - Backends are the zonal network endpoint groups of one name that exist when the task runs. Run it without
    O(endpoint_group) beside the making of the cluster, for address and certificate take long, and again with it when
    the gateway runs; without it, backends that are joined already stay.
  - The certificate becomes active when the domain is delegated to the zone's name servers; nothing waits for that.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether it is wanted. V(absent) removes all of it, the zone too unless O(keep_zone) is set.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of every part.
    type: str
    required: true
  domain:
    description: "Domain without trailing dot, such as V(ml.example.com)."
    type: str
    required: true
  hosts:
    description: "Names under the domain that get an address; V('') is the domain itself, V(*) all others."
    type: list
    elements: str
    default: ["", "*"]
  dns_zone:
    description: Name of the DNS zone.
    type: str
    required: true
  keep_zone:
    description:
      - With O(state=absent), whether the DNS zone stays, without the records made here. Where the domain is still
        delegated to its name servers, nobody else can make a zone of that name there and answer for the domain.
    type: bool
    default: false
  endpoint_group:
    description: Name of the network endpoint groups to join.
    type: str
  requests_per_endpoint:
    description: Requests in a second one endpoint is given before others are preferred.
    type: int
    default: 100
  timeout_seconds:
    description: How long a backend may take to answer; also how long a WebSocket may stay open.
    type: int
    default: 3600
  health:
    description: What Google's health checks ask.
    type: dict
    required: true
    suboptions:
      port: {description: Port., type: int, required: true}
      path: {description: Path., type: str, required: true}
  requests_per_minute:
    description: Requests of one address in a minute before it is turned away.
    type: int
    default: 1200
  protections:
    description: "Cloud Armor's preconfigured rules to enforce, such as V(sqli-v33-stable)."
    type: list
    elements: str
  preview:
    description: Those of O(protections) that are only watched - what they would refuse is logged and let through.
    type: list
    elements: str
  iap:
    description: The sign-in.
    type: dict
    default: {enabled: true}
    suboptions:
      enabled: {description: Whether people must sign in., type: bool, default: true}
      client_id: {description: "OAuth client of your own; unset, Google manages one.", type: str}
      client_secret: {description: Secret of that client., type: str}
  users:
    description:
      - "Who passes the sign-in, such as V(group:g@example.com): these and nobody else."
      - Unset together with O(access), it is left as it is.
    type: list
    elements: str
  access:
    description:
      - Hosts under O(domain) that have people of their own, each with its list of members.
      - There, they pass the sign-in and O(users) do not.
    type: dict
  labels:
    description: Labels of what can have them, exactly these.
    type: dict
"""

EXAMPLES = r"""
- name: What takes long
  gcp_https_load_balancer: &edge
    project: acme-ml
    name: mlops
    domain: ml.example.com
    dns_zone: ml-example-com
    health: {port: 15021, path: /healthz/ready}
    users: ["group:data-scientists@example.com"]

- name: Join the gateway
  gcp_https_load_balancer:
    <<: *edge
    endpoint_group: mlops-gateway
"""

RETURN = r"""
plan:
  description: What was done (in check mode, what would be done), a line for each resource.
  returned: always
  type: list
  elements: str
load_balancer:
  description:
    - C(address), C(name_servers) to delegate the domain to, C(backend_service_id) for checking IAP's signed headers,
      C(endpoint_groups) that are joined, C(certificate_state).
  returned: success
  type: dict
drift:
  description: What differed, a row for each field with C(resource), C(field), C(google), C(wanted), C(mutable).
  returned: success
  type: list
  elements: dict
timeline:
  description: What was written or waited for, with C(resource), C(action), C(began) and C(ended) in seconds since 1970.
  returned: success
  type: list
  elements: dict
resources:
  description: The title and the state of everything the options name.
  returned: success
  type: list
  elements: dict
failure:
  description: The error in parts (action, resource, code, reason, message, hint, permission, role).
  returned: failed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, run_graph
from ..module_utils.gcloud.graphs.edge import edge_graph, edge_outputs


def main() -> None:
    """Run the module."""
    spec = argument_spec(DOCUMENTATION, no_log=["iap.client_secret"])
    run_graph(AnsibleModule(spec, supports_check_mode=True), edge_graph, edge_outputs)


if __name__ == "__main__":
    main()
