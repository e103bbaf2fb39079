"""What the documentation names exists: commands, options, settings, addresses, files, events, keys."""

import re
import shlex
import subprocess
from datetime import timedelta
from pathlib import Path

import click
from flask import Flask

from moderation import gunicorn_conf
from moderation.adapters import passwords, safe_http
from moderation.adapters.scorers import client, reading
from moderation.cli import main
from moderation.domain import identity, notice, scorer, webhook
from moderation.domain.comment import EVENTS, Action, State
from moderation.domain.scorer import Kind
from moderation.domain.site import SiteSettings, setting_names
from moderation.scoring import automod, automod_reader, literals
from moderation.scoring.pipeline import SIGNALS
from moderation.scoring.words import MAX_PATTERNS
from moderation.services import (
    accounts,
    deliver,
    idempotency,
    mailing,
    moderate,
    notices,
    scorers,
    scorings,
    sites,
    threads,
    trials,
    word_lists,
)
from moderation.settings import Settings
from moderation.storage.models import MAX_LIST_CHARS, RULE_KINDS
from moderation.web import health
from tests.docs.conftest import PAGES, ROOT, blocks

SETTINGS = ROOT / "settings.example.env"
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def commands_of(text: str) -> list[list[str]]:
    """Every ``moderation ...`` that a page shows, in code, as words."""
    found = []
    for line in text.splitlines():
        pieces = re.findall(r"`moderation ([^`]+)`", line)
        match = re.match(r"(?: {4}|#\s+)(?:\S*bin/|docker compose run --rm )?(?:moderation|web) (.+)", line)
        for piece in pieces + ([match[1]] if match else []):
            found.append(shlex.split(piece, comments=True))
    return found


def complaint(words: list[str]) -> str:
    """What is wrong with a command, or nothing."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        below = command.get_command(click.Context(command), rest[0])
        if below is None:
            return f"no command {' '.join(words)}"
        command, rest = below, rest[1:]
    known = {name for option in command.params for name in option.opts} | {"--help"}
    unknown = [word for word in rest if word.startswith("--") and word not in known]
    return f"{' '.join(words)}: no {unknown}" if unknown else ""


def test_name_every_command_shown_exists_with_its_options(page: Path) -> None:
    """No page tells anybody to type what the program does not know."""
    commands = commands_of(page.read_text(encoding="utf-8"))
    assert [found for found in map(complaint, commands) if found] == []


def test_find_commands_in_pages_finds_many() -> None:
    """The search of the test above finds what it is to check."""
    found = {" ".join(words[:2]) for page in PAGES for words in commands_of(page.read_text(encoding="utf-8"))}
    assert {"site add", "webhook replay", "keys rotate", "audit verify", "rule test"} <= found
    assert complaint(["site", "paint", "news"])
    assert complaint(["site", "add", "news", "--colour", "red"])


def test_name_every_setting_shown_exists(page: Path) -> None:
    """A ``MODERATION_`` name on a page is a setting, or the general form of one."""
    known = set(re.findall(r"^#(MODERATION_[A-Z_]+)=", SETTINGS.read_text(encoding="utf-8"), re.MULTILINE))
    shown = {name.removesuffix("_FILE") for name in re.findall(r"MODERATION_[A-Z_]+", page.read_text(encoding="utf-8"))}
    assert shown - known - {"MODERATION_", "MODERATION_NAME"} == set()


def test_follow_internal_links_reach_files(page: Path) -> None:
    """No link or picture leads nowhere."""
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_call_addresses_shown_are_in_the_document(page: Path, sqlite_app: Flask) -> None:
    """Every address under /api, and every one for feeds and forms, is one that the service has."""
    document = sqlite_app.test_client().get("/openapi.json").get_json()
    known = {re.sub(r"\{[^}]*\}", "*", path) for path in document["paths"]}
    shown = re.findall(r"/(?:api/v1|sites)/[\w{}$./-]+", page.read_text(encoding="utf-8"))
    general = {"/api/v1/webhooks", "/api/v1/queue"}
    for path in shown:
        plain = re.sub(r"\{[^}]*\}|\$[A-Z]+|(?<=/sites/)\w+", "*", path.rstrip("/."))
        assert plain in known | general, path


def test_list_options_and_kinds_of_scorers_are_all_there_with_their_limits() -> None:
    """The tables of the page on scorers are the code's."""
    section = page_of("scoring.md").partition("## External scorers")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", section, re.MULTILINE)
    assert {name for name, _, _ in rows} == {*scorer.OPTIONS, *scorer.Kind}
    names = {"all": set(scorer.Kind), "all but OpenAI's": {Kind.HTTP, Kind.PERSPECTIVE, Kind.AKISMET}}
    names["OpenAI's"] = {Kind.OPENAI_MODERATION, Kind.OPENAI_CHAT}
    for name, kinds, _ in rows:
        if name in scorer.OPTIONS:
            told = names.get(kinds, {Kind(kind) for kind in re.findall(r"`(\w+)`", kinds)})
            assert told == scorer.OPTIONS[name].kinds, name
    defaults = {name: default for name, _, default in rows}
    assert (defaults["thresholds"], defaults["max_weight"]) == (f"{scorer.THRESHOLD} each", f"{scorer.MAX_WEIGHT}")
    text = " ".join(section.split())
    numbers = {2: "two", 4: "four", 5: "five", 8: "eight", 9: "nine"}
    for told in (
        f"up to {numbers[scorers.MAX_SCORERS]} servers",
        f"(up to {scorer.MAX_DEADLINE_MS})",
        f"After {numbers[client.FAILURES]} failures in a row a process leaves a scorer alone for {client.REST_S:.0f} s",
        f"tries {numbers[len(scorer.WAITS_S) + 1]} times in about {numbers[round(sum(scorer.WAITS_S) / 3600)]} hours",
        f"up to {numbers[reading.MAX_EVIDENCE]} sentences",
    ):
        assert told in text, told
    assert f"asks a scorer {numbers[scorings.AT_ONCE]} questions" in " ".join(page_of("operate.md").split())


