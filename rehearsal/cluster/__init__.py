"""What stands behind an emulated GKE cluster: a real Kubernetes control plane and real or simulated nodes."""
