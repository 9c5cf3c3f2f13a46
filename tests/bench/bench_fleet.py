"""A fleet: ``python tests/bench/bench_fleet.py poll`` and ``... dispatch [--versions N] [--wait SECONDS]``.

``poll``: a real MLflow server with 500 registered models of 20 versions, of which 40 are the project's, each with its
verdict. A pass of reconcile without news must take at most 2 s, and as long as beside nobody else's models.

``dispatch``: a real Prefect server and process workers that take one run each; N versions whose validation mostly
waits, as one does for a service. Two workers must be done in half the time of one.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from sqlalchemy import create_engine, insert, text  # noqa: E402

from seatrial.ledger import Ledger, schema  # noqa: E402
from seatrial.orchestration.deployments.dispatch import dispatch  # noqa: E402
from seatrial.project import Project  # noqa: E402
from seatrial.promotion import aliases, effects, head, reconcile  # noqa: E402
from tests.e2e.flows import fleet  # noqa: E402
from tests.e2e.trials import chaos  # noqa: E402

OURS, THEIRS, EACH = 40, 460, 20
ROUNDS = 5


def own_store() -> None:
    """Forget every MLflow that the environment names."""
    for name in [n for n in os.environ if n.startswith(("MLFLOW_", "_MLFLOW"))]:
        del os.environ[name]
    os.environ["MLFLOW_LOGGING_LEVEL"] = "CRITICAL"


def store(state: Path, theirs: int, each: int) -> None:
    """Fill MLflow's own database; a version every minute, the last of all two hours ago, with eight tags each."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    url = f"sqlite:///{state / 'mlflow.db'}"
    SqlAlchemyStore(url).engine.dispose()
    names = [f"ours-{n}" for n in range(OURS)] + [f"theirs-{n}" for n in range(theirs)]
    end = int(time.time() * 1000) - 7_200_000
    rows, tags, on = [], [], []
    for number in range(1, each + 1):
        for place, name in enumerate(names):
            at = end - ((each - number) * len(names) + place) * 60_000
            rows.append({"name": name, "version": number, "creation_time": at, "last_updated_time": at,
                         "current_stage": "None", "source": f"models:/m-{place:032x}", "status": "READY"})  # fmt: skip
            tags += [{"name": name, "version": number, "key": f"tag-{n}", "value": "x" * 40} for n in range(8)]
    on = [{"name": name, "alias": alias, "version": each} for name in names for alias in ("validated", "champion")]
    engine = create_engine(url)
    with engine.begin() as connection:
        execute = connection.execute
        execute(
            text("INSERT INTO registered_models (name, creation_time) VALUES (:name, 1)"), [{"name": n} for n in names]
        )
        for table, content in (
            ("model_versions", rows),
            ("model_version_tags", tags),
            ("registered_model_aliases", on),
        ):
            columns = list(content[0])
            values = ", ".join(f":{column}" for column in columns)
            execute(text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"), content)
    engine.dispose()


def finished(ledger: Ledger) -> None:
    """Give every version of the ledger a pass, with its effects applied and its head renewed."""
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE job SET state = 'done', token = 1, attempt = 1"))
        ids = list(connection.execute(text("SELECT id FROM subject")).scalars())
        facts = {"digest": "d", "policy_digest": "p", "reference_digest": "r", "evidence_digest": "e", "number": 1}
        rows = [{**facts, "subject": s, "epoch": 0, "outcome": "pass", "token": 1, "summary": "pass", "created_at": 0.0}
                for s in ids]  # fmt: skip
        connection.execute(insert(schema.verdict), rows)


def a_pass(project: Project) -> None:
    """What the flow reconcile does, without Prefect."""
    with Ledger.of(project.state) as ledger:
        reconcile.scan_registry(ledger, project)
        reconcile.outdated(ledger, project)
        effects.apply(ledger, project.state)
        head.renew_heads(ledger, project)
        aliases.check_aliases(ledger, project)


def polled(theirs: int, each: int) -> tuple[float, float, float]:
    """Return the seconds of a pass with nothing new, those of CPU here, and of the first pass that lists everything."""
    with tempfile.TemporaryDirectory(prefix="seatrial-fleet-") as folder:
        project = replace(chaos.make(Path(folder)), models=("ours-*",))
        own_store()
        store(project.state, theirs, each)
        url, server = chaos.mlflow_server(project)
        os.environ["MLFLOW_TRACKING_URI"] = url
        try:
            server.start().wait()
            project.activate()
            import mlflow

            mlflow.set_tracking_uri(url)
            begin = time.perf_counter()
            with Ledger.of(project.state) as ledger:
                found = reconcile.scan_registry(ledger, project)
                whole = time.perf_counter() - begin
                assert (found.new, found.full) == (OURS * each, True)
                finished(ledger)
            a_pass(project)
            took, busy = [], time.process_time()
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                a_pass(project)
                took.append(time.perf_counter() - begin)
            return statistics.median(took), (time.process_time() - busy) / ROUNDS, whole
        finally:
            server.kill()


def poll() -> bool:
    arms = {
        "40 models alone": (0, EACH),
        "beside 460 of others": (THEIRS, EACH),
        "with 5 times the versions": (0, 5 * EACH),
    }
    found = dict[str, tuple[float, float, float]]()
    print(f"{'seconds':36}{'a pass':>9}{'ratio':>7}{'CPU here':>10}{'ratio':>7}{'first listing':>15}")
    for name, arm in arms.items():
        seconds, busy, whole = found[name] = polled(*arm)
        alone = found["40 models alone"]
        ratios = seconds / alone[0], busy / alone[1]
        print(f"{name:36}{seconds:9.2f}{ratios[0]:7.2f}{busy:10.2f}{ratios[1]:7.2f}{whole:15.2f}", flush=True)
    beside = found["beside 460 of others"]
    held = beside[0] <= 2 and beside[1] <= 1.5 * alone[1]
    print(f"limits: a pass beside 460 at most 2 s, CPU ratio at most 1.5: {'held' if held else 'missed'}")
    return held


VALIDATE = """
import time
from pathlib import Path

from prefect import flow
from prefect.states import Completed

from seatrial.events import Outcome
from seatrial.ledger import JOB, Facts, Ledger
from seatrial.project import Project


@flow(name="validate", flow_run_name="{model_uri}", validate_parameters=False)
def validate(model_uri: str, project: str = "."):
    time.sleep(float((Path(project) / "wait").read_text()))
    with Ledger.of(Project.find(project).state) as ledger:
        ledger.commit(JOB.get(), Facts(Outcome.PASS, "pass"))
    return Completed(message="pass")
"""


def shared_by(workers: int, versions: int, wait: float) -> tuple[float, int]:
    """Return the seconds until every version has its verdict, from the first run's begin, and how many ran at once."""
    with tempfile.TemporaryDirectory(prefix="seatrial-fleet-") as folder:
        own_store()
        project = fleet.make(Path(folder), VALIDATE)
        (project.root / "wait").write_text(str(wait))
        url, server = fleet.prefect_server(project)
        started = [fleet.worker(project, url, 1, number) for number in range(workers)]
        os.environ.pop("PREFECT_API_URL", None)
        try:
            server.start().wait()
            with fleet.api(url), Ledger.of(project.state) as ledger:
                for each in started:
                    each.environ["PREFECT_API_URL"] = url
                project.activate()
                for _ in range(versions):
                    chaos.register(project)
                reconcile.scan_registry(ledger, project)
                fleet.deployed(project)
                dispatch(project, ledger)
                for each in started:
                    each.start()
                while len(ledger.verdicts(chaos.MODEL)) < versions:
                    time.sleep(2)
                    dispatch(project, ledger)
                assert len({v.number for v in ledger.verdicts(chaos.MODEL)}) == len(ledger.verdicts(chaos.MODEL))
                runs = [run for run in fleet.runs(project) if run.start_time and run.end_time]
                begun = min(run.start_time for run in runs)
                took = (max(run.end_time for run in runs) - begun).total_seconds()
                return took, fleet.at_once([(run.start_time, run.end_time) for run in runs])
        finally:
            for each in started:
                each.kill()
            server.kill()
            os.environ.pop("MLFLOW_TRACKING_URI", None)


def shared(versions: int, wait: float) -> bool:
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{versions} versions whose validation waits {wait:g} s")
    took = {}
    for workers in (2, 1):
        took[workers], most = shared_by(workers, versions, wait)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = (end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime) / versions
        print(f"{workers} workers: {took[workers]:.0f} s, {most} at once, {busy:.1f} s of CPU a version", flush=True)
        begin = end
    ratio = took[1] / took[2]
    print(f"two workers are {ratio:.2f} times as fast as one; limit 1.9: {'held' if ratio >= 1.9 else 'missed'}")
    return ratio >= 1.9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["poll", "dispatch"])
    parser.add_argument("--versions", type=int, default=100)
    parser.add_argument("--wait", type=float, default=5.0)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    held = poll() if chosen.what == "poll" else shared(chosen.versions, chosen.wait)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"load average {os.getloadavg()[0]:.1f}; CPU of all processes {children.ru_utime + children.ru_stime:.0f} s")
    return int(chosen.check and not held)


if __name__ == "__main__":
    sys.exit(main())
