"""The managers, in process and over HTTP."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transitions import MachineError

from datacatalog.linkedstores.pipelinejob import DuplicateJobError, PipelineJobStore, UnknownJob, UnknownPipeline
from datacatalog.managers.pipelinejobs import (
    JobManager,
    ManagedPipelineJob,
    ManagedPipelineJobError,
    ManagedPipelineJobInstance,
    PipelineJobsConfig,
    ReactorManagedPipelineJob,
)
from datacatalog.tokens.exceptions import InvalidAdminToken, InvalidToken
from support.catalog import Place

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors/datacatalog.json").read_text())
WAY = ["run", "resource", "update", "finish", "index", "indexed", "validate", "validated", "finalize", "retire"]


def names(job: Any) -> list[str]:
    return [event["name"] for event in job["history"]]


def test_every_event_is_a_method_on_manager_job_manager_instance_and_answer(place: Place) -> None:
    for kind in ("manager", "job manager", "instance", "answer"):
        made = place.job()
        if kind == "job manager":
            made = JobManager(place.mongodb, uuid=made.uuid, token=made.token)
        elif kind == "instance":
            made = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token)
        sender: Any = made
        for name in WAY:
            answer = getattr(sender, name)()
            if (kind, name) == ("instance", "index"):  # it indexes, and answers what it found
                answer = made.job
            assert (answer["last_event"], made.last_event) == (name, name), kind
            assert made.state == answer["state"]
            if kind == "answer":
                sender = answer
        assert names(answer) == ["create", *WAY]
        assert [event["data"] for event in answer["history"]][1:] == [{}] * len(WAY)


def test_reject_and_fail(place: Place) -> None:
    made = place.job()
    assert made.run().finish().validate().reject()["state"] == "REJECTED"
    assert place.job().run().fail({"why": 1})["history"][-1]["data"] == {"why": 1}


def test_setup_returns_the_manager_with_token_and_job(place: Place) -> None:
    manager = place.manager(session="brave-ant")
    assert (manager.uuid, manager.token, manager.cancelable) == (None, None, True)
    assert manager.setup() is manager
    assert manager.token.startswith("jp_doc_")
    assert manager.job["uuid"] == manager.uuid
    assert manager.job["token"] == manager.token
    assert manager.job["session"] == "brave-ant"
    assert manager.state == "CREATED"
    assert (manager.callback is None) is (place.operator is None)
    assert manager.token not in repr(manager)


def test_the_same_description_is_the_same_job_with_the_same_token(place: Place) -> None:
    made = place.job(data={"same": "job"})
    made.run()
    again = place.job(data={"same": "job"})  # with another session, which is drawn
    assert (again.uuid, again.token, again.state) == (made.uuid, made.token, "RUNNING")
    assert again.session == made.session
    assert names(again.job) == ["create", "run"]


def test_data_of_setup_merge_deep_and_win(place: Place) -> None:
    manager = place.manager(data={"a": {"b": 1, "c": 2}, "d": [1], "merge": 1})
    before = manager.archive_path
    manager.setup(data={"a": {"b": 9}, "d": [2]})
    assert manager.data == {"a": {"b": 9, "c": 2}, "d": [2], "merge": 1}
    assert manager.job["data"] == manager.data
    assert manager.archive_path != before
    whole = place.manager(data=manager.data)
    assert manager.archive_path == whole.archive_path == manager.job["archive_path"]


def test_archive_paths_are_as_they_were(place: Place) -> None:
    for case in VECTORS["archive_paths"]:
        manager = place.manager(data=case["data"])
        manager.pipeline_uuid = case["pipeline_uuid"]  # of pipelines whose components nobody wrote down
        manager.child_of = case["child_of"]
        assert manager.get_archive_path() == case["archive_path"]


def test_a_given_archive_path_is_taken_as_it_is(place: Place) -> None:
    made = place.job(archive_path="/products/v2/given", instanced=True)
    assert made.archive_path == made.job["archive_path"] == "/products/v2/given"
    assert place.job(archive_path=None).job["archive_path"] is None
    assert made.archive_uri() == "agave://data-sd2e-community/products/v2/given"


def test_an_instanced_path_ends_with_session_and_time(place: Place) -> None:
    data = {"instanced": "x"}
    plain = place.manager(data=data).archive_path
    for session, pattern in (("brave-ant", "brave-ant-"), ("brave-", "brave-"), ("x", r"[a-z]+-[a-z]+")):
        path = place.manager(data=data, session=session, instanced=True).archive_path
        assert re.fullmatch(rf"{plain}/{pattern}\d{{8}}T\d{{6}}Z", path), path


@pytest.mark.parametrize(
    ("options", "uuids"),
    [
        ({"sample_id": "sample.tacc.20001"}, ["103246e1-bcdf-5b6e-a8dc-4c7e81b91141"]),
        ({"experiment_id": ["experiment.tacc.10001"] * 2}, ["102e95e6-67a8-5a06-9484-3131c6907890"]),
        (
            {"measurement_id": ["measurement.tacc.0xDEADBEF0", "10483E8D-6602-532A-8941-176CE20DD05A"]},
            ["10483e8d-6602-532a-8941-176ce20dd05a", "104dae4d-a677-5991-ae1c-696d2ee9884e"],
        ),
        ({"measurement_id": "sample.tacc.20001"}, ["103246e1-bcdf-5b6e-a8dc-4c7e81b91141"]),
        (
            {"sample_id": "sample.tacc.20001", "experiment_id": "experiment.tacc.10001"},
            ["102e95e6-67a8-5a06-9484-3131c6907890"],
        ),
    ],
)
def test_parents(place: Place, options: dict[str, Any], uuids: list[str]) -> None:
    made = place.job(**options)
    assert made.child_of == made.job["child_of"] == uuids
    assert made.uuid == PipelineJobStore(place.mongodb).get_typeduuid(
        {"pipeline_uuid": made.pipeline_uuid, "child_of": uuids, "data": made.data}
    )


@pytest.mark.parametrize("named", [[], "", [""], 7, ["sample.tacc.20001", None], {}])
def test_parents_that_name_nothing(place: Place, named: Any) -> None:
    with pytest.raises(ValueError, match="Unable to resolve any identifers to UUIDs"):
        place.manager(sample_id=named)


def test_parents_of_mixed_types(place: Place) -> None:
    with pytest.raises(ValueError, match="mixed types"):
        place.manager(sample_id=["sample.tacc.20001", "experiment.tacc.10001"])


def test_what_a_job_acts_on_and_uses(place: Place) -> None:
    file = "agave://data-sd2e-community/uploads/tacc/example/345.txt"
    reference = "agave://data-sd2e-community/reference/novel_chassis/MG1655_WT.fa"
    made = place.job(
        inputs=["/products/x.csv", "https://example.org/genome"],
        data={
            "acts": 1,
            "inputs": [file, "/uploads//tacc/./example/345.txt", 7],
            "parameters": {
                "ref": reference,
                "again": "/reference/novel_chassis/MG1655_WT.fa",
                "alpha": 0.5,
                "b": "/tmp",
            },
        },
    )
    assert "105fb204-530b-5915-9fd6-caf88ca9ad8a" in made.acted_on  # as the documentation of the original prints it
    assert sorted(uuid[:3] for uuid in made.acted_on) == ["105", "105", "109"]
    assert [uuid[:3] for uuid in made.acted_using] == ["109"]
    assert (made.job["acted_on"], made.job["acted_using"]) == (made.acted_on, made.acted_using)
    with pytest.raises(ValueError, match="texts"):
        place.manager(inputs=[7])


def test_agent_and_task_become_addresses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = place.job(agent="urrutia-rnaseq-0.1.4", task="0001-007")
    assert made.job["agent"] == "https://api.sd2e.org/apps/v2/urrutia-rnaseq-0.1.4"
    assert made.job["task"] == "https://api.sd2e.org/jobs/v2/0001-007"
    monkeypatch.setenv("_abaco_actor_id", "G1p783PxpalBB")
    monkeypatch.setenv("_abaco_execution_id", "e5QKEW8L0BeZ4")
    made = place.job()
    assert made.job["agent"] == "https://api.sd2e.org/actors/v2/G1p783PxpalBB"
    assert made.job["task"] == f"{made.agent}/executions/e5QKEW8L0BeZ4"


def test_pipelines_that_are_not_there(place: Place) -> None:
    with pytest.raises(ManagedPipelineJobError, match="is required"):
        ManagedPipelineJob(place.mongodb, {})
    with pytest.raises(ManagedPipelineJobError, match="Failed to verify pipeline_uuid:106bd127"):
        place.manager(pipeline_uuid="106bd127-e2d2-57ac-b9be-11ed06042e68")
    for uuid in ({"$ne": None}, 7):
        with pytest.raises(ManagedPipelineJobError, match="Failed to verify"):
            place.manager(pipeline_uuid=uuid)
    with pytest.raises(ValueError, match="job_manager_id"):
        ManagedPipelineJob(place.mongodb, place.pipelines | {"job_manager_id": None})
    assert "SD2E_x" not in repr(PipelineJobsConfig(**place.pipelines))
    made = place.manager()
    made.pipeline_uuid = "106bd127-e2d2-57ac-b9be-11ed06042e68"
    with pytest.raises(Exception, match="Failed to validate pipeline UUID") as refused:
        made.setup()
    assert isinstance(refused.value.args[1], UnknownPipeline)


def test_errors_of_managers_are_of_one_class(place: Place) -> None:
    made = place.job()
    cases: list[tuple[Any, type[Exception]]] = [
        (lambda: made.finish(), MachineError),
        (lambda: made.handle("updated"), KeyError),
        (lambda: made.handle(None), KeyError),
        (lambda: made.run(token="a3b29f2c62ec9d15"), InvalidToken),
        (lambda: made.run({"a": object()}), TypeError),
        (lambda: made.delete(), InvalidAdminToken),
        (lambda: made.handle("reset"), InvalidAdminToken),
        (lambda: JobManager(place.mongodb, uuid=made.uuid).run(), InvalidToken),
        (lambda: JobManager(place.mongodb, uuid=made.uuid[:-1] + "x", token=made.token).run(), UnknownJob),
        (lambda: JobManager(place.mongodb, token=made.token).run(), UnknownJob),
        (lambda: JobManager(place.mongodb).cancel(), ValueError),
        (lambda: JobManager(place.mongodb).delete(), ValueError),
    ]
    for attempt, original in cases:
        with pytest.raises(ManagedPipelineJobError) as refused:
            attempt()
        assert type(refused.value.args[0]) is original
        assert refused.value.__context__ is refused.value.args[0]
    assert names(PipelineJobStore(place.mongodb).find_one_by_uuid(made.uuid)) == ["create"]


def test_errors_of_instances_are_as_they_are(place: Place) -> None:
    made = place.job()
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token)
    with pytest.raises(MachineError):
        instance.finish()
    with pytest.raises(KeyError):
        instance.handle({"name": "updated"})
    with pytest.raises(InvalidToken):
        instance.run(token="a3b29f2c62ec9d15")
    with pytest.raises(InvalidAdminToken):
        instance.ready()
    for uuid in ("1071269f-b251-5a5f-bec1-6d7f77131f3f", "x"):
        with pytest.raises(ValueError, match="Failed to instantiate instance of job"):
            ManagedPipelineJobInstance(place.mongodb, uuid)


def test_what_an_instance_knows(place: Place) -> None:
    made = place.job(sample_id="sample.tacc.20001", archive_patterns=[".csv$"])
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid)
    for name in instance.PARAMS:
        assert getattr(instance, name) == made.job[name], name
    assert "jp_doc_" not in repr(instance)
    with pytest.raises(InvalidToken):
        instance.run()
    assert instance.run(token=made.token)["state"] == instance.state == "RUNNING"


def test_the_index_of_an_instance_takes_its_arguments_as_ever(place: Place) -> None:
    made = place.job()
    made.run().finish()
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid)
    assert (instance.index(made.token), instance.state) == ([], "INDEXING")
    assert instance.indexed(made.token)["state"] == "FINISHED"
    assert instance.index(token=made.token, transition=True)["state"] == "FINISHED"
    assert names(instance.job)[-2:] == ["index", "indexed"]


def test_a_job_manager_loads_and_attaches(place: Place) -> None:
    made = place.job()
    manager = JobManager(place.mongodb, uuid=made.uuid)
    assert manager.state is None
    assert manager.attach(token=made.token) is manager
    assert (manager.state, manager.archive_path, manager.token) == ("CREATED", made.archive_path, made.token)
    manager.run()
    assert made.load().state == "RUNNING"
    other = place.job()
    assert manager.load(other.uuid).token is None  # that of the job before opens nothing there
    with pytest.raises(ManagedPipelineJobError, match="Unable to load job contents"):
        JobManager(place.mongodb).load()
    with pytest.raises(ManagedPipelineJobError, match="was found"):
        JobManager(place.mongodb).load("1071269f-b251-5a5f-bec1-6d7f77131f3f")


def test_canceling(place: Place) -> None:
    made = place.job()
    assert made.cancel() is None
    assert made.job is None
    assert PipelineJobStore(place.mongodb).find_one_by_uuid(made.uuid) is None
    ran = place.job()
    ran.run()
    with pytest.raises(ManagedPipelineJobError, match='Send a "fail" event instead'):
        ran.cancel()
    again = place.job(data=ran.data)  # does not know that the job ran
    with pytest.raises(ManagedPipelineJobError, match='Send a "fail" event instead'):
        again.cancel()
    assert names(place.job(data=ran.data).job) == ["create", "run"]
    with pytest.raises(ManagedPipelineJobError) as refused:
        place.job().cancel(token=ran.token)
    assert isinstance(refused.value.args[0], UnknownJob)


def test_deleting(place: Place) -> None:
    made = place.job()
    made.run()
    assert made.delete(token=place.admin()) is made
    assert (made.uuid, made.token, made.archive_path, made.job) == (None, None, None, None)


def test_setup_has_the_archive_directory_made_unless_told(place: Place) -> None:
    made = place.job()
    assert place.archive.joinpath(made.archive_path[1:]).is_dir()
    without = place.job(setup_archive_path=False)
    directory = place.archive.joinpath(without.archive_path[1:])
    assert not directory.exists()
    without.setup()
    assert not directory.exists()
    without.run()
    without.setup({"more": 1})
    assert not place.archive.joinpath(without.archive_path[1:]).exists()


def test_an_archive_directory_that_cannot_be_made_holds_nothing_up(place: Place, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    name = f"link-{os.urandom(4).hex()}"
    place.archive.joinpath("products", name).symlink_to(kept)
    for path in (f"/products/{name}", f"/products/{name}/below"):
        assert place.job(archive_path=path).state == "CREATED"
    assert place.job(archive_path="/x", archive_system="another").state == "CREATED"
    assert list(kept.iterdir()) == []


def test_another_owners_directory_is_not_given(place: Place) -> None:
    made = place.job()
    store = PipelineJobStore(place.mongodb)
    store._connection = place.stranger()
    description = {"pipeline_uuid": made.pipeline_uuid, "child_of": [], "data": {"mine": made.uuid}}
    description |= {"archive_system": made.archive_system}
    for path in (made.archive_path, f"{made.archive_path}/below", os.path.dirname(made.archive_path)):  # noqa: PTH120
        with pytest.raises(DuplicateJobError, match="another owner's") as refused:
            store.create(description | {"archive_path": path})
        assert made.uuid not in str(refused.value)
    assert store.create(description | {"archive_path": f"{made.archive_path}-beside"})["state"] == "CREATED"


def test_data_that_have_no_end_are_refused_as_such(place: Place) -> None:
    made = place.job()
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token)
    itself: dict[str, Any] = {}
    itself["a"] = itself
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    for data in (itself, {"a": deep}):
        with pytest.raises(TypeError):
            instance.update(data)
        with pytest.raises(TypeError):
            instance.reset(data, token=place.admin())
        with pytest.raises(ValueError, match=r"Circular|deep"):
            place.manager(data=data)
    assert names(PipelineJobStore(place.mongodb).find_one_by_uuid(made.uuid)) == ["create"]


def test_resetting_clears_the_archive_directory_and_nothing_else(place: Place) -> None:
    made = place.job()
    directory = place.archive / made.archive_path[1:]
    beside = directory.with_name("beside.txt")
    directory.joinpath("deep").mkdir()
    directory.joinpath("deep/result.csv").write_text("1")
    beside.write_text("2")
    made.run()
    kept = made.reset(no_clear_path=True, token=place.admin(), data={"why": 1})
    assert (kept["state"], made.state) == ("CREATED", "CREATED")
    assert directory.joinpath("deep/result.csv").read_text() == "1"
    cleared = made.reset(token=place.admin())
    assert cleared["state"] == "CREATED"
    assert list(directory.iterdir()) == []
    assert beside.read_text() == "2"
    assert names(cleared) == ["create", "run", "reset", "ready", "reset", "ready"]
    assert made.run()["token"] == made.token


def test_what_only_an_administrative_token_opens(place: Place) -> None:
    made = place.job()
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token)
    for token in (None, made.token, "", f"jp_doc_{made.token[7:-1]}", "a3b29f2c62ec9d15", place.admin_key):
        for sender in (made, instance, made.job):
            for attempt in (sender.reset, sender.ready):
                with pytest.raises(InvalidAdminToken):
                    attempt(token=token)
    forged = f"{place.admin()[:-4]}AAAA"
    for attempt in (made.reset, made.ready, instance.reset, instance.ready):
        with pytest.raises(InvalidAdminToken):
            attempt(token=forged)
    assert names(PipelineJobStore(place.mongodb).find_one_by_uuid(made.uuid)) == ["create"]
    assert instance.handle({"name": "reset"}, place.admin())["state"] == "RESET"
    assert instance.ready(token=place.admin())["state"] == "CREATED"


def test_an_administrative_token_is_not_handed_back(place: Place) -> None:
    made = place.job()
    answer = made.run(token=place.admin())
    assert answer["token"] is None
    assert made.token.startswith("jp_doc_")
    assert answer.update()["state"] == "RUNNING"  # with the token that was given for the first


def test_repeating_somebody_elses_parameters(place: Place) -> None:
    made = place.job()
    stranger = ManagedPipelineJob(place.stranger(), place.pipelines, data=made.data)
    with pytest.raises(ManagedPipelineJobError) as refused:
        stranger.setup()
    assert isinstance(refused.value.args[0], DuplicateJobError)
    assert stranger.token is None
    trusted = ManagedPipelineJob(place.stranger(), place.pipelines, data=made.data, token=made.token).setup()
    assert trusted.token == made.token
    assert trusted.run()["state"] == "RUNNING"


def test_jobs_are_found_by_their_links(place: Place) -> None:
    made = place.job(sample_id="sample.tacc.links")
    client = PipelineJobStore(place.mongodb)._connection.own()
    for named in ("sample.tacc.links", made.child_of[0]):
        assert [job.uuid for job in client.jobs(child_of=named).jobs] == [made.uuid]


def test_a_manager_of_a_reactor(place: Place) -> None:
    reactor = SimpleNamespace(
        settings=SimpleNamespace(mongodb=place.mongodb, pipelines=place.pipelines),
        uid="G1p783PxpalBB",
        execid="e5QKEW8L0BeZ4",
        nickname="brave-ant",
        client=None,
    )
    made = ReactorManagedPipelineJob(reactor, data={"reactor": 1}).setup()
    assert (made.job["session"], made.data) == ("brave-ant", {"reactor": 1})
    assert made.job["task"].endswith("/actors/v2/G1p783PxpalBB/executions/e5QKEW8L0BeZ4")


def test_a_child_process_opens_for_itself(place: Place) -> None:
    made = place.job()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, made.run()["state"].encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert os.read(reader, 100) == b"RUNNING"
    os.close(reader)
    assert made.update()["state"] == "RUNNING"
