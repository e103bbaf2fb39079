"""``moderation``: one program for everything that is not a request.

Exit status 0, 1 (failed) or 2 (wrong usage); errors are one clear line on standard error. Commands build the
application only when they run, so that ``--help`` is quick and ``init`` works before there are keys.
"""

import click

from moderation import __version__
from moderation.cli import (
    access,
    backups,
    install,
    learned,
    mail,
    privacy,
    rescoring,
    rules,
    running,
    scorers,
    scoring,
    sign_on,
    sites,
    transfer,
    upkeep,
    webhooks,
)
from moderation.cli.program import Program


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="moderation")
def main() -> None:
    """Self-hosted comment moderation.

    Settings are environment variables, MODERATION_<NAME> or MODERATION_<NAME>_FILE; settings.example.env has all of
    them. Start with 'moderation init', or with 'moderation demo' for a first look.
    """


for command in (
    install.init,
    install.db,
    running.serve,
    running.worker,
    running.demo,
    sites.site,
    access.token,
    access.moderator,
    webhooks.webhook,
    sign_on.sso,
    rules.rule,
    scorers.scorer,
    learned.learned,
    mail.mail,
    scoring.score,
    rescoring.rescore,
    rescoring.regroup,
    privacy.privacy,
    transfer.import_,
    transfer.export,
    backups.make_backup,
    backups.put_back,
    upkeep.keys,
    upkeep.audit,
    upkeep.check,
):
    main.add_command(command)
