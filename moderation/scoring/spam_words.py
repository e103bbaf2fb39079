"""Kinds of words by what they do in a spammer's sentence, and how any link, number or year is read as one word.

"Check out my channel" has an asking word, a "my" and a place of one's own, in a row. Words that do the same work are of
one kind, so that the model knows a pair of kinds also with words that it never saw together. A word is of one kind, the
first that lists it. Training and run time share this file: a change here needs a new model.
"""

import re
from collections.abc import Iterator, Sequence

NEAR = 3
"""Words of a kind are a pair if the second is at most so many words after the first."""

_KINDS = {
    "asks": """
        check checkout chk visit click clik follow join watch listen download buy order vote sign claim register
        contact message msg dm add support donate whatsapp call text txt email reply send search google try grab
        apply hit tap view see look come go peep spread
    """,
    "likes": "share sharing repost retweet like likes liked thumb thumbs upvote comment comments rate",
    "trades": "sub subs subbed subbing sub4sub subasub f4f faf l4l lal follow4follow followafollow like4like likealike",
    "mine": "my our mine me us meh myself ours mah",
    "own": """
        channel channels chanel chanell chhanel chanal channal chanels vid vids video videos vidios vidio page site
        website web blog vlog vlogs music song songs cover covers remix remixes mixtape mixtapes album albums single
        shop store app profile group playlist track tracks beat beats rap raps podcast stream streams server link
        links bio game games gameplay gaming account band work stuff content freestyle clip clips lyrics ep
    """,
    "platform": """
        youtube yt facebook fb instagram insta ig twitter tiktok telegram snapchat snap discord soundcloud twitch
        skype paypal cashapp venmo kik onlyfans patreon gofundme kickstarter spotify itunes ebay amazon etsy fiverr
        linkedin tumblr pinterest vk myspace reddit wechat viber mailchimp
    """,
    "offers": """
        free win winner won winning prize prizes offer offers deal deals discount coupon voucher gift gifts giveaway
        bonus bonuses cheap cheapest guarantee guaranteed promo promotion sale wholesale bargain limited exclusive
        instant instantly unlimited trial reward rewards lowest affordable hurry nulled cracked generator hack hacks
        cheats skins vbucks robux iphone ipad xbox
    """,
    "money": """
        cash earn earned earning earnings earns income profit profits profitable payout payouts withdraw withdrew
        withdrawal money dollars usd paid payment salary rich millionaire financially freedom passive hourly weekly
        monthly euros pounds bucks
    """,
    "finance": """
        loan loans lender lenders lending credit bitcoin btc crypto cryptocurrency ethereum eth forex trading trader
        traders trade broker brokers invest invested investing investment investments investor investors binary
        wallet mining nft nfts signals portfolio debt mortgage refinance payday altcoin usdt dogecoin funds recovery
    """,
    "cures": """
        viagra cialis levitra pills pill xanax tramadol kamagra steroids cbd kratom keto detox supplement
        supplements herbal herbs spell spells caster herpes cure cured enlargement slimming psychic illuminati
        astrologer voodoo priest healer
    """,
    "dating": """
        dating singles hookup hookups escort escorts webcam cam cams nude nudes porn xxx milf sexy hot horny lonely
        meet flirt erotic sugar
    """,
    "betting": """
        casino casinos poker slots slot jackpot betting bet bets sportsbook lottery roulette blackjack gambling
    """,
    "services": """
        seo backlinks backlink traffic ranking rankings replica replicas watches handbags essay essays assignment
        assignments dissertation thesis writing writers diploma degree certificate passport passports license
        licences outlet jerseys hosting domain leads marketing affiliate dropshipping agency services hacker hackers
        iptv subscription supplier manufacturer
    """,
    "begs": """
        please pls plz plzz pleaz pleasee plss pleas plse help chance favor favour minute second thanks thank
        appreciate grateful sorry dream dreams famous talent talented promise desperate struggling pray prayer god
        bless mercy honest feedback opinion
    """,
    "greets": """
        hey hi hello guys everyone everybody dear friends friend folks people yo sup attention fam viewers anyone
        bro
    """,
    "audience": "subscriber subscribers followers fans views viewer view fan supporters",
    "makes": """
        new latest first own just started starting upload uploaded uploading uploads posted posting post released
        dropping daily make makes making made create created launched
    """,
    "self": "i im i'm ive i've ill i'll we we're we've id i'd",
    "reader": "you your u ur you're yall y'all ya you'll",
    "if": "if when while cuz because",
    "back": "back return too",
    "subscribes": "",
    "link": "",
    "digits": "",
    "year": "",
}
"""Kinds of words by what they do in a sentence. The last ones are known by their form."""

KINDS = ("", *_KINDS)
"""The kinds, by number; 0 is none."""

(
    NONE, ASKS, LIKES, TRADES, MINE, OWN, PLATFORM, OFFERS, MONEY, FINANCE, CURES, DATING, BETTING,
    SERVICES, BEGS, GREETS, AUDIENCE, MAKES, SELF, READER, IF, BACK, SUBSCRIBES, LINK, DIGITS, YEAR,
) = range(len(KINDS))  # fmt: skip

_KIND_OF: dict[str, int] = {}
for _number, _words in enumerate(_KINDS.values(), 1):
    for _word in _words.split():
        _KIND_OF.setdefault(_word, _number)

_SUBSCRIBE = re.compile(r"s[uo]{1,2}[bsck]{2,5}(?:ri|ir|r|i)[bcv]|subsc(?!ript)")


def plain_word(token: str) -> str:
    """Any link as one word, any number by its length, any year: the figures themselves say nothing."""
    if token.startswith(("http:", "https:", "www.")):
        return "<link>"
    if token.isdecimal():
        return "<year>" if len(token) == 4 and token.startswith("20") else f"<{len(token)} digits>"
    return token


def kind_of(word: str) -> int:
    """The kind of a plain word; 0 for none. Subscribing is known in many spellings."""
    kind = _KIND_OF.get(word, 0)
    if kind or word[:1] not in {"s", "<"}:
        return kind
    if word[0] == "<":
        return {"<link>": LINK, "<year>": YEAR}.get(word, DIGITS)
    if _SUBSCRIBE.match(word):
        return AUDIENCE if "er" in word[6:] else SUBSCRIBES
    return 0


def kind_pairs(marked: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Words of a kind that follow each other closely: both places, and the row of the pair. ``marked``: place, kind."""
    before, kind_before = -NEAR - 1, 0
    for at, kind in marked:
        if at - before <= NEAR:
            yield before, at, kind_before * len(KINDS) + kind
        before, kind_before = at, kind
