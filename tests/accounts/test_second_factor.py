"""The second factor: codes count once and in time, nobody guesses them, and what is stored of them opens nothing."""

import threading
from typing import Any

import pytest
from sqlalchemy import select, update

from moderation.adapters import one_time_codes
from moderation.domain.actor import CLI, Actor
from moderation.errors import CodeNeeded, Conflict, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated
from moderation.services import accounts, second_factor
from moderation.services.parts import Parts
from moderation.storage.db import read, write
from moderation.storage.models import AuditLine, RecoveryCode, SecondFactor
from tests.hostile.test_who_may import make_passwords_quick

PASSWORD = "a long enough pass phrase"
on_sqlite = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
"""What does not hang on the database; that a code counts once does."""

HOME, ELSEWHERE = b"h" * 16, b"e" * 16


@pytest.fixture
def ana(parts: Parts, people: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    make_passwords_quick(monkeypatch)
    return accounts.add_moderator(parts, CLI, "Ana", PASSWORD, "moderator", "news")


def app_code(parts: Parts, ana: Any, steps: int = 0) -> str:
    """What Ana's app shows now, or some steps later."""
    with read() as session:
        factor = session.get(SecondFactor, ana["id"])
    secret = second_factor._secret(parts, factor)
    return one_time_codes.code_at(secret, int(parts.clock().timestamp()) // 30 + steps)


@pytest.fixture
def codes(parts: Parts, ana: Any, clock: Any) -> list[str]:
    """Ana's second factor is on: her recovery codes. The code that confirmed it is of the step before."""
    _, actor = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    second_factor.begin(parts, actor, PASSWORD)
    made, _ = second_factor.confirm(parts, actor, app_code(parts, ana))
    clock.move(seconds=60)
    return made


def ticket(parts: Parts, network: bytes = HOME) -> str:
    with pytest.raises(CodeNeeded) as needed:
        accounts.log_in(parts, "Ana", PASSWORD, network)
    return needed.value.ticket


def actor_of(ana: Any, parts: Parts) -> Actor:
    return Actor("moderator", str(ana["id"]), "Ana", {})


@pytest.mark.parametrize(
    ("at_s", "code"),
    [(1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_code_of_rfc_6238_is_right_in_its_step_and_the_two_beside_it(at_s: int, code: str) -> None:
    secret = b"12345678901234567890"
    assert one_time_codes.code_at(secret, at_s // 30) == code
    for steps, is_right in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        found = one_time_codes.step_of(secret, code, at_s + 30 * steps)
        assert found == (at_s // 30 if is_right else None)
    for wrong in ("", "x", code + "0", "\ud800", "０" * 6):
        assert one_time_codes.step_of(secret, wrong, at_s) is None


@on_sqlite
def test_log_in_with_second_factor_opens_nothing_by_the_password_alone(
    parts: Parts, ana: Any, codes: list[str]
) -> None:
    half = ticket(parts)
    assert accounts.session_actor(parts, half) is None
    cookie, actor = second_factor.finish_log_in(parts, half, app_code(parts, ana), HOME)
    assert actor.key == f"moderator:{ana['id']}"
    assert accounts.session_actor(parts, cookie) is not None
    # And the wrong password says the same as ever.
    with pytest.raises(Unauthenticated) as wrong:
        accounts.log_in(parts, "Ana", "wrong", HOME)
    assert not isinstance(wrong.value, CodeNeeded)


@on_sqlite
def test_same_code_again_is_refused_and_an_earlier_one_too(
    parts: Parts, ana: Any, codes: list[str], clock: Any
) -> None:
    code, earlier = app_code(parts, ana), app_code(parts, ana, -1)
    second_factor.finish_log_in(parts, ticket(parts), code, HOME)
    for again in (code, earlier):
        with pytest.raises(Invalid):
            second_factor.finish_log_in(parts, ticket(parts), again, HOME)
    clock.move(seconds=30)
    second_factor.finish_log_in(parts, ticket(parts), app_code(parts, ana), HOME)


@on_sqlite
def test_code_that_switched_it_on_does_not_log_in(parts: Parts, ana: Any) -> None:
    _, actor = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    second_factor.begin(parts, actor, PASSWORD)
    code = app_code(parts, ana)
    second_factor.confirm(parts, actor, code)
    with pytest.raises(Invalid):
        second_factor.finish_log_in(parts, ticket(parts), code, HOME)


def test_same_code_twice_at_once_logs_in_once(app: Any, parts: Parts, ana: Any, codes: list[str]) -> None:
    half, code, barrier = ticket(parts), app_code(parts, ana), threading.Barrier(2)
    outcomes: list[str] = []

    def enter() -> None:
        with app.app_context():
            barrier.wait()
            try:
                second_factor.finish_log_in(parts, half, code, HOME)
                outcomes.append("in")
            except Invalid:
                outcomes.append("refused")

    both = [threading.Thread(target=enter) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(outcomes) == ["in", "refused"]


def test_recovery_code_lets_in_once_however_it_is_typed(parts: Parts, ana: Any, codes: list[str]) -> None:
    assert len(set(codes)) == 10
    second_factor.finish_log_in(parts, ticket(parts), f"  {codes[0].upper().replace('-', ' ')} ", HOME)
    with pytest.raises(Invalid):
        second_factor.finish_log_in(parts, ticket(parts), codes[0], HOME)
    assert second_factor.show(parts, actor_of(ana, parts))["codes_left"] == 9
    with read() as session:
        stored = session.scalars(select(RecoveryCode.code_key)).all()
        lines = session.scalars(select(AuditLine).where(AuditLine.action == "session.open")).all()
    assert not any(code.replace("-", "").encode() in key for code in codes for key in stored)
    assert lines[-1].data == {"code": "recovery"}


@on_sqlite
def test_code_in_other_digits_is_the_same_code(parts: Parts, ana: Any, codes: list[str]) -> None:
    arabic = "".join(chr(0x660 + int(digit)) for digit in app_code(parts, ana))
    second_factor.finish_log_in(parts, ticket(parts), arabic, HOME)


@on_sqlite
def test_code_that_is_nonsense_is_refused(parts: Parts, ana: Any, codes: list[str]) -> None:
    half = ticket(parts)
    for code in ("", " ", "000000", "x" * 10_000, "\ud800\ud800", "\x00", "²²²²²²", "👍" * 6):
        with pytest.raises(Invalid):
            second_factor.finish_log_in(parts, half, code, HOME)


@on_sqlite
def test_ticket_is_void_after_ten_minutes_another_password_a_lock_and_a_change(
    parts: Parts, ana: Any, codes: list[str], clock: Any
) -> None:
    def refused(half: str) -> None:
        with pytest.raises(Unauthenticated):
            second_factor.finish_log_in(parts, half, app_code(parts, ana), HOME)

    late, changed, locked = ticket(parts), ticket(parts), ticket(parts)
    refused("")
    refused(late[:-1] + ("A" if late[-1] != "A" else "B"))
    refused(accounts.device_of(parts, "Ana"))
    clock.move(minutes=10, seconds=1)
    refused(late)
    clock.move(minutes=-10, seconds=-1)
    accounts.change_moderator(parts, CLI, ana["id"], disabled=True)
    refused(locked)
    accounts.change_moderator(parts, CLI, ana["id"], disabled=False)
    accounts.change_moderator(parts, CLI, ana["id"], password="quite another pass phrase")
    refused(changed)


@on_sqlite
def test_code_is_not_guessed_and_the_owner_not_shut_out_by_who_has_the_password(
    parts: Parts, ana: Any, codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_factor, "ACCOUNT_RATE", "3/day")
    refused = 0
    for i in range(6):
        try:
            second_factor.finish_log_in(parts, ticket(parts, bytes([i]) * 16), "000000", bytes([i]) * 16)
        except Invalid:
            refused += 1
        except RateLimited:
            break
    assert refused == 3
    with pytest.raises(RateLimited):
        second_factor.finish_log_in(parts, ticket(parts, ELSEWHERE), app_code(parts, ana), ELSEWHERE)
    second_factor.finish_log_in(parts, ticket(parts), app_code(parts, ana), HOME)


@on_sqlite
def test_set_up_asks_for_the_password_ends_other_sessions_and_counts_once_confirmed(parts: Parts, ana: Any) -> None:
    other, _ = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    mine, actor = accounts.log_in(parts, "Ana", PASSWORD, HOME)
    with pytest.raises(Invalid):
        second_factor.begin(parts, actor, "wrong")
    with pytest.raises(Conflict):
        second_factor.confirm(parts, actor, "123456")
    second_factor.begin(parts, actor, PASSWORD)
    accounts.log_in(parts, "Ana", PASSWORD, HOME)  # It does not count yet.
    with pytest.raises(Invalid):
        second_factor.confirm(parts, actor, app_code(parts, ana, 5))
    _, fresh = second_factor.confirm(parts, actor, app_code(parts, ana))
    assert [accounts.session_actor(parts, cookie) is None for cookie in (other, mine, fresh)] == [True, True, False]
    with pytest.raises(Conflict):
        second_factor.begin(parts, actor, PASSWORD)
    assert second_factor.show(parts, actor)["pending"] is None
    for one in (CLI, Actor("token", str(ana["id"]), "x")):
        with pytest.raises(Forbidden):
            second_factor.show(parts, one)


@on_sqlite
def test_new_codes_make_the_former_void_and_removal_needs_a_code(parts: Parts, ana: Any, codes: list[str]) -> None:
    actor = actor_of(ana, parts)
    fresh = second_factor.new_codes(parts, actor, codes[0])
    assert not set(fresh) & set(codes)
    for wrong in (codes[1], "000000"):
        with pytest.raises(Invalid):
            second_factor.remove(parts, actor, wrong)
    cookie = second_factor.remove(parts, actor, fresh[0])
    assert accounts.session_actor(parts, cookie) is not None
    accounts.log_in(parts, "Ana", PASSWORD, HOME)
    with read() as session:
        assert session.scalars(select(RecoveryCode)).all() == []


def test_reset_is_for_an_admin_of_all_of_the_persons_sites_and_ends_their_sessions(
    parts: Parts, people: Any, ana: Any, codes: list[str]
) -> None:
    cookie, _ = second_factor.finish_log_in(parts, ticket(parts), app_code(parts, ana), HOME)
    stranger = accounts.authenticate_token(parts, people.tokens["stranger"])
    with pytest.raises(NotFound):
        second_factor.reset(parts, stranger, ana["id"])
    accounts.change_moderator(parts, CLI, ana["id"], roles={"other": "viewer"})
    with pytest.raises(Forbidden):
        second_factor.reset(parts, stranger, ana["id"])
    with pytest.raises(Conflict):
        second_factor.reset(parts, Actor("moderator", str(ana["id"]), "Ana", {None: CLI.roles[None]}), ana["id"])
    assert second_factor.reset(parts, CLI, ana["id"])
    assert not second_factor.reset(parts, CLI, ana["id"])
    assert accounts.session_actor(parts, cookie) is None
    accounts.log_in(parts, "Ana", PASSWORD, HOME)
    with read() as session:
        query = select(AuditLine.data).where(AuditLine.action == "moderator.second_factor").order_by(AuditLine.seq)
        assert list(session.scalars(query)) == [{"is": "on"}, {"is": "reset"}]


@on_sqlite
def test_secret_of_one_does_not_open_for_another(parts: Parts, ana: Any, codes: list[str]) -> None:
    bea = accounts.add_moderator(parts, CLI, "Bea", PASSWORD, "viewer", "news")
    _, actor = accounts.log_in(parts, "Bea", PASSWORD, HOME)
    second_factor.begin(parts, actor, PASSWORD)
    second_factor.confirm(parts, actor, app_code(parts, bea))
    with write() as session:
        sealed = session.scalar(select(SecondFactor.secret_sealed).where(SecondFactor.id == bea["id"]))
        session.execute(update(SecondFactor).where(SecondFactor.id == ana["id"]).values(secret_sealed=sealed))
    with pytest.raises(Exception, match="was changed or belongs elsewhere"):
        second_factor.finish_log_in(parts, ticket(parts), "000000", HOME)


@on_sqlite
def test_list_of_moderators_tells_who_has_one(parts: Parts, people: Any, ana: Any, codes: list[str]) -> None:
    accounts.add_moderator(parts, CLI, "Bea", PASSWORD, "viewer", "news")
    found = accounts.list_moderators(parts, CLI)["items"]
    assert {one["name"]: one["second_factor"] for one in found} == {"Ana": True, "Bea": False}
