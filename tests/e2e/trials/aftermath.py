"""What must hold once everything is well again, whoever died and whatever was away meanwhile."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter

from tests.e2e.trials.chaos import MODEL


def unauthorised_aliases(project):
    """Return the aliases that are, at this moment, on versions without a pass in the ledger."""
    from seatrial import registry
    from seatrial.errors import RegistryError
    from seatrial.ledger import Ledger

    with Ledger.of(project.state) as ledger, contextlib.suppress(RegistryError):
        named = registry.aliases(registry.named(project.registry))
        holders = [registry.present(f"models:/{m}/{n}") for m, each in named.items() for n in each.values()]
        return [v.uri for v in holders if v and ledger.passing(registry.subject_of(v)) is None]
    return []


def shown(command, *words, **options):
    """Return what a command of ours says as JSON."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        command(*words, **options, as_json=True)
    return json.loads(out.getvalue())


def untrue(project, model=MODEL):
    """Return where `status` and `history` say something else than the ledger, in words."""
    from seatrial.cli.fleet.history import history
    from seatrial.cli.fleet.status import status
    from seatrial.ledger import Ledger

    found, said = [], shown(status, project=project.root, most=0)
    with Ledger.of(project.state) as ledger:
        kept = {k.number: k.outcome.value for k in ledger.verdicts(model)}
        waiting = Counter(ledger.pending_effects())
        counts = {"open": ledger.open_jobs(), "waiting and parked": waiting.total()}
    of_all = {**said["counts"], "waiting and parked": said["counts"]["waiting"] + said["counts"]["parked"]}
    found += [
        f"status counts {of_all[name]} {name}, not {number}"
        for name, number in counts.items()
        if of_all[name] != number
    ]
    told = Counter(
        (f"{v['model']} {v['version']}", e["kind"], e["result"]) for v in said["versions"] for e in v["waiting"]
    )
    if told != waiting:
        found.append(f"status shows {told}; {waiting} wait")
    mine = {v["version"]: v for v in said["versions"] if v["model"] == model}
    verdicts = {n: v["verdict"]["outcome"] for n, v in mine.items() if v["verdict"]}
    if verdicts != kept:
        found.append(f"status shows the verdicts {verdicts}, not {kept}")
    for number, version in mine.items():
        (one,) = shown(history, f"{model}/{number}", project=project.root)
        outcomes = [v["verdict"]["outcome"] for v in one["validations"] if v["verdict"]]
        if outcomes != [kept[number]] if number in kept else outcomes:
            found.append(f"history of {number} shows {outcomes}, not {kept.get(number)}")
        if number not in kept and (
            version["state"] == "done" or (version["state"] == "paused" and not version["error"])
        ):
            found.append(f"status of {number} is {version['state']} without a verdict or a reason")
    return found


def settled(ledger, versions, model=MODEL):
    """Whether every version has its verdict and every verdict was told."""
    return len(ledger.verdicts(model)) >= versions and not ledger.open_jobs() and not ledger.pending_effects()


def wrong(project, expected, model=MODEL):
    """Return what does not hold in the end, in words; ``expected`` maps version numbers to outcomes."""
    from seatrial.ledger import Ledger
    from seatrial.promotion.verify import verify
    from seatrial.registry.mlflow import client as mlflow_client

    found, client = [], mlflow_client.client()
    with Ledger.of(project.state) as ledger:
        kept = ledger.verdicts(model)
        if ledger.open_jobs() or ledger.pending_effects():
            found.append(f"not done: {ledger.open_jobs()} jobs, {ledger.pending_effects()}")
    counted = Counter(k.number for k in kept)
    found += [f"version {n} has {c} verdicts" for n, c in counted.items() if c != 1]
    found += [f"version {n} has no verdict" for n in expected if n not in counted]
    found += [f"version {k.number}: {k.outcome.value}" for k in kept if k.outcome.value != expected.get(k.number)]
    experiment = client.get_experiment_by_name(f"seatrial/{model}")
    runs = client.search_runs([experiment.experiment_id], max_results=5_000)
    by_version = Counter(r.data.params.get("version") for r in runs)
    found += [f"version {n} has {by_version[n]} runs" for n in expected if by_version[n] != 1]
    by_id = {r.info.run_id: r for r in runs}
    for number, outcome in expected.items():
        version = client.get_model_version(model, number)
        run = by_id.get(version.tags.get("seatrial.run_id"))
        if version.tags.get("seatrial.verdict") != outcome:
            found.append(f"version {number} is tagged {version.tags}")
        if run is None or run.info.status != {"pass": "FINISHED", "fail": "FAILED"}[outcome]:
            found.append(f"version {number} names run {run and run.info}")
        elif {a.path for a in client.list_artifacts(run.info.run_id)} < {"report.html", "verdict.dsse.json"}:
            found.append(f"the run of version {number} lacks files")
        if (version.description or "").count("seatrial: end") != 1:
            found.append(f"version {number} is described by {version.description!r}")
    found += untrue(project, model)
    passed = [n for n, outcome in expected.items() if outcome == "pass"]
    newest = max(passed, key=int)
    stand = client.get_registered_model(model).aliases
    if {a: str(n) for a, n in stand.items()} != {"validated": newest, "champion": newest}:
        found.append(f"the aliases are {stand}; the newest pass is {newest}")
    elif not (answer := verify(project.root, f"models:/{model}@champion")).allowed:
        found.append(answer.reason)
    return found
