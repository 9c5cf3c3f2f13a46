"""A pipeline that deploys a version only after it passed."""

from collections.abc import Callable, Mapping
from typing import Any

from seatrial.kfp.components import import_dsl


def gate(
    validate: Any,
    deploy: Any,
    *,
    name: str = "seatrial-gate",
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[Any], object] | None = None,
) -> Any:
    """Return a pipeline that validates a version and, on the verdict ``pass`` alone, deploys it.

    Its input is ``version``. A version that fails, or of which no verdict could be reached, ends the run successfully
    and without the deployment. Neither step is taken from kfp's cache: a version may be validated again under another
    policy, and deployed again after a roll-back.

    Args:
        validate: :func:`validation` or :func:`local_validation`; with its other inputs bound, if it has any.
        deploy: a component with the input ``version``; it gets the URI of the version that was validated.
        name: of the pipeline.
        environment: variables of both steps, such as ``MLFLOW_TRACKING_URI``. No secrets: they would be readable in the
            compiled pipeline.
        prepare: called with the task of both steps, for example to give it a secret or a volume with kfp-kubernetes.

    Raises:
        UsageError: kfp is not installed.

    Example:
        >>> from kfp import compiler  # doctest: +SKIP
        >>> from seatrial import kfp
        >>> pipeline = kfp.gate(kfp.validation("registry.example/payments:7"), deploy)  # doctest: +SKIP
        >>> compiler.Compiler().compile(pipeline, "pipeline.yaml")  # doctest: +SKIP
    """
    dsl = import_dsl()

    def step(task: Any) -> Any:
        task.set_caching_options(enable_caching=False)
        for variable, value in (environment or {}).items():
            task.set_env_variable(variable, value)
        if prepare is not None:
            prepare(task)
        return task

    # A pipeline of its own, because kfp.local (2.17) reads a named output in a condition only as a pipeline's input.
    def deploy_on_pass(verdict: str, version: str):  # type: ignore[no-untyped-def]
        with dsl.If(verdict == "pass", name="passed"):
            step(deploy(version=version))

    inner = dsl.pipeline(deploy_on_pass, name="deploy-on-pass")

    def promote(version: str):  # type: ignore[no-untyped-def]
        checked = step(validate(version=version))
        decided = inner(verdict=checked.outputs["verdict"], version=checked.outputs["uri"])
        decided.set_caching_options(enable_caching=False)

    return dsl.pipeline(promote, name=name, description="Validate a model version, and deploy it only on a pass.")
