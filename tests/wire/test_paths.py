"""Paths: one segment stays one segment."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from jobpass.server.route import Router
from jobpass.server.routes import routes
from jobpass.wire import paths

UUID = "1075a3f8-0c5e-5b5a-9d2e-6f1b7a0c4d3e"
ROUTES = routes(callbacks=True)


def test_every_template_is_served() -> None:
    templates = {value for name, value in vars(paths).items() if name.isupper()}
    assert templates == {route.template for route in ROUTES}


def test_a_filled_path_finds_its_route() -> None:
    router = Router(ROUTES)
    for route in ROUTES:
        found, uuid = router.find(route.method, paths.fill(route.template, uuid=UUID, id=UUID, ticket=UUID))
        assert found is route
        assert uuid == (UUID if "{" in route.template else "")


@given(st.text(min_size=1))
def test_a_value_never_leaves_its_segment(value: str) -> None:
    path = paths.fill(paths.JOB_HISTORY, uuid=value)
    assert path.count("/") == paths.JOB_HISTORY.count("/")
    assert path.isascii()
    assert not {"?", "#", " "} & set(path)
    assert unquote(path.split("/")[3], errors="surrogatepass") == value
