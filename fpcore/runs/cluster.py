"""Runs on many workers through Dask: a cluster of this machine, or one at an address."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster, Status, get_worker, wait
from distributed.client import FutureCancelledError, FuturesCancelledError
from distributed.comm.addressing import get_address_host_port

from fpcore.errors import ConfigError, FpcoreError
from fpcore.paths import cache, home, shown
from fpcore.records.record import record_path
from fpcore.runs.jobs import Job, Outcome, perform
from fpcore.runs.standings import DONE, FAILED, Row, Table

SETTINGS = {
    "distributed.scheduler.allowed-failures": 1,  # a job whose worker dies is tried once more
    "distributed.scheduler.worker-ttl": "60s",  # a worker silent for so long counts as dead
    "distributed.scheduler.work-stealing": False,
    # Other users of this machine reach loopback ports, too: pages of a cluster are not served.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
PATIENCE = 30  # seconds to wait for the first worker at an address
LOST = "the connection to its scheduler was lost"
LEFT = "no worker was left at its scheduler"
ENDING = {Status.closing, Status.closed, Status.failed}  # of a worker
LOOK = 1.0  # seconds after which the table is looked at, where no job has ended


def train(
    chains: Sequence[Sequence[Job]], scheduler: str = "", workers: int = 0
) -> tuple[list[str], dict[str, str]]:
    """Run chains of jobs, each on one worker in its order; return what was made, and failures.

    Args:
        chains: jobs that share a trajectory of phase 1 are in one chain.
        scheduler: the address of a scheduler such as `tcp://10.0.0.1:8786`; empty: a cluster of
            this machine, whose threads are divided among its workers.
        workers: of the cluster of this machine; 0: one per core, for a few chains one per two
            cores, and a single one where there is a GPU.

    Returns:
        The names of the runs that were made, and by name the sentences of those that were not.

    Raises:
        ConfigError: no scheduler or worker at the address, or a negative number of workers.
    """
    if workers < 0:
        raise ConfigError(f"workers must be a whole number of at least 0, not {workers}.")
    count = min(len(chains), workers or _count(len(chains)))
    placed = [[_placed(job, scheduler, count) for job in chain] for chain in chains]
    table = Table({job.name: Row(job.name) for chain in placed for job in chain})
    with _client(scheduler, count) as client:
        return _Conductor(client, placed, table, count).run()


def _placed(job: Job, scheduler: str, count: int) -> Job:
    """Say where a job works: in this home, or in the worker's own with the record that is here."""
    if not scheduler:
        return replace(job, home=str(home()), threads=max(1, CPU_COUNT // count))
    path = record_path(job.name)
    return replace(job, record=path.read_bytes() if path.is_file() else None)


def _count(chains: int) -> int:
    """Return how many workers this machine takes for so many chains.

    Where there are no more chains than cores, two threads each are as fast in all, and no core is
    idle when the shorter chains are done.
    """
    if _gpu():
        return 1
    return CPU_COUNT if chains > CPU_COUNT else max(1, CPU_COUNT // 2)


def _gpu() -> bool:
    """Whether PyTorch finds a GPU; it is asked only where the system has one, as it loads long."""
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return False
    import torch

    return torch.cuda.is_available()


@contextmanager
def _client(scheduler: str, count: int) -> Iterator[Client]:
    if scheduler:
        with _at(scheduler) as client:
            yield client
        return
    with dask.config.set(SETTINGS), _cluster(count) as cluster, Client(cluster) as client:
        yield client


def _patiently(make: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Make it, a second time where Dask's event loop did not start in the 10 seconds it gives."""
    try:
        return make(*args, **options)
    except AssertionError:
        return make(*args, **options)


def _cluster(count: int) -> Any:
    try:
        return _patiently(
            LocalCluster,
            n_workers=count,
            threads_per_worker=1,
            security=True,  # TLS with certificates of this cluster's own
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,
            local_directory=str(cache("dask")),
            silence_logs="CRITICAL",
        )
    except RuntimeError:
        raise ConfigError(
            "The cluster of this machine cannot start its workers; a script must train under "
            '`if __name__ == "__main__":`, as they import it.'
        ) from None


@contextmanager
def _at(scheduler: str) -> Iterator[Client]:
    try:
        _reach(scheduler)
        client = _patiently(Client, scheduler, timeout=PATIENCE)
    except TypeError:
        raise ConfigError(
            f"scheduler {scheduler} needs certificates: name them in Dask's configuration under "
            "distributed.comm.tls (ca-file, client.cert, client.key)."
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"scheduler {scheduler} cannot be reached ({type(error).__name__}); start it with "
            "`dask scheduler`, or leave scheduler empty for a cluster of this machine."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ConfigError(
                f"scheduler {scheduler} has no worker; start one with `dask worker {scheduler} "
                "--nthreads 1`."
            ) from None
        yield client


def _reach(scheduler: str) -> None:
    """Wait until somebody listens at an address: a Client that fails leaves its event loop behind.

    Such loops are closed whenever Python collects garbage, also while the next one starts, and
    then both wait for each other.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    place, end = get_address_host_port(scheduler), time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(place, PATIENCE).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


class _Conductor:
    """Submits the jobs of every chain one after another, and takes in what comes back."""

    def __init__(
        self, client: Client, chains: Sequence[Sequence[Job]], table: Table, workers: int
    ) -> None:
        self._client, self._table, self._workers = client, table, workers
        self._seen = time.monotonic()  # when there was a worker
        self._topic = f"fpcore-{time.time_ns()}"
        self._left = [list(chain) for chain in chains]
        self._pending: dict[Future[Any], tuple[int, Job]] = {}
        self._made: list[str] = []
        self._failures: dict[str, str] = {}

    def run(self) -> tuple[list[str], dict[str, str]]:
        self._client.subscribe_topic(self._topic, self._table.on_event)
        for number in range(len(self._left)):
            self._submit(number, None)
        try:
            while self._pending:
                for future in self._done():
                    self._take(future)
                self._tend()
                self._table.show()
        finally:
            self._client.cancel(list(self._pending), force=True)
        self._table.finish()
        return self._made, self._failures

    def _done(self) -> set["Future[Any]"]:
        """Wait for a job to end, but no longer than until the table is due again."""
        try:
            done: set[Future[Any]] = wait(list(self._pending), LOOK, "FIRST_COMPLETED").done
        except TimeoutError:
            return set()
        except FuturesCancelledError:  # the connection was lost: none of them can be had
            return set(self._pending)
        return done

    def _tend(self) -> None:
        """See that there are workers: a cluster of this machine gets those anew that have left.

        One that was interrupted leaves as if it had been told to, and nobody else replaces it.
        At an address, jobs that no worker is left for are given up after a while.
        """
        if self._client.status != "running":
            return
        try:
            known = len(self._client.nthreads())
        except OSError:
            return  # the connection has just been lost, which `_done` will find
        self._seen = time.monotonic() if known else self._seen
        if self._client.cluster and known < self._workers:
            self._client.cluster.scale(self._workers)
        elif not known and time.monotonic() > self._seen + 2 * PATIENCE:
            self._client.cancel(list(self._pending), reason=LEFT, force=True)

    def _submit(self, number: int, worker: str | None) -> None:
        if not self._left[number]:
            return
        job = self._left[number].pop(0)
        if self._client.status != "running":
            self._fail(job, LOST)
            self._submit(number, None)
            return
        future = self._client.submit(
            work,
            job,
            self._topic,
            key=f"{job.name}-{job.number}",
            retries=1,  # of one whose worker dies
            pure=False,
            workers=[worker] if worker else None,
            allow_other_workers=worker is not None,
        )
        self._pending[future] = (number, job)

    def _take(self, future: "Future[Any]") -> None:
        number, job = self._pending.pop(future)
        worker = None
        try:
            outcome, worker = future.result()
            outcome.store(job.name)
            self._made.append(job.name)
            path = record_path(job.name).with_suffix(".ipynb")
            self._end(job, DONE, f"{job.name}: {shown(path)}")
        except Exception as error:  # of any kind, it costs this run alone
            self._fail(job, _sentence(error))
        self._submit(number, worker)

    def _fail(self, job: Job, sentence: str) -> None:
        self._failures[job.name] = sentence
        self._end(job, FAILED, f"{job.name} failed: {sentence}")

    def _end(self, job: Job, state: str, sentence: str) -> None:
        self._table.end(job.name, state, sentence)


def work(job: Job, topic: str) -> tuple[Outcome, str]:
    """Do a job in a worker, which says how far it is; return its outcome and the worker."""
    worker = get_worker()

    def say(line: str | None) -> None:
        said = {"run": job.name, "worker": worker.address, "line": line}
        worker.log_event(topic, said)

    key = worker.get_current_task()

    def gone() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status in ENDING or task is None or task.state == "cancelled"

    say(None)
    return perform(job, say, gone), worker.address


def _sentence(error: Exception) -> str:
    if isinstance(error, FpcoreError):
        return str(error)
    if isinstance(error, FutureCancelledError):
        return LEFT if error.reason == LEFT else LOST
    if type(error).__name__ == "KilledWorker":
        return "its worker died twice: it was killed, or the memory was full"
    return f"its worker failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
