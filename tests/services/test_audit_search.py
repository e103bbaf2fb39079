"""Looking for lines of the audit log: by whom, what and when, over a bounded walk; and whether a page holds."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.domain.actor import CLI, Actor, Role
from moderation.errors import Invalid
from moderation.services import moderate
from moderation.services.parts import Parts
from moderation.storage import audit
from moderation.storage.db import write
from moderation.storage.models import AuditLine

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def lines(parts: Parts, people: Any) -> None:
    """Forty lines of the site, an hour apart; every tenth by ada, of another kind."""
    ada, mira = Actor("moderator", "a", "ada"), Actor("moderator", "m", "mira")
    with write() as session:
        session.execute(sa.delete(AuditLine))
        for n in range(40):
            audit.append(
                session,
                site_id=people.site_id,
                actor=ada if n % 10 == 0 else mira,
                action="site.change" if n % 10 == 0 else "comment.approve",
                object_kind="site",
                object_id=str(n),
                now=BEGAN + timedelta(hours=n),
                key=parts.vault.audit_key,
            )


def all_pages(parts: Parts, **asked: Any) -> tuple[list[str], int]:
    """The objects of all lines found, and how many pages it took."""
    found, cursor, pages = [], None, 0
    while True:
        page = moderate.list_audit(parts, CLI, "news", 5, cursor, **asked)
        found += [line["object_id"] for line in page["items"]]
        cursor, pages = page["next"], pages + 1
        if cursor is None:
            return found, pages


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"by": "ada"}, [30, 20, 10, 0]),
        ({"action": "site.change"}, [30, 20, 10, 0]),
        ({"action": "site."}, [30, 20, 10, 0]),
        ({"action": "site"}, []),
        ({"action": "%."}, []),
        ({"by": "nobody"}, []),
        ({"by": "ada", "action": "comment."}, []),
        ({"before": BEGAN + timedelta(hours=3)}, [2, 1, 0]),
        ({"after": BEGAN + timedelta(hours=38)}, [39, 38]),
        ({"by": "ada", "after": BEGAN + timedelta(hours=5), "before": BEGAN + timedelta(hours=25)}, [20, 10]),
        ({"before": BEGAN}, []),
        (
            {"by": "ada", "after": datetime.min.replace(tzinfo=UTC), "before": datetime.max.replace(tzinfo=UTC)},
            [30, 20, 10, 0],
        ),
    ],
)
def test_list_audit_finds_what_is_asked_for(parts: Parts, lines: None, asked: dict[str, Any], expected: Any) -> None:
    assert all_pages(parts, **asked)[0] == [str(n) for n in expected]


def test_list_audit_walks_a_bounded_way_and_goes_on_from_there(
    parts: Parts, lines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_WALKED", 7)
    found, pages = all_pages(parts, by="ada")
    assert found == ["30", "20", "10", "0"]
    assert pages > 4
    found, pages = all_pages(parts, by="ada", after=BEGAN + timedelta(hours=29))
    assert found == ["30"]
    assert pages < 5


def test_list_audit_says_whether_the_lines_of_a_page_are_as_they_were_written(parts: Parts, lines: None) -> None:
    assert moderate.list_audit(parts, CLI, "news")["holds"] is True
    assert moderate.list_audit(parts, CLI, None)["holds"] is None
    assert moderate.list_audit(parts, CLI, "news", by="ada")["holds"] is None
    with write() as session:
        session.execute(sa.update(AuditLine).where(AuditLine.object_id == "35").values(reason="Another one."))
    assert moderate.list_audit(parts, CLI, "news")["holds"] is False


def test_list_audit_notices_a_line_that_is_missing(parts: Parts, lines: None) -> None:
    with write() as session:
        session.execute(sa.delete(AuditLine).where(AuditLine.object_id == "35"))
    assert moderate.list_audit(parts, CLI, "news")["holds"] is False


def test_list_audit_of_one_site_finds_nothing_of_another(parts: Parts, lines: None, people: Any) -> None:
    stranger = Actor("moderator", "s", "S", {people.other_id: Role.ADMIN})
    assert moderate.list_audit(parts, stranger, None, by="ada")["items"] == []


def test_list_audit_by_the_api_takes_the_filters(client: Any, people: Any, parts: Parts, lines: None) -> None:
    ask = f"/api/v1/audit?site=news&by=ada&action=site.&after={BEGAN:%Y-%m-%dT%H:%M:%SZ}&limit=2"
    answer = client.get(ask, headers=people.bearer("moderator")).get_json()
    assert [line["object_id"] for line in answer["items"]] == ["30", "20"]
    assert answer["next"]
    assert answer["holds"] is None


def test_reveal_email_by_others_is_refused_before_the_reason_is_looked_at(parts: Parts, people: Any) -> None:
    with pytest.raises(Exception, match="no such comment"):
        moderate.reveal_email(parts, CLI, uuid.uuid4(), "")
    with pytest.raises(Invalid):
        moderate.list_audit(parts, CLI, "news", 0)
