"""A lifecycle whose file is taken away while jobs still have it: the server says so when it starts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jobpass
from jobpass.errors import InvalidInput

REVIEW = Path(__file__).parents[2] / "examples" / "lifecycles" / "review.toml"


def warned(server: Any, wait_seconds: float) -> str:
    """What the server's log says within that time about lifecycles that are gone."""
    until = time.monotonic() + wait_seconds
    while time.monotonic() < until:
        found = [line for line in server.log if "there is no lifecycle" in line]
        if found:
            return str(found[0])
        time.sleep(0.05)
    return ""


@pytest.mark.timeout(60)
def test_the_start_warns_of_jobs_that_nothing_can_happen_to(
    shell: Any, serve: Callable[..., Any], password: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (tmp_path / "password").write_text(password)
    shell.good("init", "--data", data, "--admin-password-file", tmp_path / "password")
    (data / "lifecycles").mkdir()
    shutil.copy(REVIEW, data / "lifecycles")
    server = serve(data)
    with jobpass.Client(server.url) as client:
        client.login("operator@localhost", password)
        pipeline = client.create_pipeline({"id": "a", "name": "A", "components": [], "processing_levels": []})["uuid"]
        jobs = [client.create_job(pipeline, {"n": n}, lifecycle="review").uuid for n in range(2)]
        client.create_job(pipeline, {})
        assert warned(server, 1) == ""
    server.process.terminate()
    server.process.wait(20)
    (data / "lifecycles" / "review.toml").unlink()
    server = serve(data)
    assert "no event of 2 jobs can be judged: there is no lifecycle review here any more" in warned(server, 10)
    with jobpass.Client(server.url) as client:
        client.login("operator@localhost", password)
        with pytest.raises(InvalidInput):
            client.send(jobs[0], "submit")
    shell.variables["JOBPASS_URL"] = server.url
    shell.good("login", "--email", "operator@localhost", "--password-file", tmp_path / "password")
    drawn = shell("job", "show", jobs[0], "--svg", "-")
    assert (drawn.returncode, drawn.stdout) == (7, "")
    assert "has no lifecycle review any more" in drawn.stderr
    assert shell("job", "timeline", jobs[0]).returncode == 0
