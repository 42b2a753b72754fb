"""What was unsafe or broken in the original, by the numbers of the list in docs/seed1.md: each can fail here."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest
from transitions import MachineError

from datacatalog import linkedstores
from datacatalog.linkedstores.pipeline import DuplicatePipelineError, PipelineStore
from datacatalog.linkedstores.pipelinejob import DuplicateJobError, PipelineJobStore, UnknownJob
from datacatalog.linkedstores.pipelinejob.events import EventMethods
from datacatalog.managers.pipelinejobs import JobManager, ManagedPipelineJobError, ManagedPipelineJobInstance
from datacatalog.mongo import db_connection
from datacatalog.tokens import get_admin_token, get_token
from datacatalog.tokens.exceptions import InvalidAdminToken, InvalidToken
from support.catalog import PIPELINE, Place

WRONG = "a3b29f2c62ec9d15"


def store_of(place: Place) -> PipelineJobStore:
    return PipelineJobStore(place.mongodb)


def names(place: Place, uuid: str | None) -> list[str]:
    return [event["name"] for event in store_of(place).history(str(uuid))]


def senders(place: Place, made: Any) -> dict[str, Any]:
    """Every way to send an event ``name`` with ``token``."""
    store, uuid = store_of(place), made.uuid
    return {
        "store": lambda name, token: store.handle({"uuid": uuid, "name": name}, token),
        "store, in the document": lambda name, token: store.handle({"uuid": uuid, "name": name, "token": token}),
        "manager": lambda name, token: made.handle(name, token=token),
        "manager's method": lambda name, token: getattr(made, name.lower())(token=token),
        "manager's answer": lambda name, token: getattr(made.job, name.lower())(token=token),
        "job manager": lambda name, token: JobManager(place.mongodb, uuid=uuid, token=token).handle(name),
        "instance": lambda name, token: ManagedPipelineJobInstance(place.mongodb, uuid).handle({"name": name}, token),
        "instance's method": lambda name, token: getattr(ManagedPipelineJobInstance(place.mongodb, uuid), name.lower())(
            token=token
        ),
    }


def test_w01_document_tokens_are_enforced_on_every_path(place: Place) -> None:
    made, other = place.job(), place.job()
    narrowed = str(made.token)[:-4] + ("AAAA" if not made.token.endswith("AAAA") else "BBBB")
    for way, send in senders(place, made).items():
        for token in (WRONG, "", narrowed, "jp_doc_", made.uuid, place.admin_key):
            with pytest.raises((InvalidToken, ManagedPipelineJobError)) as refused:
                send("update", token)
            assert isinstance(refused.value, InvalidToken) or isinstance(refused.value.args[0], InvalidToken), way
        with pytest.raises((UnknownJob, InvalidToken, ManagedPipelineJobError, ValueError)):
            send("update", other.token)
    for without in (
        lambda: store_of(place).handle({"uuid": made.uuid, "name": "run"}),
        lambda: ManagedPipelineJobInstance(place.mongodb, made.uuid).run(),
    ):
        with pytest.raises(InvalidToken):
            without()
    assert names(place, made.uuid) == names(place, other.uuid) == ["create"]


def test_w02_reset_and_ready_need_an_administrative_token_on_every_path(place: Place) -> None:
    made = place.job()
    for name in ("reset", "ready"):
        for way, send in senders(place, made).items():
            for token in (made.token, WRONG, "jp_adm_", f"jp_adm_{made.token[7:]}", place.admin()[:-4] + "AAAA"):
                with pytest.raises((InvalidAdminToken, InvalidToken, ManagedPipelineJobError)) as refused:
                    send(name, token)
                inner = refused.value if isinstance(refused.value, InvalidToken) else refused.value.args[0]
                assert isinstance(inner, InvalidToken), way
    assert names(place, made.uuid) == ["create"]


def test_w03_the_case_of_a_name_changes_nothing(place: Place) -> None:
    made = place.job()
    for name in ("RESET", "Reset", "reSet", "READY"):
        for way, send in senders(place, made).items():
            with pytest.raises((InvalidAdminToken, ManagedPipelineJobError)) as refused:
                send(name, made.token)
            inner = refused.value if isinstance(refused.value, InvalidToken) else refused.value.args[0]
            assert isinstance(inner, InvalidAdminToken), way
    assert names(place, made.uuid) == ["create"]
    made.handle("UPDATE")
    assert names(place, made.uuid) == ["create", "update"]


def test_w04_fail_before_the_first_event_leaves_a_failed_job_with_its_history(place: Place) -> None:
    made = place.job()
    made.run()
    again = place.job(data=made.data)
    again.fail()
    assert (again.state, names(place, made.uuid)) == ("FAILED", ["create", "run", "fail"])
    fresh = place.job()
    assert fresh.fail()["state"] == fresh.state == "FAILED"
    assert names(place, fresh.uuid) == ["create", "fail"]


def test_w05_who_repeats_somebody_elses_parameters_gets_no_token(place: Place) -> None:
    from datacatalog.managers.pipelinejobs import ManagedPipelineJob

    made = place.job()
    stranger = ManagedPipelineJob(place.stranger(), place.pipelines, data=made.data)
    with pytest.raises(ManagedPipelineJobError):
        stranger.setup()
    assert stranger.token is None
    assert stranger.job is None
    assert PipelineJobStore(place.stranger()).token_of(str(made.uuid)) is None


def test_w07_over_http_a_client_has_no_secret_and_the_server_decides(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "url" not in place.mongodb:
        pytest.skip("in process, who holds the secret is the installation")
    for name in ("CATALOG_ADMIN_TOKEN_SECRET", "CATALOG_ADMIN_TOKEN_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = place.job()
    bare = {"url": place.mongodb["url"]}
    assert ManagedPipelineJobInstance(bare, made.uuid, token=made.token).run()["state"] == "RUNNING"
    with pytest.raises(InvalidToken):
        ManagedPipelineJobInstance(bare, made.uuid)


def test_w08_an_administrative_token_names_its_key_and_ends_with_it(place: Place) -> None:
    if place.operator is None:
        pytest.skip("there is no operator to review a key of the environment")
    ann = db_connection(place.mongodb).own()
    operator = db_connection({"url": place.mongodb["url"], "token": place.operator}).own()
    asked = ann.request_admin_key("another", "a vault", lifetime_seconds=600)
    operator.approve_admin_key(asked.id, asked.request_hash)
    token = get_admin_token(ann.collect_admin_key(asked.id))
    made, store = place.job(), store_of(place)
    assert store.handle({"uuid": made.uuid, "name": "reset"}, token)["state"] == "RESET"
    assert asked.id in ann.history(str(made.uuid)).events[-1].credential
    operator.revoke_admin_key(asked.id, "leaked")
    with pytest.raises(InvalidAdminToken):
        store.handle({"uuid": made.uuid, "name": "ready"}, token)
    assert store.handle({"uuid": made.uuid, "name": "ready"}, place.admin())["state"] == "CREATED"


def test_w13_nothing_in_an_answer_makes_a_token(place: Place) -> None:
    made = place.job()
    found = store_of(place).find_one_by_uuid(str(made.uuid))
    assert "_salt" not in found
    assert found["token"] is None
    if "authn" in place.mongodb:
        forged = get_token("salt", [found["uuid"], found["_admin"]])
        with pytest.raises(InvalidToken):
            store_of(place).handle({"uuid": made.uuid, "name": "run"}, forged)
    assert PipelineJobStore(place.stranger()).find_one_by_uuid(str(made.uuid)) is None


def test_w16_nothing_writes_past_the_events(place: Place) -> None:
    for store in (PipelineJobStore, PipelineStore):
        for name in ("write_key", "replace_document", "update_document", "delete_document", "undelete", "coll", "db"):
            assert not hasattr(store, name)
    made = place.job()
    made.job["state"] = "FINALIZED"
    assert store_of(place).find_one_by_uuid(str(made.uuid))["state"] == "CREATED"


def test_w17_links_are_not_changed_and_pipelines_only_by_their_owner(place: Place) -> None:
    assert not hasattr(PipelineJobStore, "add_link")
    assert not hasattr(PipelineJobStore, "remove_link")
    assert linkedstores.__doc__
    mine = PIPELINE | {"id": "w17"}
    PipelineStore(place.mongodb).add_update_document(mine)
    with pytest.raises(DuplicatePipelineError):
        PipelineStore(place.stranger()).add_update_document(mine | {"name": "theirs"})


def test_w18_making_a_job_again_erases_nothing(place: Place) -> None:
    made = place.job()
    made.run({"kept": 1})
    description = {name: made.job[name] for name in made.job if not name.startswith("_") and name != "token"}
    again = store_of(place).create({name: value for name, value in description.items() if name != "generated_by"})
    assert (again["uuid"], again["state"]) == (made.uuid, "RUNNING")
    assert names(place, made.uuid) == ["create", "run"]
    with pytest.raises(DuplicateJobError):
        store_of(place).create(description | {"session": "another-one"})
    with pytest.raises(DuplicateJobError):
        PipelineJobStore(place.stranger()).create(description)
    assert names(place, made.uuid) == ["create", "run"]


def test_w19_concurrent_events_are_all_kept(place: Place) -> None:
    made, store = place.job(), store_of(place)
    refused: list[Exception] = []

    def send(first: int) -> None:
        try:
            for number in range(first, first + 20):
                store.handle({"uuid": made.uuid, "name": "update", "data": number}, made.token)
        except Exception as error:
            refused.append(error)

    threads = [threading.Thread(target=send, args=(100 * number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert refused == []
    kept = [event["data"] for event in store.history(str(made.uuid))][1:]
    assert sorted(kept) == sorted(100 * number + n for number in range(5) for n in range(20))


@pytest.mark.parametrize("uuid", [{"$ne": None}, {"$gt": ""}, [], None, 0])
def test_w20_a_uuid_is_a_text(place: Place, uuid: Any) -> None:
    with pytest.raises(UnknownJob):
        store_of(place).handle({"uuid": uuid, "name": "reset"}, place.admin())
    with pytest.raises(UnknownJob):
        store_of(place).delete(uuid, place.admin())
    made = place.job()
    if uuid is not None:
        with pytest.raises(UnknownJob):
            ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token).handle({"uuid": uuid, "name": "run"})


@pytest.mark.parametrize("name", ["may_reset", "trigger", "states", "model", "is_RESET", "__init__", "delete", "purge"])
def test_w21_only_events_are_events(place: Place, name: str) -> None:
    made = place.job()
    with pytest.raises(KeyError):
        store_of(place).handle({"uuid": made.uuid, "name": name}, place.admin())
    assert names(place, made.uuid) == ["create"]


@pytest.mark.parametrize(
    "path", ["/", "/products", "/products/../etc", "/etc/x", "/products/v2/../../x", "relative", "//"]
)
def test_w22_a_job_has_no_archive_path_that_must_not_be_cleared(place: Place, path: str) -> None:
    manager = place.manager(archive_path=path)
    with pytest.raises(ValueError, match="archive_path"):
        manager.setup()
    assert place.archive.joinpath("products").is_dir()


def test_w22_a_link_out_of_the_archive_is_not_followed(place: Place) -> None:
    outside = place.archive.parent / "outside"
    outside.mkdir(exist_ok=True)
    outside.joinpath("kept.txt").write_text("kept")
    made = place.job()
    directory = place.archive / str(made.archive_path)[1:]
    directory.joinpath("link").symlink_to(outside)
    made.reset(token=place.admin())
    assert list(directory.iterdir()) == []
    assert outside.joinpath("kept.txt").read_text() == "kept"


def test_w23_an_instance_is_bound_to_its_job(place: Place) -> None:
    made, other = place.job(), place.job()
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=place.admin())
    with pytest.raises(UnknownJob):
        instance.handle({"uuid": other.uuid, "name": "reset"})
    with pytest.raises(UnknownJob):
        instance.handle({"uuid": other.uuid, "name": "run"}, other.token)
    assert names(place, other.uuid) == ["create"]


def test_w24_the_argument_counts_before_the_document(place: Place) -> None:
    made, store = place.job(), store_of(place)
    event = {"uuid": made.uuid, "name": "run", "token": made.token}
    with pytest.raises(InvalidToken):
        store.handle(event, WRONG)
    with pytest.raises(InvalidToken):
        ManagedPipelineJobInstance(place.mongodb, made.uuid).handle(event, WRONG)
    # What came in a message is not sent with the power of who passes it on.
    passing_on = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=place.admin())
    with pytest.raises(InvalidToken):
        passing_on.handle(event | {"token": WRONG})
    assert store.handle(event | {"token": WRONG}, made.token)["state"] == "RUNNING"


def test_w25_uuids_of_events_are_drawn_for_each(place: Place) -> None:
    made = place.job()
    for _ in range(20):
        made.update()
    uuids = [event["uuid"] for event in store_of(place).history(str(made.uuid))]
    assert len(set(uuids)) == 21
    assert all(uuid.startswith("108") for uuid in uuids)


def test_b02_the_token_stays_the_same_and_is_in_every_answer(place: Place) -> None:
    made = place.job()
    first = made.run()
    manager = JobManager(place.mongodb, uuid=made.uuid, token=first["token"])
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=first.get("token"))
    texts = [made.token, first["token"], manager.update()["token"], manager.token, instance.update().get("token")]
    assert [str(text) for text in texts] == [str(made.token)] * 5


def test_b03_an_instance_has_the_event_methods_and_keeps_its_token(place: Place) -> None:
    made = place.job()
    instance = ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token)
    assert instance.run()["last_event"] == "run"
    assert instance.update({"a": 1})["history"][-1]["data"] == {"a": 1}


def test_b04_a_reset_that_cannot_clear_leaves_the_reason_and_can_be_finished(place: Place) -> None:
    made = place.job()
    directory = place.archive / str(made.archive_path)[1:]
    directory.rmdir()
    directory.write_text("a file where a directory should be")
    with pytest.raises(ManagedPipelineJobError):
        made.reset(token=place.admin())
    found = store_of(place).find_one_by_uuid(str(made.uuid))
    assert found["state"] == "RESET"
    assert "archive_error" in found["history"][-1]["data"]
    for name in ("run", "update", "fail", "finish", "retire"):
        with pytest.raises(ManagedPipelineJobError) as refused:
            made.handle(name)
        assert isinstance(refused.value.args[0], MachineError)
    directory.unlink()
    assert made.ready(token=place.admin())["state"] == "CREATED"


def test_b04_permissive_goes_on_without_clearing(place: Place) -> None:
    made = place.job()
    directory = place.archive / str(made.archive_path)[1:]
    directory.rmdir()
    directory.write_text("a file where a directory should be")
    assert made.reset(token=place.admin(), permissive=True)["state"] == "CREATED"
    assert directory.read_text()


def test_b05_an_event_before_setup_sets_up(place: Place) -> None:
    manager = place.manager()
    assert manager.run()["state"] == "RUNNING"
    assert names(place, manager.uuid) == ["create", "run"]


def test_b06_other_data_have_another_path(place: Place) -> None:
    one, other = place.manager(data={"b06": 1}).setup({"x": 1}), place.manager(data={"b06": 1}).setup({"x": 2})
    assert one.uuid != other.uuid
    assert one.job["archive_path"] != other.job["archive_path"]


def test_b10_a_component_of_no_known_type_is_kept_and_does_not_count(place: Place) -> None:
    store, odd = PipelineStore(place.mongodb), {"nothing": "known"}
    plain = store.add_update_document(PIPELINE | {"id": "odd"})
    made = store.add_update_document(PIPELINE | {"id": "odd", "components": [*PIPELINE["components"], odd]})
    assert made["uuid"] == plain["uuid"]
    assert made["components"][-1] == odd


def test_b11_a_name_that_is_no_event_is_refused(place: Place) -> None:
    with pytest.raises(KeyError, match="updated"):
        store_of(place).handle({"uuid": place.job().uuid, "name": "updated"}, place.admin())


def test_b13_data_that_json_cannot_hold_are_refused_at_once(place: Place) -> None:
    made = place.job()
    with pytest.raises(ManagedPipelineJobError) as refused:
        made.run({"a": object()})
    assert isinstance(refused.value.args[0], TypeError)
    assert made.run({"Job is now running!"})["history"][-1]["data"] == ["Job is now running!"]


def test_b14_managers_share_nothing_that_can_change(place: Place) -> None:
    one, other = place.manager(), place.manager()
    one.data["x"] = 1
    one.archive_patterns.append("x")
    one.product_patterns.append("x")
    assert "x" not in other.data
    assert other.archive_patterns == other.product_patterns == place.manager().archive_patterns == []
    for _, method in inspect.getmembers(EventMethods, inspect.isfunction):
        for parameter in inspect.signature(method).parameters.values():
            assert not isinstance(parameter.default, dict | list)


def test_b15_addresses_are_those_of_the_api(place: Place) -> None:
    manager = place.manager(agent="G1p783PxpalBB", task="0001-007")
    assert manager.agent == "https://api.sd2e.org/actors/v2/G1p783PxpalBB"
    assert manager.task == "https://api.sd2e.org/jobs/v2/0001-007"


def test_b17_what_the_documentation_said_holds(place: Place) -> None:
    made = place.job()
    made.run(data={"msg": "Job is still running!"}).update(data={"msg": "This is an update"})
    assert names(place, made.uuid) == ["create", "run", "update"]
    made.finish()
    with pytest.raises(ManagedPipelineJobError, match="Can't trigger event run from state FINISHED"):
        made.run()
    canceled = place.job()
    assert canceled.cancel() is None
    assert store_of(place).find_one_by_uuid(str(canceled.uuid)) is None
