"""Components for Kubeflow Pipelines: a step that validates a version, and the gate before a deployment.

Needs kfp and nothing else of seatrial's dependencies: ``pip install --no-deps seatrial`` beside ``kfp`` is enough to
build and compile a pipeline. The validation itself runs from seatrial's own image or interpreter.
"""

from seatrial.kfp.components import local_validation, validation
from seatrial.kfp.gate import gate

__all__ = ["gate", "local_validation", "validation"]
