"""The manifests of a version: an InferenceService with a share of the traffic, and a Job that tests it.

From one step to the next nothing differs but ``canaryTrafficPercent``: anything else, an annotation too, would make
Knative start another revision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from seatrial.errors import UsageError
from seatrial.registry import Version

Manifest = dict[str, Any]
NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")  # of an InferenceService, as KServe's webhook checks it
LONGEST = 40  # characters of a name: a tag, a component and a number stand beside it in names of 63
SHARE = "canaryTrafficPercent"
COMPONENTS = ("predictor", "transformer", "explainer")
MODE, KNATIVE = "serving.kserve.io/deploymentMode", ("Knative", "Serverless")
JOB_SECONDS, KEPT_SECONDS = 1800, 86_400
USER = 10001  # of the image


@dataclass(frozen=True)
class Deployment:
    """What the manifests of a version say.

    Attributes:
        version: the version.
        digest: of its files, as they were verified.
        storage: the address that KServe loads them from; empty where the manifest's predictor has its model in its
            image.
        namespace: in Kubernetes.
        image: of the Job.
        env_from: the Secret with the Job's environment variables.
        target: the address at which the Job reaches the candidate; empty for its tag inside the cluster.
        base: the InferenceService to start from.
    """

    version: Version
    digest: str
    storage: str
    namespace: str = "default"
    image: str = "seatrial"
    env_from: str = "seatrial"
    target: str = ""
    base: Mapping[str, Any] | None = None


def inference_service(of: Deployment, percent: int) -> Manifest:
    """Return the InferenceService with a share of the traffic.

    The mode is written down because another one than Knative ignores the share: all traffic would move at once.

    Args:
        of: what is deployed.
        percent: 0 to 100.

    Raises:
        UsageError: the model's name cannot be made that of a service, or the manifest cannot be used.
    """
    made: Manifest = deepcopy(dict(of.base or {}))
    made = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", **made}
    annotations = {
        MODE: KNATIVE[0], **made.get("metadata", {}).get("annotations", {}),
        "serving.kserve.io/enable-tag-routing": "true",
        "seatrial.version": of.version.uri, "seatrial.subject_digest": of.digest,
    }  # fmt: skip
    if annotations[MODE] not in KNATIVE:
        raise UsageError(
            f"The manifest sets {MODE}: {annotations[MODE]}. KServe splits traffic by canaryTrafficPercent in Knative "
            "mode alone; in any other, the candidate would get all traffic at once."
        )
    named = {"name": service_name(of), "namespace": of.namespace}
    made["metadata"] = {**made.get("metadata", {}), **named, "annotations": annotations}
    spec = made.setdefault("spec", {})
    predictor = spec.setdefault("predictor", {"model": {"modelFormat": {"name": "mlflow"}, "protocolVersion": "v2"}})
    if of.storage:
        predictor["model"]["storageUri"] = of.storage
    for name in COMPONENTS:
        if name in spec:
            rest = {field: value for field, value in spec[name].items() if field != SHARE}
            spec[name] = {SHARE: percent, **rest}
    return made


def smoke_test(of: Deployment) -> Manifest:
    """Return the Job that validates the candidate where it is deployed, before it has any traffic.

    It asks Kubernetes nothing, so it needs no ServiceAccount of its own, and gets no token of one.
    """
    name, number = service_name(of), of.version.number
    component = "transformer" if "transformer" in (of.base or {}).get("spec", {}) else "predictor"
    inside = f"http://latest-{name}-{component}.{of.namespace}.svc.cluster.local"
    container = {
        "name": "validate",
        "image": of.image,
        "args": ["seatrial", "validate", of.version.uri, "--target", of.target or inside],
        "envFrom": [{"secretRef": {"name": of.env_from}}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }  # fmt: skip
    metadata = {
        "name": f"{name}-{number}-smoke-test", "namespace": of.namespace,
        "annotations": {"seatrial.version": of.version.uri, "seatrial.subject_digest": of.digest},
    }  # fmt: skip
    spec = {
        "backoffLimit": 0, "activeDeadlineSeconds": JOB_SECONDS, "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"spec": pod},
    }  # fmt: skip
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def service_name(of: Deployment) -> str:
    """Return the name of the InferenceService: that of the manifest, else the model's in the form that KServe takes.

    Raises:
        UsageError: neither can be one.

    Example:
        >>> service_name(Deployment(Version("Fraud_EU", "3", 0, "", ""), "", ""))
        'fraud-eu'
    """
    given = (of.base or {}).get("metadata", {}).get("name")
    name = str(given) if given else re.sub(r"[^a-z0-9]+", "-", of.version.name.lower()).strip("-")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise UsageError(
            f"'{name}' cannot be the name of an InferenceService: it has lower-case letters, digits and '-', begins "
            f"with a letter, and has at most {LONGEST} characters. Set metadata.name in a file, and name it with "
            "--manifest."
        )
    return name


class _Indented(yaml.SafeDumper):
    """Lists stand further in than the key above them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def as_yaml(*manifests: Manifest) -> str:
    """Return manifests as YAML documents.

    Example:
        >>> print(as_yaml({"kind": "Job", "args": ["a"]}), end="")
        kind: Job
        args:
          - a
    """
    return yaml.dump_all(manifests, Dumper=_Indented, sort_keys=False, width=120, explicit_start=False)
