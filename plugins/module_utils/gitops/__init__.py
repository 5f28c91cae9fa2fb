"""The hand-off to Git, and what is asked of Argo CD afterwards."""
