"""Our own spam and what looks like it and is none: kinds of spam that the collections lack, and a newspaper's look-alikes."""

# ruff: noqa: E501

SPAM = """
I made {sum} last month working from home, see {place};Earn {sum} a week from home, no experience needed: {place}
My cousin makes {sum} an hour on the laptop, read more here {place};Investing with {name} changed my life, I withdrew {sum}, contact on WhatsApp {phone}
I recovered my lost bitcoin thanks to {name}, write to {mail};Double your crypto in a week, join our Telegram {place}
Do you need a loan at 3%? Apply now at {mail};Get a loan of up to {sum} today, no credit check, call {phone}
A spell caster brought my husband back in two days, email {mail};Dr {name} cured my herpes with herbs, contact him at {mail}
Cheap viagra and cialis without prescription {place};Buy pills online, best price, fast delivery {place}
Best online casino, {sum} welcome bonus, play now {place};Bet on football with us and win {sum} {place}
Buy real followers and likes, cheap and fast: {place};We write your essay, cheap, original, on time {place}
Hot singles near you are waiting, join free {place};Meet sexy girls tonight at {place};Cheap replica watches and handbags, free shipping {place}
SEO services from {sum} a month, first page guaranteed, write to {mail};I read your blog and it is great, please visit mine {place}
Great article! I also write about this at {place};Nice post, thanks for sharing. Visit my website {place}
Congratulations, you won a prize of {sum}, claim it now: {place};Your parcel could not be delivered, pay the fee here {place}
Check out my new video on my channel please;Please subscribe to my channel, I make covers and music videos;Sub to me and I will sub back
Hey guys, check out my channel, I just started, please give me a chance;Like this comment if you agree;Thumbs up if you are still here this year
Like this comment for no reason;Like if you are reading this in {year};Give this a like so that everybody can see it
Help me get {sum} subscribers by Friday;Come and see my page, link in my profile;Follow me on Instagram, I follow back
Download my new single for free at {place};Listen to my track and tell me what you think {place};Search for {name} and hear the best new rapper
Support my campaign, every share helps {place};Vote for {name} here {place};Please donate to my fund {place}
Join my server and get free skins {place};Watch the full movie free in HD here {place};{place};look at this {place};see my profile
"""

HAM = """
I subscribe to this paper and I expect better.;Check the facts before you print this.;Please follow the story up next week.;Follow the money, as they say.
I would like this comment section to stay open.;I like this article because it names its sources.;I watched the video of the debate, and she is right.
My website was down too, the whole exchange was.;Our page in the school bulletin was cut.;The council spent {sum} on a website that nobody visits.
The loan of {sum} was never paid back, the auditors say.;He won {sum} in the lottery and gave it away.;Call the hotline if your meter is broken.
Visit the museum on Sunday, it is free.;Buy local and the shop will stay.;The bank gave credit to anybody with a pulse.;Bitcoin is a bubble, and I have said so since {year}.
The casino will ruin the lake shore.;Sex workers need a union, not a ban.;Viagra was found by accident, the article should say so.
See the minutes: {news};Here is the study that the author means: {news};{news} says the opposite.;The figures are here {news};Source: {news}
This was reported in {year} already, see {news};Please correct the date, it was {year}.;My phone bill rose by {sum} a year.
I shared this with my class.;Support your library, it costs {sum} a head.;Thanks for the great article, I learned a lot.;Great post.;Nice picture.;I agree.;Thank you!
Please vote on Sunday, whoever you vote for.;Sign the petition at the town hall if you care.;Send your objections to the council by June.;Watch the price of gas this winter.
I write for a living and this is well written.;The channel tunnel cost far more.;The new video surveillance will not help.;Their album of {year} was better.
The free bus is full of tourists.;It is cheap to blame the driver.;You get what you pay for.;She earned {sum} in {year} and paid no tax.
"""

FILLERS = {
    "sum": ("$5,000", "$87", "£300", "€9500", "3000 dollars", "1000", "$12k"),
    "place": (
        "http://bit.example/3xYz", "www.easymoney.example", "easy-cash-now.com", "https://best-shop.example/?ref=77", "myblog . com",
        "https://t.me.example/profits", "http://youtube.example/user/newstar", "coolstuff.net", "gofund.example/help-me", "superdeals dot com",
    ),
    "name": ("Mrs Helen Brook", "Marc T", "Odion", "Young Prez", "Anna Lisa"),
    "phone": ("+1 202 555 0143", "+44 7700 900123", "0800 555 0199"),
    "mail": ("quickloans@mail.example", "helpdesk77@post.example", "drgood@inbox.example"),
    "year": ("2015", "2018", "2021", "2024"),
    "news": (
        "https://www.news.example/2021/05/budget", "http://gazette.example/article/9912", "https://www.statistics.example/t/7.pdf",
        "https://en.encyclopedia.example/wiki/Tax", "https://www.paper.example/opinion/2019/jan/05/x",
    ),
}  # fmt: skip

EACH = 6
"""Sentences made of a template that has a gap."""


def spam() -> list[str]:
    """Our spam."""
    return _made(SPAM)


def ham() -> list[str]:
    """Our look-alikes."""
    return _made(HAM)


def _made(block: str) -> list[str]:
    templates = [part.strip() for line in block.strip().splitlines() for part in line.split(";") if part.strip()]
    return [text for number, template in enumerate(templates) for text in _filled(template, number)]


def _filled(template: str, number: int) -> list[str]:
    if "{" not in template:
        return [template]
    return [
        template.format_map({name: values[(number + turn) % len(values)] for name, values in FILLERS.items()})
        for turn in range(EACH)
    ]
