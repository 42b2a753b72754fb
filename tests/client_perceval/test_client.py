"""The real client as it is, of three versions, against ``jobpass serve`` and ``jobpass worker --runner perceval``."""

from __future__ import annotations

import time
import uuid

import pytest

import jobpass
from jobpass.errors import NotFound
from support.job_cloud import PASSWORD, PLATFORM, Cloud
from support.real_client import MEMORY, Raised, RealClient, connected

pytestmark = [pytest.mark.perceval, pytest.mark.timeout(120)]
LONG = 2000
"""Iterations that take much longer than a test."""


def history(cloud: Cloud, job: str) -> list[str]:
    return [event.name for event in cloud.ann.iter_history(job)]


def test_a_platform_is_what_its_worker_says(client: RealClient, cloud: Cloud) -> None:
    told = connected(client, cloud)
    assert sorted(told["commands"]) == ["probs", "sample_count", "samples"]
    assert (told["type"], told["status"]) == ("SIMULATOR", "available")
    assert (told["constraints"]["max_mode_count"], told["constraints"]["max_photon_count"]) == (24, 10)


def test_probabilities_counts_and_samples(client: RealClient) -> None:
    found = client.run()
    assert found["results"]["|2,0>"] == pytest.approx(0.5)
    assert found["results"]["|0,2>"] == pytest.approx(0.5)
    assert found["results"].get("|1,1>", 0) == pytest.approx(0)  # the photons leave together
    assert found["global_perf"] == pytest.approx(1)
    counts = client.run(command="sample_count", samples=500)["results"]
    assert sum(counts.values()) == 500
    assert set(counts) == {"|2,0>", "|0,2>"}
    samples = client.run(command="samples", samples=30)["results"]
    assert len(samples) == 30
    assert set(samples) <= {"|2,0>", "|0,2>"}


def test_a_call_takes_less_than_a_sixth_of_a_second_once_all_is_warm(client: RealClient) -> None:
    client.run()
    assert min(client.run(times=8)["took"]) < 0.15  # the client sleeps three seconds if its first look is too early


def test_progress_is_seen_and_the_results_are_all_there(client: RealClient, cloud: Cloud) -> None:
    job = client.begin(iterations=40, long=True)
    seen = [client.until(job, "running")["progress"]]
    while not (told := client.status(job=job))["complete"]:
        seen.append(told["progress"])
        time.sleep(0.2)
    assert told["word"] == "success", told
    assert told["created"] == pytest.approx(time.time(), abs=120)
    assert seen == sorted(seen)
    assert any(0 < one < 1 for one in seen), seen
    results = client.results(job=job)["results_list"]
    assert len(results) == 40
    assert all(sum(one["results"].values()) == 20 for one in results)
    assert "update" in history(cloud, job)
    assert cloud.ann.verify(job).intact


def test_a_job_is_resumed_by_its_id(client: RealClient) -> None:
    job = client.begin()
    assert uuid.UUID(job).version == 4
    client.until(job)
    assert client.resume(job=job)["word"] == "success"
    assert client.results(job=job)["results"]["|2,0>"] == pytest.approx(0.5)


def test_a_waiting_and_a_running_job_are_canceled_and_run_again(client: RealClient, cloud: Cloud) -> None:
    running = client.begin(iterations=LONG, long=True)
    client.until(running, "running")
    waiting = client.begin()
    assert client.until(waiting, "waiting")["word"] == "waiting"
    with pytest.raises(Raised, match="RuntimeError"):
        client.rerun(job=waiting)
    client.cancel(job=waiting)
    assert client.until(waiting)["word"] == "canceled"
    assert history(cloud, waiting) == ["create", "cancel"]
    started = time.monotonic()
    client.cancel(job=running)
    assert client.until(running)["word"] == "canceled"
    assert time.monotonic() - started < 6
    with pytest.raises(Raised, match="RuntimeError"):
        client.cancel(job=running)
    again = client.rerun(job=waiting)
    assert again != waiting
    assert client.until(again)["word"] == "success"
    assert client.results(job=again)["results"]["|2,0>"] == pytest.approx(0.5)
    assert cloud.ann.compute_data(again).rerun_from == waiting
    assert client.status(job=waiting)["word"] == "canceled"


def test_a_job_that_failed_says_why(client: RealClient, cloud: Cloud) -> None:
    payload = client.payload() | {"experiment": ":PCVL:NoSuchThing:x"}
    job = cloud.ann.submit(PLATFORM, payload, name="probs")
    client.resume(job=job)
    told = client.until(job)
    assert told["word"] == "error"
    assert "NoSuchThing" in told["message"]
    with pytest.raises(Raised, match="NoSuchThing"):
        client.results(job=job)


