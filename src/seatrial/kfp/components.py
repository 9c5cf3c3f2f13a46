"""The validation as a component of Kubeflow Pipelines: from an image, or from an interpreter on this machine.

Annotations are evaluated here, not postponed: kfp reads a component's interface from them.
"""

from typing import Any

from seatrial.errors import UsageError

IMAGE = "seatrial:latest"  # what deployments/Dockerfile builds
PROJECT = "/project"  # where that image has the project


def validation(image: str = IMAGE, project: str = PROJECT) -> Any:
    """Return a container component that validates a version with ``seatrial validate``.

    Its input is ``version``, the URI of a version. A verdict of any kind ends the task successfully; the task fails
    where there is no verdict: the registry did not answer, or there is no such version. Its outputs are

    - ``verdict``: pass, fail, inconclusive or error;
    - ``uri``: the version that was validated, by its number, also where ``version`` was an alias;
    - ``report`` (HTML), ``junit`` (XML) and ``metrics``: what the verdict rests on.

    Args:
        image: of seatrial and the project, as ``deployments/Dockerfile`` builds it.
        project: the project's directory in the image.

    Raises:
        UsageError: kfp is not installed.

    Example:
        >>> from seatrial import kfp
        >>> sorted(kfp.validation("registry.example/payments:7").outputs)  # doctest: +SKIP
        ['junit', 'metrics', 'report', 'uri', 'verdict']
    """
    dsl = import_dsl()

    def validate(
        version: str,
        verdict: dsl.OutputPath(str),  # type: ignore[valid-type]
        uri: dsl.OutputPath(str),  # type: ignore[valid-type]
        report: dsl.Output[dsl.HTML],  # type: ignore[name-defined]
        junit: dsl.Output[dsl.Artifact],  # type: ignore[name-defined]
        metrics: dsl.Output[dsl.Metrics],  # type: ignore[name-defined]
    ) -> Any:
        words = ["--version", version, "--project", project, "--verdict", verdict, "--uri", uri]
        words += ["--report", report.path, "--junit", junit.path, "--metrics", metrics.path]
        words += ["--executor-input", dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER]
        return dsl.ContainerSpec(image=image, command=["python", "-m", "seatrial.kfp.step"], args=words)

    return dsl.container_component(_returning(validate, dsl.ContainerSpec))


def local_validation() -> Any:
    """Return the same component for ``kfp.local.SubprocessRunner``, which runs Python functions alone.

    Its inputs are ``version``, ``project``, the project's directory on this machine, and ``python``, the interpreter
    that seatrial is installed for: it may be another one than that of kfp. Its outputs are those of
    :func:`validation`.

    Raises:
        UsageError: kfp is not installed.
    """
    dsl = import_dsl()

    def validate(  # type: ignore[no-untyped-def]
        version: str,
        project: str,
        python: str,
        verdict: dsl.OutputPath(str),  # type: ignore[valid-type]
        uri: dsl.OutputPath(str),  # type: ignore[valid-type]
        report: dsl.Output[dsl.HTML],  # type: ignore[name-defined]
        junit: dsl.Output[dsl.Artifact],  # type: ignore[name-defined]
        metrics: dsl.Output[dsl.Metrics],  # type: ignore[name-defined]
    ):
        import json
        import subprocess

        words = ["--version", version, "--project", project, "--verdict", verdict, "--uri", uri]
        words += ["--report", report.path, "--junit", junit.path, "--metrics", metrics.path]
        subprocess.run([python, "-m", "seatrial.kfp.step", *words], check=True)  # noqa: S603
        with open(metrics.path, encoding="utf-8") as file:
            for name, value in json.load(file).items():
                metrics.log_metric(name, value)

    return dsl.component(validate, base_image="python:3.11", install_kfp_package=False)


def _returning(function: Any, kind: type) -> Any:
    """State what a function returns, by which kfp knows that it is a container component."""
    function.__annotations__["return"] = kind
    return function


def import_dsl() -> Any:
    """Return kfp's language for pipelines, or raise UsageError where it is not installed."""
    try:
        from kfp import dsl
    except ImportError as error:
        raise UsageError(
            "Components for Kubeflow Pipelines need kfp, which is not installed. Type: pip install 'seatrial[kfp]'"
        ) from error
    return dsl
