"""A server on loopback behind a reverse proxy: its pages call the address that browsers see."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.prefect_stack import PrefectStack
from scripts.serve_prefect import main

PUBLIC = "https://prefect.example.com"


def test_pages_links_and_origins_are_of_the_public_address(tmp_path: Path) -> None:
    environment = PrefectStack(tmp_path, 4200, public_url=f"{PUBLIC}/").environment
    assert environment["PREFECT_SERVER_UI_API_URL"] == f"{PUBLIC}/api"
    assert environment["PREFECT_UI_URL"] == PUBLIC
    assert environment["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == PUBLIC
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


def test_without_one_they_are_of_this_machine(tmp_path: Path) -> None:
    environment = PrefectStack(tmp_path, 4200).environment
    assert environment["PREFECT_SERVER_UI_API_URL"] == environment["PREFECT_API_URL"]
    assert environment["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200"


@pytest.mark.parametrize(
    "wrong",
    ["prefect.example.com", f"{PUBLIC}/prefect", "https://a:b@prefect.example.com", f"{PUBLIC}?a"],
)
def test_what_is_no_address_of_a_server_is_refused(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--state-dir", str(tmp_path), "--public-url", wrong])
    assert "--public-url" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