def test_a_group_of_jobs(client: RealClient, cloud: Cloud) -> None:
    name = f"group-{client.version}"
    jobs = client.group(name=name, jobs=3)
    assert len(set(jobs)) == 3
    ends_at = time.monotonic() + 30
    while len(listed := cloud.ann.compute_jobs(group=name, status="completed").jobs) < 3:
        assert time.monotonic() < ends_at
        time.sleep(0.1)
    assert {one.job_id for one in listed} == set(jobs)
    found = client.group_results(name=name)
    assert found["progress"]["Finished"][0] == 3
    assert [one["results"]["|2,0>"] for one in found["results"]] == [pytest.approx(0.5)] * 3
    assert len({cloud.ann.compute_data(job).process_id for job in jobs}) == 1


@pytest.mark.parametrize("how", ["run_parallel", "run_sequential"])
def test_a_group_that_waits_for_its_jobs(how: str, newest: RealClient) -> None:
    jobs = newest.group(name=how, jobs=2, how=how)
    found = newest.group_results(name=how)
    assert found["progress"]["Finished"][0] == len(jobs) == 2
    assert len(found["results"]) == 2


def test_a_bad_token_and_an_unknown_platform_are_told(client: RealClient, cloud: Cloud) -> None:
    good = cloud.token
    forged = good[:-1] + ("A" if good[-1] != "A" else "B")
    for token in (forged, "nonsense", cloud.key_file.read_text().strip()):
        with pytest.raises(Raised, match="401"):
            connected(client, cloud, token=token)
    with pytest.raises(Raised, match="404"):
        connected(client, cloud, platform="sim:absent")
    assert connected(client, cloud)["status"] == "available"


def test_a_revoked_token_ends_what_runs_under_it(client: RealClient, cloud: Cloud) -> None:
    ann = jobpass.Client(cloud.url)
    ann.login("ann@example.org", PASSWORD)
    issued = ann.create_token(label=f"revoked-{client.version}")
    connected(client, cloud, token=issued.token)
    assert client.run()["results"]
    ann.revoke_token(issued.token)
    ann.close()
    time.sleep(1)  # every node knows within a second
    for call in (client.begin, lambda: connected(client, cloud, token=issued.token)):
        with pytest.raises(Raised, match="401"):
            call()


def test_another_users_job_is_not_there(client: RealClient, cloud: Cloud) -> None:
    job = client.begin()
    client.until(job)
    name = f"ben-{client.version}@example.org"
    cloud.operator.create_user(name, PASSWORD)
    ben = jobpass.Client(cloud.url)
    ben.login(name, PASSWORD)
    connected(client, cloud, token=ben.create_token(label="ben").token)
    with pytest.raises(Raised, match="404"):
        client.resume(job=job)
    with pytest.raises(NotFound):
        ben.compute_result(job)
    ben.close()


def test_the_newer_layer(newest: RealClient) -> None:
    assert newest.newer()["results"]["|2,0>"] == pytest.approx(0.5)
    assert sum(newest.newer(command="sample_count", max_samples=200)["results"].values()) == 200
    assert len(newest.newer(command="samples", max_samples=20)["results"]) == 20
    assert len(newest.newer(iterations=3)["results_list"]) == 3


def test_the_newer_layer_sends_the_newest_payload(newest: RealClient, cloud: Cloud) -> None:
    newest.newer_begin(name="newest")
    assert newest.until("newest")["word"] == "success"
    *_, last = cloud.ann.iter_compute_jobs()
    payload = cloud.ann.compute_data(last.job_id).payload
    assert "computation" in payload
    assert "experiment" not in payload
    assert newest.results(job="newest")["results"]["|0,2>"] == pytest.approx(0.5)


def test_the_newer_layer_cancels_and_runs_again(newest: RealClient) -> None:
    newest.newer_begin(name="long", iterations=LONG, long=True)
    newest.until("long", "running")
    newest.cancel(job="long")
    assert newest.until("long")["word"] == "canceled"


def test_the_newer_layers_groups(newest: RealClient, cloud: Cloud, tmp_path: object) -> None:
    results = newest.newer_group(name="newer", jobs=2, folder=str(tmp_path))
    assert [one["results"]["|2,0>"] for one in results] == [pytest.approx(0.5)] * 2
    assert len(cloud.ann.compute_jobs(group="newer").jobs) == 2


def test_several_slots_and_several_workers_share_what_there_is(newest: RealClient, cloud: Cloud) -> None:
    with cloud.worker(*MEMORY, "--slots", "2", runner="perceval") as second:
        assert second.said, second.log
        jobs = [newest.begin(iterations=LONG, long=True) for _ in range(4)]
        for job in jobs[:3]:
            newest.until(job, "running")
        assert newest.status(job=jobs[3])["word"] == "waiting"
        events = [event for job in jobs[:3] for event in cloud.ann.iter_history(job)]
        assert len({event.data["worker"] for event in events if event.name == "lease"}) == 2
        for job in reversed(jobs):
            newest.cancel(job=job)
        for job in jobs:
            assert newest.until(job)["word"] == "canceled"
        assert second.stop() == 0
