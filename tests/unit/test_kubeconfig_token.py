"""The token that a kubeconfig's exec plugin gives."""

from __future__ import annotations

from datetime import timedelta

from plugins.module_utils.gcloud import token_cli

# kubernetes.config.exec_provider's EXPIRY_SKEW_PREVENTION_DELAY: it runs the plugin again this long before the end, for
# every single request if the token never lasts longer.
CLIENT_SKEW = timedelta(minutes=5)


def test_a_token_outlives_the_clients_caution() -> None:
    from kubernetes.config import kube_config

    assert kube_config.EXPIRY_SKEW_PREVENTION_DELAY == CLIENT_SKEW
    assert timedelta(minutes=token_cli.VALID_MINUTES) > 2 * CLIENT_SKEW
