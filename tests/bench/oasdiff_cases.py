"""The cases of oasdiff's own tests: two documents, and the rules that its tests expect to report them.

oasdiff (github.com/oasdiff/oasdiff) tests its checker in Go: a test opens two files of ``data/``, edits them in place,
compares them, and names the rules that must report. Here those tests are read as text. Edits of the plain forms (a
field is set, or deleted) are made on the documents; a test with another statement about a document is left out.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RULE = re.compile(r"newBackwardCompatibilityRule\((\w+), (\w+), .*Direction(\w+), Area(\w+), Kind(\w+), Action\w+\)")
FIELDS = {
    "Max": "maximum", "Min": "minimum", "OperationID": "operationId", "AuthorizationURL": "authorizationUrl",
    "TokenURL": "tokenUrl", "ExclusiveMin": "exclusiveMinimum", "ExclusiveMax": "exclusiveMaximum",
}  # fmt: skip
OPENED = re.compile(r'(\w+)(?:, err)? :?= (?:open|l)\((?:t, )?(\w*)\(?"?([^",)]*)"?.*\)$')
FOLDERS = {
    "deprecationFile": "deprecation",
    "paramDeprecationFile": "param-deprecation",
    "requiredPropertyFile": "required-properties",
    "stabilityFile": "stability",
}
STEP = re.compile(
    r'\.GetByInAndName\((?:openapi3\.ParameterIn)?"?(\w+)"?, "([^"]*)"\)|\.(?:Value|Find)\(([^)]*)\)'
    r"|\.GetOperation\(([^)]*)\)|\[([^\]]*)\]|\.(\w+)"
)


class LeftOutError(Exception):
    """A statement that is not of the plain forms."""


@dataclass(frozen=True)
class Rule:
    """A rule of oasdiff: its level (``ERR``, ``WARN``, ``INFO``), direction and kind."""

    name: str
    level: str
    direction: str
    kind: str


@dataclass(frozen=True)
class Case:
    """Two documents of one test, and the rules that it expects to report."""

    test: str
    before: dict[str, Any]
    after: dict[str, Any]
    expected: tuple[Rule, ...]


class _Loader(yaml.SafeLoader):
    """YAML without timestamps, as JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [r for r in found if r[0] != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def cases(checkout: Path) -> tuple[list[Case], list[str]]:
    """Return the cases, and the names of the tests that were left out."""
    checker = checkout / "checker"
    rules = {m[1]: Rule(m[1], m[2], m[3].lower(), m[5]) for m in RULE.finditer((checker / "rules.go").read_text())}
    found, left_out = [], []
    for file in sorted(checker.glob("*_test.go")):
        text = file.read_text()
        constants = {
            m[1]: ast.literal_eval(m[2]) for m in re.finditer(r'^\s*(\w+)\s*= ("[^"]*")$', text, flags=re.MULTILINE)
        }
        constants["installCommandPath"] = "/api/{domain}/{project}/install-command"
        constants["securityScorePath"] = "/api/{domain}/{project}/badges/security-score"
        constants["securityScorePathSlash"] = "/api/{domain}/{project}/badges/security-score/"
        for test in re.finditer(
            r"^func (Test\w+)\(t \*testing\.T\) \{\n(.*?)^\}", text, flags=re.MULTILINE | re.DOTALL
        ):
            try:
                found += list(_of_test(checkout / "data", test[1], test[2], constants, rules))
            except (LeftOutError, KeyError, IndexError, TypeError, OSError, ValueError, SyntaxError, StopIteration):
                left_out.append(test[1])
    return found, left_out


def _of_test(data: Path, name: str, body: str, constants: dict[str, Any], rules: dict[str, Rule]) -> Iterator[Case]:
    if "t.Run(" in body or re.search(r"range (?!errs)", body):
        raise LeftOutError(name)
    names, documents = dict(constants), {}
    pair: tuple[dict[str, Any], dict[str, Any]] | None = None
    expected: list[Rule] = []
    for statement in _statements(body):
        if opened := OPENED.match(statement):
            name_of_file = opened[3] or opened[2]
            documents[opened[1]] = _load(data, opened[2] if opened[3] else "", name_of_file)
        elif compared := re.search(r"GetWithOperationsSourcesMap\(.*?, (\w+), (\w+)\)", statement):
            if pair and expected:
                yield Case(name, *pair, tuple(expected))
            pair, expected = (copy.deepcopy(documents[compared[1]]), copy.deepcopy(documents[compared[2]])), []
        elif compared := re.search(r"= d\(t, diff\.NewConfig\(\), (\d+), (\d+)\)", statement):
            pair, expected = (_load(data, "", compared[1]), _load(data, "", compared[2])), []
        elif statement.startswith("for "):
            continue
        elif statement.startswith("require"):
            if pair and not re.search(r"requireNoChange|NotContains|NotEqual|require\.(False|Nil|Empty)", statement):
                expected += [rules[i] for i in re.findall(r"checker\.(\w+Id)\b", statement) if i in rules]
        elif re.search(r"\bs\d\b|Spec", statement):
            _edit(documents, names, statement)
        elif value := re.match(r"(\w+) :?= (.*)", statement):
            names[value[1]] = value[2]
    if pair and expected:
        yield Case(name, *pair, tuple(dict.fromkeys(expected)))


def _statements(body: str) -> Iterator[str]:
    """Yield statements, each on one line: brackets that stay open join lines."""
    held = ""
    for line in re.sub(r"\s+// .*", "", body).splitlines():
        held = f"{held} {line.strip()}".strip()
        bare = re.sub(r'"[^"]*"|`[^`]*`', "", held)
        if sum(bare.count(c) for c in "({[") <= sum(bare.count(c) for c in ")}]"):
            if held and not held.startswith("//"):
                yield held
            held = ""


def _load(data: Path, folder: str, name: str) -> dict[str, Any]:
    if name.isdigit():
        path = data / f"openapi-test{name}.yaml"
    else:
        path = data / FOLDERS[folder] / name if folder in FOLDERS else data / name.removeprefix("../data/")
    document: dict[str, Any] = _text_keys(yaml.load(path.read_text(), _Loader))
    return document


def _text_keys(node: Any) -> Any:
    if isinstance(node, list):
        return [_text_keys(each) for each in node]
    return {str(k): _text_keys(v) for k, v in node.items()} if isinstance(node, dict) else node


def _edit(documents: dict[str, Any], names: dict[str, Any], statement: str) -> None:
    if typed := re.fullmatch(r"set(Request|Response)BodyType\(t, (s\d), (.*)\)", statement):
        way = "Post.RequestBody.Value" if typed[1] == "Request" else 'Get.Responses.Value("200").Value'
        statement = (
            f'{typed[2]}.Spec.Paths.Value("/test").{way}.Content["application/json"].Schema.Value.Type = {typed[3]}'
        )
    if header := re.fullmatch(r"deleteResponseHeader\((s\d\.Spec.*)\.Value, (\"[^\"]*\")\)", statement):
        statement = f"delete({header[1]}.Value.Headers, {header[2]})"
    if deleted := re.fullmatch(r"delete\((s\d)\.Spec(.*), (\"[^\"]*\")\)", statement):
        _walk(documents[deleted[1]], names, deleted[2]).pop(ast.literal_eval(deleted[3]))
    elif deleted := re.fullmatch(r"(s\d)\.Spec(.*)\.Delete\((.*)\)", statement):
        _walk(documents[deleted[1]], names, deleted[2]).pop(_key(names, deleted[3]))
    elif done := re.fullmatch(r"(s\d)\.Spec(.*?) = (.*)", statement):
        steps = list(STEP.finditer(done[2]))
        holder = _walk(documents[done[1]], names, done[2][: steps[-1].start()])
        last = steps[-1]
        key = _key(names, last[5]) if last[5] else FIELDS.get(last[6], last[6][0].lower() + last[6][1:])
        value = _value(names, done[3])
        if value is None and isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = value
    else:
        raise LeftOutError(statement)


def _walk(document: dict[str, Any], names: dict[str, Any], way: str) -> Any:
    """Follow a way such as ``.Paths.Value("/x").Post.Parameters[1].Value.Schema``; references are followed."""
    node: Any = document
    for step in STEP.finditer(way):
        if step[1]:
            node = next(
                p for p in (_pointed(document, n) for n in node) if (p["in"], p["name"]) == (step[1].lower(), step[2])
            )
        elif step[3] is not None or step[4] is not None or step[5] is not None:
            key = _key(names, next(s for s in (step[3], step[4], step[5]) if s is not None))
            node = _pointed(document, node[key.lower() if step[4] else key])
        elif step[6] not in ("Value", "Extensions"):
            node = _pointed(document, node[FIELDS.get(step[6], step[6][0].lower() + step[6][1:])])
    return node


def _pointed(document: dict[str, Any], node: Any) -> Any:
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _key(names: dict[str, Any], text: str) -> Any:
    return names[text] if text in names else ast.literal_eval(text)


def _value(names: dict[str, Any], text: str) -> Any:
    """Return the value of a Go expression: a literal, a list, a number, a name, or one of two plain structures."""
    text = text.strip().removeprefix("&")
    if text in names:
        return _value(names, str(names[text])) if isinstance(names[text], str) else names[text]
    if text in ("nil", "true", "false"):
        return {"nil": None, "true": True, "false": False}[text]
    if number := re.fullmatch(r"(?:uint64|float64|openapi3\.(?:Uint64|Float64|Bool)Ptr)\((.*)\)", text):
        return _value(names, number[1])
    if listed := re.fullmatch(r"(?:openapi3\.Types|\[\](?:string|any|interface\{\}))\{(.*)\}", text):
        items = list(ast.literal_eval(f"[{listed[1]}]"))
        return items[0] if text.startswith("openapi3.Types") and len(items) == 1 else items
    if body := re.fullmatch(r"openapi3\.RequestBodyRef\{ Value: openapi3\.NewRequestBody\(\)(.*), \}", text):
        return {"required": "true" in body[1], "content": {}}
    if schema := re.fullmatch(
        r"openapi3\.SchemaRef\{ Value: &openapi3\.Schema\{ Type: +&openapi3\.Types"
        r'\{"(\w+)"\}, Description: "[^"]*", \}, \}',
        text,
    ):
        return {"type": schema[1]}
    return ast.literal_eval(text)
