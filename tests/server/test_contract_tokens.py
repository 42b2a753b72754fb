"""The cloud's contract: every path and answer about tokens, held against its document."""

from __future__ import annotations

from typing import Any

from support.asgi import Answer
from support.contract import Contract, needs_contract
from support.site import Site

pytestmark = needs_contract


async def test_every_answer_about_tokens_is_one_of_the_contract(site: Site) -> None:
    contract = Contract()
    ann, bob = await site.login("ann"), await site.login("bob")
    job = await site.job(ann)

    async def ask(method: str, path: str, token: str | None = ann, **more: Any) -> Answer:
        answer = await site.ask(method, path, token=token, **more)
        contract.check(method, path, answer)
        return answer

    async def fresh() -> dict[str, Any]:
        return (await ask("POST", "/api/tokens", json={"duration": 3600})).json()

    for base in ("/api/tokens", "/api/auth/tokens"):
        made = (await ask("POST", base, json={"label": base, "is_explorer_token": True, "more": {}})).json()
        for token in (ann, made["token"]):
            assert len((await ask("GET", f"{base}?limit=1000&offset=0", token)).json()) > 0
            await ask("GET", f"{base}/{made['token_id']}", token)
            await ask("PUT", f"{base}/{made['token_id']}", token, json={"label": f"{base} again", "more": 1})
        for form in ({"token": made["token"]}, {"token_id": str(made["token_id"])}):
            assert (await ask("POST", f"{base}/revoke", form=form)).status == 200
            assert (await ask("POST", f"{base}/reopen", form=form)).status == 200
            assert (await ask("POST", f"{base}/reopen", form=form)).status == 400
        assert (await ask("POST", base, json={"label": f"{base} again"})).status == 400
        assert (await ask("POST", base, json={"priority": 9})).status == 400
        assert (await ask("POST", base, json={"duration": 0})).status == 422
        assert (await ask("POST", base, bob, json={"user_id": 1})).status == 403
        assert (await ask("GET", f"{base}?limit=0")).status == 422
        assert (await ask("GET", f"{base}?user_id=1", bob)).status == 403
        assert (await ask("GET", f"{base}/{made['token_id']}", bob)).status == 404
        assert (await ask("PUT", f"{base}/{made['token_id']}", json={"priority": 9})).status == 400
        assert (await ask("PUT", f"{base}/{made['token_id']}", json={"label": 1})).status == 422
        assert (await ask("PUT", f"{base}/999999", json={"label": "x"})).status == 404
        assert (await ask("POST", f"{base}/delete-by-ids", json={"token_ids": ["x"]})).status == 422
        assert (await ask("POST", f"{base}/delete-by-ids", json={"token_ids": [999_999]})).status == 400
        assert (await ask("POST", f"{base}/delete-by-ids", json={"token_ids": [made["token_id"]]})).status == 200
        assert (await ask("POST", f"{base}/delete", json={"tokens": [(await fresh())["token"]]})).status == 200
        assert (await ask("POST", f"{base}/delete", json={"tokens": ["jp_job_x"]})).status == 400
        for path in (f"{base}/revoke", f"{base}/reopen"):
            assert (await ask("POST", path, form={"token": "jp_job_x"})).status == 400
            assert (await ask("POST", path, form={})).status == 422
    made = (await fresh())["token_id"]
    assert (await ask("GET", "/api/tokens/usage/report")).json()[-1] == {"token_id": made, "total_jobs": 0, "usage": []}
    times = "start_time=2026-04-07T17:00:00%2B07:00&end_time=2026-04-08T17:00:00Z"
    report = (await ask("GET", f"/api/tokens/usage/report?token_ids={made}&token_ids={made}&{times}")).json()
    assert report == [{"token_id": made, "total_jobs": 0, "usage": []}]
    for query in ("token_ids=x", "start_time=now", "start_time=2026-04-07T17:00:00Z&end_time=2025-04-07T17:00:00Z"):
        assert (await ask("GET", f"/api/tokens/usage/report?{query}")).status == 422
    assert (await ask("GET", f"/api/tokens/usage/report?token_ids={made}", bob)).status == 400
    made = (await ask("POST", "/api/auth/token/generate", json={})).json()
    await ask("GET", f"/api/auth/token/{made['token_id']}")
    assert (await ask("POST", "/api/auth/token/revoke", form={"token": made["token"]})).status == 200
    assert (await ask("POST", "/api/auth/token/delete", json={"tokens": [made["token"]]})).status == 200
    asked = contract.operations("/api/tokens") | contract.operations("/api/auth")
    assert asked == {(method, path) for method, path, status in contract.seen if status == 200}
    for method, path in asked:
        target = path.replace("{token_id}", "1")
        for token in (None, job.token, "jp_job_nonsense"):
            assert (await ask(method, target, token)).status == 401, (method, target)


async def test_what_is_open_is_as_in_the_contract(quick_site: Site) -> None:
    contract = Contract()
    for path in ("/health", "/openapi.json"):
        contract.check("GET", path, await quick_site.ask("GET", path))
