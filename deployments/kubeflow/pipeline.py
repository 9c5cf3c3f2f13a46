"""The gate as a pipeline of Kubeflow. Copy it, name your image and your deployment, and compile it:

pip install kfp && pip install --no-deps seatrial
python deployments/kubeflow/pipeline.py pipeline.yaml
"""

import sys

from kfp import compiler, dsl

from seatrial import kfp

IMAGE = "registry.example/payments:latest"  # built with deployments/Dockerfile from your project
ENVIRONMENT = {"MLFLOW_TRACKING_URI": "http://mlflow.mlflow:5000"}


@dsl.container_component
def deploy(version: str):
    """Deploy what has a signed pass: the same files, the same code, the policy of today."""
    script = 'seatrial verify "$1" && ./deploy.sh "$1"'
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", script, "deploy"], args=[version])


pipeline = kfp.gate(kfp.validation(IMAGE), deploy, name="deploy-payments", environment=ENVIRONMENT)

if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, sys.argv[1] if len(sys.argv) > 1 else "pipeline.yaml")
