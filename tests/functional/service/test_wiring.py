"""What workers can do: tasks over images, scheduled starts, clearing away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.db import Database
from app.errors import ConfigurationError, SynclineError, UnknownRegionError
from app.jobs.dispatch import EmbeddedDispatcher
from app.jobs.foreground import refuse_orphan
from app.jobs.handlers import JobContext
from app.jobs.keeper import Keeper
from app.jobs.lease import Leases
from app.jobs.models import ClaimedJob, NewJob
from app.jobs.queue import JobQueue
from app.jobs.region_sync import SYNC_KIND
from app.jobs.region_tasks import FOREGROUND_KIND, KIND, SETTLED
from app.serve.wiring import ImageEngine, region_tasks, wiring
from app.settings import ImageSettings, JobSettings, ServiceSettings, StoreSettings
from app.sync import tasks
from app.sync.models import Task
from app.sync.tasks import NewTask, TaskStatus
from tests.functional.service.place import Service, service


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """A service of which nothing runs."""
    with service(tmp_path / "place", database_url) as made:
        made.store("Caceres")
        yield made


@pytest.fixture
def database(place: Service) -> Iterator[Database]:
    """Its database."""
    opened = Database(place.database_url)
    yield opened
    opened.dispose()


def settings_of(place: Service) -> ServiceSettings:
    """Its settings."""
    return ServiceSettings(
        service=StoreSettings(state_dir=place.home / "state", database_url=place.database_url),
        images=ImageSettings(config_file=str(place.conf), cloud=f"directory:{place.cloud}"),
    )


def claimed(database: Database, job: NewJob) -> JobContext:
    """A job that this test holds."""
    queue = JobQueue(database, JobSettings(), SETTLED)
    with database.write() as session:
        added = queue.enqueue(session, job)
    held = queue.claim_one(added.job_id, "tester", (job.kind,))
    assert isinstance(held, ClaimedJob)
    return JobContext(held, database, Leases(queue))


def test_a_schedule_starts_one_task_for_each_region(place: Service, database: Database) -> None:
    """The master itself is no destination; done twice for one job nothing is started twice."""
    registry = wiring(settings_of(place), database)
    context = claimed(database, NewJob(SYNC_KIND, {"regions": ["*", "Burgos"]}))
    for _ in range(2):
        registry.handler(SYNC_KIND)(context, context.job.payload)
    with database.read() as session:
        found = session.scalars(select(Task).order_by(Task.region)).all()
    assert [(task.region, task.requester, task.status) for task in found] == [
        ("Burgos", "schedule", "syncing"),
        ("Caceres", "schedule", "syncing"),
    ]


def test_a_task_that_has_ended_is_not_started_again_by_the_same_job(
    place: Service, database: Database
) -> None:
    """A job that is taken up a second time knows what its first attempt has started."""
    registry = wiring(settings_of(place), database)
    context = claimed(database, NewJob(SYNC_KIND, {"regions": ["Burgos"]}))
    registry.handler(SYNC_KIND)(context, context.job.payload)
    with database.write() as session:
        (task_id,) = session.scalars(select(Task.id))
        tasks.end(session, task_id, TaskStatus.SYNCED, None, None)
    registry.handler(SYNC_KIND)(context, context.job.payload)
    with database.read() as session:
        assert list(session.scalars(select(Task.id))) == [task_id]


def test_unknown_regions_do_not_keep_others_from_being_started(place: Service, database: Database) -> None:
    """A schedule with a region that is gone still synchronises the rest, and its job tells the slip."""
    registry = wiring(settings_of(place), database)
    context = claimed(database, NewJob(SYNC_KIND, {"regions": ["Nowhere", "Burgos", "x:"]}))
    with pytest.raises(UnknownRegionError, match="Nowhere"):
        registry.handler(SYNC_KIND)(context, context.job.payload)
    with database.read() as session:
        assert list(session.scalars(select(Task.region))) == ["Burgos"]


def test_a_broken_configuration_fails_the_task_and_no_worker(place: Service, database: Database) -> None:
    """Workers start without glancesync.conf; the task that needs it names the fault, and mending it helps."""
    engine = ImageEngine(settings_of(place).images)
    place.conf.write_text("[main]\nmax_children = many\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="max_children"):
        engine.work()
    place.conf.write_text("[main]\nmaster_region = Valladolid\n[DEFAULT]\ntenant_id = x\n", encoding="utf-8")
    assert engine.work().settings.master_region == "Valladolid"


def test_a_changed_configuration_counts_from_the_next_task_on(place: Service) -> None:
    """No worker has to be restarted; as long as nothing changes the cloud is opened once."""
    engine = ImageEngine(settings_of(place).images)
    first = engine.work()
    assert engine.work() is first
    text = place.conf.read_text(encoding="utf-8")
    place.conf.write_text(text.replace("[main]", "[main]\nmax_children = 7"), encoding="utf-8")
    assert engine.work().settings.max_children == 7


def test_a_cloud_that_is_not_there_is_told(place: Service) -> None:
    """A slip in option cloud fails tasks with the word that is wrong."""
    settings = ImageSettings(config_file=str(place.conf), cloud="directory:/does/not/exist")
    with pytest.raises(SynclineError, match="/does/not/exist"):
        ImageEngine(settings).work()


def test_old_tasks_are_cleared_away_and_young_ones_are_not(place: Service, database: Database) -> None:
    """The keeper removes tasks that ended longer ago than the retention; running ones stay."""
    settings = settings_of(place)
    starter = region_tasks(settings, database)
    old, young, running = (
        starter.start(NewTask(region, "tester"))[0].id for region in ("Burgos", "Caceres", "Leon")
    )
    with database.write() as session:
        for task_id in (old, young):
            tasks.end(session, task_id, TaskStatus.SYNCED, None, None)
        finished = session.get_one(Task, old).finished_at
        assert finished is not None
        ages = timedelta(days=settings.jobs.retention_days + 1)
        session.execute(update(Task).where(Task.id == old).values(finished_at=finished - ages))
        session.execute(update(Task).where(Task.id == running).values(created_at=finished - ages))
    queue = JobQueue(database, settings.jobs, SETTLED)
    chores = wiring(settings, database).chores
    Keeper(queue, EmbeddedDispatcher(settings.service.state_dir), chores).tick(0.0)
    with database.read() as session:
        assert set(session.scalars(select(Task.id))) == {young, running}


def test_workers_know_every_kind_that_can_be_in_the_table(place: Service, database: Database) -> None:
    """No job can wait for ever because nobody knows its kind, and tasks end with their jobs."""
    registry = wiring(settings_of(place), database)
    assert set(registry.kinds) == {KIND, SYNC_KIND, FOREGROUND_KIND}
    assert dict(registry.settled) == dict(SETTLED)
    with pytest.raises(SynclineError, match="gone"):
        refuse_orphan(claimed(database, NewJob(FOREGROUND_KIND, {"task_id": "x"})), {})
