"""What a version says of the environment it was made in: the files beside its model, read and never run.

A logged MLflow model carries ``requirements.txt``, ``python_env.yaml`` and ``conda.yaml``; one that was logged in a uv
project carries ``uv.lock``, ``pyproject.toml`` and perhaps ``.python-version`` too.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import EnvironmentUnavailable

LOCK, PROJECT, REQUIREMENTS, CONDA = "uv.lock", "pyproject.toml", "requirements.txt", "conda.yaml"
_RELEASE = re.compile(r"(\d+)\.(\d+)")
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S.*?)\s*(?:\s#.*)?$")
_NAME = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:$|[\[<>=!~;@#\s])")
_OF_CONDA_ITSELF = {"python", "pip", "setuptools", "wheel"}
_NEWEST = 30  # the last minor release of Python 3 that is tried
OTHERWISE = "or make the environment yourself and name its interpreter in pyproject.toml: [tool.seatrial] python = PATH"


@dataclass(frozen=True)
class Carried:
    """What an environment is built from.

    Attributes:
        source: the name of the file that decides.
        python: the minor release of Python, such as ``3.11``.
        requirements: the lines of a requirements file, which may be there beside a lock.
        locked: whether ``uv.lock`` and ``pyproject.toml`` are there.
        indexes: the package indexes that the lock names, beside the public one.
        digest: of the content of every file that was read, SHA-256.
    """

    source: str
    python: str
    requirements: tuple[str, ...]
    locked: bool
    indexes: tuple[str, ...]
    digest: str


def carried(model: Path) -> Carried:
    """Read what a version carries.

    Args:
        model: the directory of the model.

    Raises:
        EnvironmentUnavailable: nothing there says what to install, or it cannot be read, or uv cannot install it.
    """
    files = _Files(model)
    conda = _conda(files)
    requirements = _requirements(files, conda)
    locked = (model / LOCK).is_file() and (model / PROJECT).is_file()
    if not locked and requirements is None:
        raise EnvironmentUnavailable(
            f"The version carries no {LOCK} with its {PROJECT}, no {REQUIREMENTS} and no pip requirements in {CONDA}, "
            f"so its environment is not known. Log the model with its requirements, as MLflow does, {OTHERWISE}."
        )
    lock = files.toml(LOCK) if locked else {}
    if locked:
        files.read(PROJECT)
    return Carried(
        source=LOCK if locked else REQUIREMENTS if (model / REQUIREMENTS).is_file() else CONDA,
        python=_python(files, conda, lock),
        requirements=tuple(requirements or ()),
        locked=locked,
        indexes=tuple(sorted(_indexes(lock))),
        digest=files.digest(),
    )


def beyond(requirements: Iterable[str], locked: Iterable[str]) -> list[str]:
    """Return the requirements of packages that no line of the second list is about.

    MLflow adds its own release to what a lock installs by default, and what the optional groups of a project need.

    Example:
        >>> beyond(["mlflow==3.17.2", "scikit-learn>=1.4"], ["scikit_learn==1.4.2", "    --hash=sha256:…"])
        ['mlflow==3.17.2']
    """
    names = {_name(line) for line in locked} - {None}
    return [line for line in requirements if _name(line) not in names]


class _Files:
    """The files of a version that were read, with a digest of them all."""

    def __init__(self, model: Path) -> None:
        self.model = model.resolve()
        self._digests: dict[str, str] = {}

    def read(self, name: str) -> str | None:
        """Return the text of a file of the version; None where there is none."""
        path = (self.model / name).resolve()
        if not path.is_relative_to(self.model):
            raise EnvironmentUnavailable(f"The version's requirements refer to {name}, which is not a file of its own.")
        if not path.is_file():
            return None
        content = path.read_bytes()
        self._digests[path.relative_to(self.model).as_posix()] = hashlib.sha256(content).hexdigest()
        return content.decode("utf-8", "replace")

    def toml(self, name: str) -> dict[str, Any]:
        """Return the tables of a file."""
        try:
            return tomllib.loads(self.read(name) or "")
        except tomllib.TOMLDecodeError as error:
            raise EnvironmentUnavailable(f"The version's {name} cannot be read: {error}.") from error

    def yaml(self, name: str) -> dict[str, Any]:
        """Return the fields of a file; none where there is no such file."""
        import yaml

        try:
            found = yaml.safe_load(self.read(name) or "")
        except yaml.YAMLError as error:
            raise EnvironmentUnavailable(f"The version's {name} cannot be read: {error}.") from error
        return found if isinstance(found, dict) else {}

    def include(self, lines: list[str], seen: frozenset[str] = frozenset()) -> None:
        """Read the files that the lines of a requirements file name: further ones, and wheels."""
        for line in lines:
            included = _INCLUDE.match(line)
            if included is None:
                for word in line.split():
                    if "://" not in word and not Path(word).is_absolute() and (self.model / word).is_file():
                        self.read(word)
                continue
            name = included[1].strip("'\"")
            text = None if "://" in name else self.read(name)
            if text is None:
                raise EnvironmentUnavailable(
                    f"The version's requirements refer to {name}, which the version does not carry."
                )
            if name not in seen:
                self.include(text.splitlines(), seen | {name})

    def digest(self) -> str:
        """Return one digest of all names and contents."""
        return hashlib.sha256(repr(sorted(self._digests.items())).encode()).hexdigest()


def _requirements(files: _Files, conda: list[Any]) -> list[str] | None:
    text = files.read(REQUIREMENTS)
    lines = text.splitlines() if text is not None else _of_pip(conda)
    if lines is None:
        return None
    if text is None and (others := [n for entry in conda if (n := _conda_name(entry)) not in _OF_CONDA_ITSELF | {""}]):
        raise EnvironmentUnavailable(
            f"The version's {CONDA} asks conda for {', '.join(others)}, which uv cannot install. Log the model with "
            f"pip requirements, {OTHERWISE}."
        )
    files.include(lines)
    return lines


def _conda(files: _Files) -> list[Any]:
    dependencies = files.yaml(CONDA).get("dependencies")
    return dependencies if isinstance(dependencies, list) else []


def _of_pip(conda: list[Any]) -> list[str] | None:
    parts = [entry["pip"] for entry in conda if isinstance(entry, dict) and isinstance(entry.get("pip"), list)]
    return [str(line) for part in parts for line in part] if parts else None


def _conda_name(entry: Any) -> str:
    return re.split(r"[\s=<>!~\[]", entry.rpartition("::")[2].strip(), maxsplit=1)[0] if isinstance(entry, str) else ""


def _python(files: _Files, conda: list[Any], lock: dict[str, Any]) -> str:
    """Return the minor release that the version was made with, else this one, or the first that its lock allows."""
    by_conda = [entry for entry in conda if _conda_name(entry) == "python"]
    for said in (files.read(".python-version"), files.yaml("python_env.yaml").get("python"), *by_conda):
        if said is not None and (release := _RELEASE.search(str(said))):
            return release[0]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    allowed = lock.get("requires-python")
    if not isinstance(allowed, str):
        return here
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        releases = SpecifierSet(allowed)
    except InvalidSpecifier as error:
        raise EnvironmentUnavailable(f"The version's {LOCK} cannot be read: {error}.") from error
    # A bound such as >=3.11.4 leaves a minor release open, if not its first patch.
    candidates = [here, *(f"3.{minor}" for minor in range(_NEWEST))]
    return next((r for r in candidates if any(f"{r}.{patch}" in releases for patch in range(_NEWEST))), here)


def _indexes(lock: dict[str, Any]) -> set[str]:
    packages = lock.get("package")
    sources = [p.get("source") for p in packages if isinstance(p, dict)] if isinstance(packages, list) else []
    urls = {
        str(source["registry"]).rstrip("/") for source in sources if isinstance(source, dict) and "registry" in source
    }
    return {url for url in urls if "://" in url and not re.match(r"https://pypi(\.python)?\.org/simple$", url)}


def _name(line: str) -> str | None:
    found = _NAME.match(line)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else None
