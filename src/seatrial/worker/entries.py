"""Where the code of a stage's function begins: functions, partials, methods, callable objects, lambdas, decorators."""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST = 2_000  # objects looked at: a callable object may hold a table of any size


@dataclass(frozen=True)
class Entry:
    """A piece of the code that a stage's function is made of.

    Attributes:
        what: a description for people.
        file: that holds it; None with a reason where there is none.
        name: of the top-level definition that it is in.
        module: that it is in.
        reason: why there is no file.
        lambda_line: the line of a lambda outside any function, from 1; 0 for all else.
        code: of a lambda.
    """

    what: str
    file: Path | None
    name: str = ""
    module: str = ""
    reason: str = ""
    lambda_line: int = 0
    code: types.CodeType | None = None

    def lambdas(self, tree: ast.Module) -> Iterator[ast.Lambda]:
        """Yield the lambda of this entry; several where they cannot be told apart, which reaches too much."""
        there = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and n.lineno == self.lambda_line]
        names = self.code.co_varnames if self.code else ()
        alike = [n for n in there if _parameters(n) == names[: len(_parameters(n))]]
        same = [n for n in alike if self.code is not None and _compiled(n) == self.code.co_code]
        yield from same or alike or there


def entries_of(function: Callable[..., Any]) -> list[Entry]:
    """Return the pieces that a function is made of: what it wraps, is bound to, holds, and is given beforehand."""
    found: dict[Any, Entry] = {}
    waiting: list[Any] = [function]
    seen: set[int] = set()
    first = True
    while waiting and len(seen) < MOST:
        thing = waiting.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, functools.partial):
            waiting += [thing.func, *thing.args, *thing.keywords.values()]
        elif isinstance(thing, types.MethodType):
            waiting += [thing.__func__, thing.__self__]
        elif isinstance(thing, types.FunctionType):
            found[thing.__code__] = _of_function(thing)
            waiting += [c.cell_contents for c in thing.__closure__ or () if _filled(c)]
            waiting += [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
            waiting += [thing.__wrapped__] if hasattr(thing, "__wrapped__") else []
        elif isinstance(thing, type):
            found[thing] = _of_class(thing, required=first)
        elif isinstance(thing, Mapping):
            waiting += list(thing.values())[:MOST]
        elif isinstance(thing, list | tuple | set | frozenset):
            waiting += list(thing)[:MOST]
        elif isinstance(thing, types.BuiltinFunctionType):
            found[thing] = Entry(str(getattr(thing, "__name__", thing)), None, reason="compiled code")
        elif first or (hasattr(thing, "__dict__") and not isinstance(thing, types.ModuleType)):
            found[type(thing)] = _of_class(type(thing), required=first)
            waiting += list(getattr(thing, "__dict__", {}).values())[:MOST]
            waiting += [thing.__wrapped__] if hasattr(thing, "__wrapped__") else []
        first = False
    return [entry for entry in found.values() if entry.what]


def _of_function(function: types.FunctionType) -> Entry:
    name, module = function.__qualname__, function.__module__ or ""
    file = _file(function)
    if file is None:
        return Entry(f"{module}.{name}", None, reason="it has no source file")
    top = name.partition(".")[0]
    line = function.__code__.co_firstlineno if top == "<lambda>" else 0
    what = f"a lambda at {file.name}:{line}" if line else f"{module}.{name}"
    return Entry(what, file, top, module, lambda_line=line, code=function.__code__ if line else None)


def _of_class(kind: type, *, required: bool) -> Entry:
    if kind.__module__ == "builtins":
        return Entry("", None)
    file = _file(kind)
    if file is None:
        return Entry(kind.__qualname__ if required else "", None, reason="compiled code")
    return Entry(f"{kind.__module__}.{kind.__qualname__}", file, kind.__qualname__.partition(".")[0], kind.__module__)


def _file(thing: Any) -> Path | None:
    try:
        file = inspect.getsourcefile(thing)
    except (TypeError, OSError):
        return None
    return Path(file).resolve() if file and not file.startswith("<") else None


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _parameters(node: ast.Lambda) -> tuple[str, ...]:
    a = node.args
    return tuple(x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs))


def _compiled(node: ast.Lambda) -> bytes:
    code = compile(ast.Expression(node), "<lambda>", "eval")
    inner = next((c for c in code.co_consts if isinstance(c, types.CodeType)), None)
    return inner.co_code if inner else b""
