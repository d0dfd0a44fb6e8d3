"""Prints what an MLflow server has of a run, read with MLflow's own client:
mlflow_points.py ADDRESS RUN_ID"""

import json
import sys

from mlflow import MlflowClient

client = MlflowClient(tracking_uri=sys.argv[1])
run = client.get_run(sys.argv[2])
points = [
    [name, point.step, repr(point.value)]
    for name in sorted(run.data.metrics)
    for point in client.get_metric_history(run.info.run_id, name)
]
print(
    json.dumps(
        {
            "status": run.info.status,
            "name": run.info.run_name,
            "ended": run.info.end_time is not None,
            "experiment": client.get_experiment(run.info.experiment_id).name,
            "params": run.data.params,
            "tags": run.data.tags,
            "points": points,
        }
    )
)
