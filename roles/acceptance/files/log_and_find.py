"""Runs in a pod of a project: logs a run with a parameter, a metric and an artifact, and finds all three again."""

import uuid

import mlflow
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

token = uuid.uuid4().hex
mlflow.set_experiment("platform-acceptance")
with mlflow.start_run(run_name=token) as run:
    mlflow.log_param("token", token)
    mlflow.log_metric("answer", 42)
    mlflow.log_text(token, "token.txt")

client = mlflow.MlflowClient()
experiment = client.get_experiment_by_name("platform-acceptance")
found = client.search_runs([experiment.experiment_id], filter_string=f"params.token = '{token}'")
if [entry.info.run_id for entry in found] != [run.info.run_id]:
    raise SystemExit(f"logged run {run.info.run_id}, but a search for its parameter found {found}")
if found[0].data.metrics["answer"] != 42:
    raise SystemExit(f"logged the metric 42, but the server has {found[0].data.metrics}")
text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/token.txt")
if text != token:
    raise SystemExit(f"stored the artifact {token!r}, but the server returned {text!r}")
get_artifact_repository(run.info.artifact_uri).delete_artifacts()
client.delete_run(run.info.run_id)
print(f"run {run.info.run_id}: parameter, metric and artifact were logged by a project's pod and found again")