def test_name_make_targets_exist(page: Path) -> None:
    """``make ...`` names a target."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"^ {4}make ([a-z]+)", text, re.MULTILINE)) | set(re.findall(r"`make ([a-z]+)", text))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named - targets == set()


def test_list_settings_of_a_site_are_all_there_with_their_defaults() -> None:
    """The table of a site's settings is the code's."""
    table = re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", (ROOT / "docs/integrate.md").read_text(), re.MULTILINE)
    words = {True: "on", False: "off"}
    defaults = SiteSettings()
    expected = {name: getattr(defaults, name) for name in setting_names()}
    assert dict(table) == {
        name: words[value] if isinstance(value, bool) else str(value) for name, value in expected.items()
    }


def test_list_events_are_all_there() -> None:
    """The table of events is the code's."""
    text = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)) == {*EVENTS, webhook.PING}


def test_tell_retry_schedule_as_it_is() -> None:
    """The waits on the page are those of the code."""
    text = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
    sentence = text[text.index("Anything but 2xx") : text.index("ten tries")]
    units = {"s": 1, "min": 60, "h": 3600}
    waits = [int(n) * units[unit] for n, unit in re.findall(r"(\d+) (s|min|h)\b", sentence)]
    assert tuple(waits) == webhook.SCHEDULE_S[1:]
    assert len(webhook.SCHEDULE_S) == 10


def test_list_keys_of_the_console_are_all_there() -> None:
    """The table of keys is the console's own list."""
    rows = "".join(re.findall(r"^\| `.*$", page_of("moderate.md").partition("| key | does |")[2], re.MULTILINE))
    shown = set(re.findall(r"`(.)`", rows))
    console = (ROOT / "moderation/web/templates/console/_parts.html").read_text(encoding="utf-8")
    listed = set(re.findall(r"<kbd>(.)</kbd>", console))
    assert len(listed) > 10
    assert listed <= shown


def test_name_states_actions_and_rule_kinds_all() -> None:
    """Moderators find every state, action and kind of rule on their page."""
    text = page_of("moderate.md")
    assert [state for state in State if state not in text] == []
    assert [action for action in Action if action not in text] == []
    assert [kind for kind in RULE_KINDS if f"`{kind}`" not in text] == []
    assert len(SIGNALS) >= 12


def test_show_receivers_as_they_are_tested() -> None:
    """The receivers on the page are the files."""
    (python,) = blocks(ROOT / "docs/webhooks.md", "python")
    (node,) = blocks(ROOT / "docs/webhooks.md", "js")
    assert python == (ROOT / "docs/examples/receiver.py").read_text(encoding="utf-8")
    assert node == (ROOT / "docs/examples/receiver.mjs").read_text(encoding="utf-8")


def test_read_shell_blocks_are_valid_shell(page: Path) -> None:
    """No block stops half-way through a quote."""
    for block in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        assert done.stderr == ""


