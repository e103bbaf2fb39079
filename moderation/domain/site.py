"""A site's settings: names, defaults and limits. Pure.

They are stored as what differs from the defaults, shown and changed by the admin API, the console and
``moderation site set KEY NAME=VALUE``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from limits import parse_many

from moderation.domain import raid
from moderation.domain.policy import Policy
from moderation.domain.proof import Demand
from moderation.domain.sign_on import Mode
from moderation.errors import Invalid


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Settings of one site. Rates are written as ``10/minute;100/hour``; ``none`` lifts the limit.

    0 days: until somebody erases it. Nothing goes by itself unless a site says so, since nothing of it comes back.
    """

    policy: str = "hold"
    approve_below: float = 0.2
    spam_from: float = 0.9
    auto_spam: bool = False
    learning: bool = True
    open_threads: bool = True
    require_email: bool = False
    sso: str = "off"
    erase_texts: bool = True
    keep_addresses_days: int = 0
    keep_networks_days: int = 0
    keep_refused_days: int = 0
    max_chars: int = 10_000
    max_depth: int = 4
    edit_window_s: int = 900
    votes: bool = False
    reports: bool = True
    reply_notices: bool = False
    submit_rate: str = "10/minute;100/hour"
    report_rate: str = "20/hour"
    vote_rate: str = "60/minute"
    preview_rate: str = "60/minute"
    raid_mode: str = "auto"
    raid_at: int = 60
    raid_quiet_s: int = 600
    slow_mode_s: int = 60
    proof_of_work: str = "off"
    proof_bits: int = 18
    akismet: bool = False
    perspective: bool = False
    scorer_rate: str = "600/minute"

    def decision_policy(self) -> Policy:
        """The part that decides on comments."""
        return Policy(
            mode=self.policy, approve_below=self.approve_below, spam_from=self.spam_from, auto_spam=self.auto_spam
        )


_DEFAULTS = asdict(SiteSettings())
RANGES: dict[str, tuple[float, float]] = {
    "approve_below": (0, 1),
    "spam_from": (0, 1),
    "max_chars": (1, 10_000),
    "max_depth": (1, 10),
    "edit_window_s": (0, 86_400),
    "keep_addresses_days": (0, 3_650),
    "keep_networks_days": (0, 3_650),
    "keep_refused_days": (0, 3_650),
    "raid_at": (10, 100_000),
    "raid_quiet_s": (60, 86_400),
    "slow_mode_s": (0, 3_600),
    "proof_bits": (8, 24),
}
"""Least and most of each setting that is a number."""

CHOICES: dict[str, tuple[str, ...]] = {
    "policy": ("hold", "auto"),
    "sso": tuple(Mode),
    "raid_mode": tuple(raid.Mode),
    "proof_of_work": tuple(Demand),
}
"""The settings that are one of a few words."""

_WORDS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def site_settings(stored: Mapping[str, Any]) -> SiteSettings:
    """The settings of a site from what is stored; names that this version does not know are passed over."""
    return SiteSettings(**{name: value for name, value in stored.items() if name in _DEFAULTS})


def changed_settings(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What to store after ``changes`` (values as JSON or, from a command line, as text).

    Raises ``Invalid`` naming ``settings.<name>`` for an unknown name or a value that does not fit.
    """
    values = {**_DEFAULTS, **stored}
    problems: dict[str, list[str]] = {}
    for name, value in changes.items():
        try:
            values[name] = _fitting(name, value)
        except ValueError as error:
            problems[f"settings.{name}"] = [str(error)]
    if values["approve_below"] > values["spam_from"]:
        problems["settings.approve_below"] = ["It may not be above spam_from."]
    if problems:
        raise Invalid(problems)
    return {name: value for name, value in values.items() if _DEFAULTS.get(name) != value}


def setting_names() -> tuple[str, ...]:
    """The names of all settings of a site."""
    return tuple(f.name for f in fields(SiteSettings))


def _fitting(name: str, value: Any) -> Any:
    if name not in _DEFAULTS:
        raise ValueError(f"Unknown setting. Known are: {', '.join(_DEFAULTS)}.")
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"It is one of: {', '.join(CHOICES[name])}.")
    if name.endswith("_rate"):
        return _rate(value)
    default = _DEFAULTS[name]
    if isinstance(default, bool):
        return _truth(value)
    if isinstance(default, int | float):
        return _number(name, value, whole=isinstance(default, int))
    return value


def _truth(value: Any) -> bool:
    known = _WORDS.get(str(value).lower())
    if known is None:
        raise ValueError("It is 'on' or 'off'.")
    return known


def _number(name: str, value: Any, *, whole: bool) -> float:
    low, high = RANGES[name]
    message = f"It is a {'whole ' if whole else ''}number from {low:g} to {high:g}."
    try:
        number = int(str(value)) if whole else float(str(value))
    except ValueError:
        raise ValueError(message) from None
    if not low <= number <= high:
        raise ValueError(message)
    return number


def _rate(value: Any) -> str:
    if value == "none":
        return "none"
    try:
        parse_many(str(value))
    except ValueError:
        raise ValueError("It is 'none', or like '10/minute' or '10/minute;100/hour'.") from None
    return str(value)
