"""Google's front door: the external load balancer's data path, Cloud Armor, and Identity-Aware Proxy's sign-in."""