def page_of(name: str) -> str:
    """A page of docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_tell_limits_as_they_are() -> None:
    """Numbers in the text are those of the code."""
    told = {
        "integrate.md": [
            f"each brings up to {threads.REPLIES_PER_ROOT} replies",
            f"first answer again for {hours(idempotency.KEPT)} hours",
            f"Up to {threads.MAX_COUNTED_THREADS} a page and site",
            f"nor above {times(notices.ASKED_OF_ADDRESS)} questions a day to one address, "
            f"{times(notices.ASKED_BY_NETWORK)} an hour from one network, "
            f"and {times(notices.ASKED_BY_SITE)} an hour from one site",
        ],
        "webhooks.md": [
            f"at most {deliver.MAX_ENDPOINTS} endpoints",
            f"For {hours(webhook.ROTATION)} hours each delivery carries two signatures",
            f"only failed for {webhook.FAILING_LIMIT.days} days",
            f"up to {webhook.JITTER_SHARE * 100:.0f} % longer",
            f"up to {webhook.RETRY_AFTER_MAX_S / 3600:.0f} h, never shorter",
            f"The first {safe_http.MAX_BODY_BYTES // 1000} kB",
            f"({Settings.__dataclass_fields__['webhook_timeout_s'].default:.0f} s in all",
        ],
        "moderate.md": [
            f"up to {moderate.MAX_BULK}; the answer",
            f"at least {passwords.MIN_CHARS} characters",
            f"at most {sites.MAX_RULES['pattern']} a site",
            f"{literals.MAX_ENTRIES:,} entries of up to {literals.MAX_ENTRY_CHARS} characters",
            f"a site together {word_lists.MAX_ENTRIES_OF_SITE:,}, in up to {word_lists.MAX_LISTS} lists",
            f"up to {MAX_LIST_CHARS:,} characters",
            f"up to {trials.MAX_EXAMPLES} examples",
            f"after {trials.MAX_SECONDS:.0f} seconds it stops",
            f"{automod_reader.MAX_RULES} rules, {automod_reader.MAX_VALUES:,} values, {MAX_PATTERNS} expressions",
            *(f"`{action}` |" for action in automod.ACTIONS),
        ],
        "operate.md": [
            f"heard of within {health.HEARTBEAT_LIMIT.seconds} s",
            f"is being answered has {gunicorn_conf.graceful_timeout} seconds",
            f"there are {len(notice.WAITS_S) + 1} tries in about {sum(notice.WAITS_S) // 3600} hours",
            f"after {notice.STALE_AFTER.days} days it is dropped",
            f"for {mailing.REST_S:.0f} seconds at a time",
            f"at most {times(mailing.MAILS_TO_ADDRESS)} mails an hour",
        ],
        "privacy.md": [
            f"| {notice.CONFIRM_WITHIN.days} days, unless its owner confirms it",
            f"| {notice.STOPPED_FOR.days} days, in which nobody can have it asked again",
            f"{Settings.__dataclass_fields__['mail_days'].default} days, `MODERATION_MAIL_DAYS`",
            f"/{identity.IPV4_PREFIX} of IPv4, /{identity.IPV6_PREFIX} of IPv6",
            f"the first {accounts.HINT_CHARS} characters",
            f"({Settings.__dataclass_fields__['session_hours'].default} hours, `MODERATION_SESSION_HOURS`)",
            f"an `Idempotency-Key` ({hours(idempotency.KEPT)} hours",
        ],
        "design-notes.md": [f"at most {deliver.RUN_DELIVERIES} deliveries and {deliver.RUN_S:.0f} seconds"],
    }
    pages = {name: " ".join(page_of(name).split()) for name in told}
    assert [(name, text) for name, texts in told.items() for text in texts if text not in pages[name]] == []


def test_read_rules_in_yaml_shown_are_rules() -> None:
    """The example of rules is taken as it stands."""
    (example,) = blocks(ROOT / "docs/moderate.md", "yaml")
    assert len(automod_reader.read_automod(example).rules) == 3


def times(limit: str) -> int:
    """How often, by the first part of a rate limit."""
    return int(limit.partition("/")[0])


def hours(time: timedelta) -> int:
    """Whole hours."""
    return int(time.total_seconds() // 3600)


def test_show_what_make_run_prints_has_its_lines() -> None:
    """Each line that the README shows of the demo's start is one that it prints."""
    (printed,) = blocks(ROOT / "README.md", "text")
    source = (ROOT / "moderation/cli/demo.py").read_text(encoding="utf-8")
    labels = [re.split(r"\s{2,}", line.strip())[0] for line in printed.splitlines()]
    assert len(labels) == 5
    assert [label for label in labels if label not in source] == []
