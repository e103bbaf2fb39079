"""The demo site's articles and comments, as plain data: an invented town, invented people, no Flask.

The comments show a moderator's day: kind ones, heated ones, abuse, spam, spam in disguise, nine languages,
three scripts. The abusive ones are mild on purpose. Every address is at ``example.org``, which nobody can own.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypedDict, Unpack

WORDS_PER_MINUTE = 200
"""The usual pace of silent reading of news; half a minute counts as one."""

Decision = Literal["approve", "reject", "spam", "escalate"]
"""What the demo's moderator may have done: a name of ``domain.comment.Action``."""

SITE_KEY = "demo"
SITE_NAME = "The Aldermouth Ledger"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of an article: ``kind`` is ``p`` (paragraph), ``h`` (subhead) or ``q`` (a "
    "pulled quotation)."""

    kind: Literal["p", "h", "q"]
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """One article. ``slug`` is its path and the key of its thread."""

    slug: str
    section: str
    headline: str
    standfirst: str
    byline: str
    published: date
    blocks: tuple[Block, ...]

    @property
    def words(self) -> int:
        """The number of words of the body."""
        return sum(len(block.text.split()) for block in self.blocks)

    @property
    def reading_minutes(self) -> int:
        """The reading time in whole minutes, at least 1."""
        return max(1, round(self.words / WORDS_PER_MINUTE))


@dataclass(frozen=True, slots=True)
class DemoComment:
    """One comment as a reader sent it, and what a moderator of the demo did with it.

    ``parent`` is an index into ``COMMENTS`` (always an earlier one, of the same article) or None. ``decision`` is
    the action taken, or None where it still waits. ``filled_in_ms`` and ``website_confirm`` (the honeypot) are what
    the form would have sent. ``minutes_ago`` is its age when the demo is first set up.
    """

    article: str
    author: str
    email: str
    body: str
    parent: int | None = None
    decision: Decision | None = None
    url: str | None = None
    filled_in_ms: int = 24_000
    website_confirm: str = ""
    minutes_ago: int = 60


def _blocks(text: str) -> tuple[Block, ...]:
    """Read blocks apart by blank lines: ``## `` begins a subhead, ``> `` a quotation."""
    marks: dict[str, Literal["h", "q"]] = {"## ": "h", "> ": "q"}
    blocks = []
    for chunk in text.strip().split("\n\n"):
        line = " ".join(chunk.split())
        mark = next((mark for mark in marks if line.startswith(mark)), "")
        blocks.append(Block(marks[mark] if mark else "p", line.removeprefix(mark)))
    return tuple(blocks)


_FERRY = """
The last boat across the Alder leaves the town steps at ten past midnight, and for the eleven people who took
it on Tuesday it was the only way home. On Wednesday evening the council decided, by nine votes to eight, that
it will still be there when they need it in March.

The vote ends three months of uncertainty for the night ferry, which has carried shift workers, musicians and
the occasional lost tourist between Aldermouth and Southbank since 1961. In August the harbour company said
that it could no longer carry the loss on its own. It asked the town for a subsidy, or for leave to tie the
boat up at eight.

## What it costs

The figures are small, as such things go, and have been argued over as if they were not. Between eight in the
evening and midnight the ferry takes in roughly ninety a night in fares and spends four times that on crew,
fuel and insurance. Over a year the gap comes to just under a hundred thousand, which is about what the town
pays to keep the Christmas lights up.

"We can afford this," said Councillor Ines Halloran, who tabled the motion. "The question was only whether we
could be bothered to." Councillor Piet Brandsma, who voted against it, said that the money would buy a minibus
outright. "A bus goes round by the bridge whether there is ice on the river or not," he told the chamber. "We
are paying for a view."

The subsidy runs until the end of March. In return the company must publish how many people travel on each
crossing, which it has never done before, and must keep to the timetable on nine nights out of ten. If it does
not, the money stops.

> We can afford this. The question was only whether we could be bothered to.

## The people on the boat

On board, few had followed the debate. Tomas Wren, who cleans the operating theatres at Southbank Infirmary,
has taken the ten-past-midnight four nights a week for six years. Without it he would walk to the bridge and
back, which takes an hour and ten minutes in good weather. "They kept calling us *users* at the meeting," he
said. "I have never used it. I go home on it."

Two seats along, Marguerite Oyelaran was carrying a cello in a case held shut with luggage straps. She plays
at the Tidal Rooms on Tuesdays and lives above the chandler's on the other side. A taxi round by the bridge
costs more than she is paid. "If the boat goes, the Tuesdays go," she said, "and I think nobody at the town
hall has noticed that those are the same thing."

The skipper, who asked not to be named because she is not supposed to talk to us, said that the boat itself is
the real worry. The *Alderman Pike* is fifty-eight years old. Her engine was rebuilt in the spring with parts
from a sister ship that no longer exists, and the next part to fail will have to be made by hand.

## What happens next

Officers will report back in February with three choices: the ferry as it is, a smaller boat that runs on
batteries, and Mr Brandsma's bus. A public meeting is planned for the second week of January, in the sail
loft, where there is room and where, as the mayor pointed out, nobody will be able to complain that they could
not get home.

The first crossing under the new arrangement was on Thursday. It left eleven minutes late, because of fog,
with nineteen people and two bicycles. By the terms of the agreement that counts as one bad night. There are
nine more to go before anybody has to worry.
"""

_OVEN = """
At four in the morning the windows of the bakery on Quay Street are the only lit ones on the waterfront, and
until this month the only person behind them was Ruth Castellane. Now there are six. They are neighbours, they
pay nothing, and they are learning to use an oven that is older than all of them.

Miss Castellane is seventy-one. She has baked for the harbour end of town since her father's hands gave out in
1984, and in the spring a doctor told her that hers were going the same way. She put a card in the window. It
did not say that the business was for sale. It said: *Wanted, people who get up early. I will show you how it
works.*

## A difficult piece of brick

The oven takes some showing. It was built in 1898 by a ship's mason with fire-brick that had come as ballast
from the Tyne, and it holds its heat for thirty hours. It has no dial. To find out how hot it is, you throw in
a pinch of flour and count. If it browns before seven, you wait. If you reach fifteen, you have waited too
long, and the town has flat rolls for breakfast.

"It has corners," said Daniel Abara, who drives a delivery van by day and was the first to answer the card.
"Back left is two minutes faster than front right. There is a place in the middle where nothing rises and
nobody knows why. You learn it like you would learn a dog."

Forty-three people came to ask. Miss Castellane chose six by a method that she will not discuss, but which is
understood to have involved watching who wiped the table. They have a rota, a group chat, and a shared fear of
the middle of the oven.

> You learn it like you would learn a dog.

## Not a charity

The arrangement is not a gift, on either side. From January the six will run the bakery as a co-operative,
each with one share and one vote. Miss Castellane keeps a seventh share and the flat upstairs. The building
belongs to the harbour trust, which has agreed to a lease of twenty years at a rent that goes up with the
price of bread, and in no other way. The trust's solicitor said that she had never drawn up such a clause
before and that she had rather enjoyed it.

What they will earn is less certain. The shop sells some four hundred loaves on a weekday and twice that on a
Saturday. Divided by six, after flour and wood, that is a part-time wage. All of them are keeping their other
jobs. Leonie Varga, a school secretary, has moved her hours so that she can be at her desk at nine with flour
in her ears.

## The hands

There is one thing that Miss Castellane cannot teach in words, and it worries her. She shapes a loaf in four
movements, so fast that the six have filmed it and played it back slowly, and they still do not agree on what
the third one is. "I turn it," she says, when asked. "You just turn it." She does it again, and they all lean
in.

On Saturday the first batch made from start to finish by somebody else went on sale, unannounced, in the
second basket from the left. It was gone by half past eight. Only one customer said anything. He told Miss
Castellane that the crust was better than it had been for years, and she told him, with every sign of
pleasure, to mind his own business.
"""

_LIBRARY = """
From Monday a library card in Aldermouth will get you a hammer drill, a sewing machine, a set of drain rods or
a telescope, for a week at a time and for nothing. The books are staying.

The idea is not new, and the chief librarian, Oluwaseun Marsh, is the first to say so. Libraries of things
have opened in dozens of towns over the past decade, and many have closed again. She has spent a year finding
out why. "They mostly did not fail because people stole the drills," she said. "They failed because somebody
had to mend the drills, and nobody had thought about who."

## Who mends the drills

In Aldermouth it will be the retired fitters of the dry dock, eleven of whom have agreed to take turns in the
old map room on Thursday mornings. Everything that comes back goes across their bench before it goes out
again. They are not paid. They asked for a kettle, a decent vice and to be left alone, and the library has
provided all three.

The collection begins with a hundred and forty objects. Most were given. The list was drawn up by asking eight
hundred households what they owned and had not touched for a year, and the answers say something about the
town: sixty-two wallpaper steamers, nineteen fondue sets, and eleven telescopes, all bought in the same month
of 1999, for the eclipse.

> Sixty-two wallpaper steamers, nineteen fondue sets, and eleven telescopes.

## The fine print

Nobody under sixteen may borrow anything with a blade. Ladders go out only with a sheet that explains, in
drawings, how people fall off them. There are no fines. If something breaks in ordinary use, that is what the
fitters are for; if it vanishes, the borrower will be asked for a fair share of the price, and until then may
go on borrowing books. "We never stop anybody from reading," said Ms Marsh. "That is a rule of mine, and I was
pleased to find that it is also a rule of the county."

Insurance was the part that took longest. Three companies declined. The fourth asked how often a public
library had been sued over a drain rod, was told that the answer was never, in any country, and wrote a policy
for less than the library spends on light bulbs.

## A telescope for a week

One of the eleven telescopes has been cleaned, aligned and put in a padded rucksack with a red torch and a map
of the sky over the estuary. It is already the most reserved object in the building, with a waiting list that
reaches into April. First on it is Ayodele Finch, who is nine and who has, according to his mother, been ready
since he was four.

Hardware shops have been polite about it. Marian Kowal, who has sold tools on Market Row for thirty years,
said that she had worried for a week and then looked through her books. "I sell perhaps four drills a year to
people who will use them once," she said. "I sell a great many drill bits to people who have just borrowed a
drill." She has offered the library a discount on both.

The map room opens at ten on Monday. Bring a card, and a bag.
"""

_GAUGE = """
For a hundred and twelve years the level of the Alder at Millbridge was written down twice a day by whoever
kept the lock. Since the first of the month it has been measured every fifteen minutes by a grey box under the
arch, and anybody with a telephone can see the result. It has already caused more argument than the floods
did.

The gauge was put in by the rivers authority after the high water of last February, when nineteen cellars in
Tanner's Row filled overnight and the only warning was a lock-keeper's torch. It sends its reading to a public
page, with a line drawn across it at two metres forty. That is the level at which the authority telephones
people. The arguments are about the line.

## Where to draw it

Residents of the Row say that the line is too high. Their first cellar takes in water at two metres
twenty-five, and a warning that comes fifteen centimetres later is, as Bettina Straub put it, "not a warning
but a news report". Mrs Straub has lived at number four since 1988 and has painted the level of every flood on
her cellar steps. There are seven marks. Five are below the official line.

Farmers upstream say that it is too low. At two metres forty the authority opens the sluice at Hob's Meadow,
and forty hectares of winter wheat go under for the sake of Tanner's Row. Last winter that happened four
times. "I do not grudge it when it is needed," said Edwin Achterberg, who grows most of the wheat. "I would
like to be sure that somebody looked out of the window first."

> Not a warning but a news report.

## What the box knows

The engineer who put it in, Farah Nadeem, sounds like a person who has been asked to referee. The box knows
one thing, she said, which is how far it is from the water. It does not know whether the water is rising, or
why, or what the wheat is worth. All of that was always somebody's judgement. What has changed is that
everybody can now watch the judgement being made.

She has proposed two lines in place of one: a lower one, at which people in the Row are told to lift things
off the floor, and a higher one for the sluice. It would cost nothing, since both are only numbers on a page.
It would also mean more warnings that come to nothing, and the authority's own rule says that people who are
warned three times for no reason do not get up for the fourth.

## The old book

The lock-keeper's ledgers, all nineteen of them, are in the county archive. A volunteer has begun to type them
in, and has got as far as 1931. One thing is clear already: the river rises faster than it used to. What took
two days in the nineteen-twenties takes fourteen hours now, and the reason is not hard to find. In between lie
the bypass, the retail park and nine hundred houses, and none of them soaks up rain.

The authority will hear both sides on the third of December. Until then the line stays where it is, and on the
public page, where the authority had rashly allowed remarks, there are four hundred of them. On Friday night
the level stood at one metre eighty-one, falling.
"""

ARTICLES: tuple[Article, ...] = (
    Article(
        slug="night-ferry",
        section="Town",
        headline="By one vote, Aldermouth keeps its night ferry for another winter",
        standfirst=(
            "The last boat home loses money every night it sails. That, the council has decided, is not the point."
        ),
        byline="Nora Vellacott",
        published=date(2026, 11, 20),
        blocks=_blocks(_FERRY),
    ),
    Article(
        slug="quay-street-oven",
        section="People",
        headline="The baker of Quay Street is teaching her oven to the neighbours",
        standfirst="It has no dial, it is 128 years old, and from January six beginners will own it together.",
        byline="Idris Fairweather",
        published=date(2026, 11, 18),
        blocks=_blocks(_OVEN),
    ),
    Article(
        slug="library-of-things",
        section="Town",
        headline="The library will lend you a drill, a ladder or the moon",
        standfirst="A hundred and forty objects, eleven retired fitters, and a waiting list for the telescope.",
        byline="Nora Vellacott",
        published=date(2026, 11, 16),
        blocks=_blocks(_LIBRARY),
    ),
    Article(
        slug="river-gauge",
        section="River",
        headline="The river has a number now, and nobody agrees what it means",
        standfirst=(
            "A grey box under Millbridge measures the Alder four times an hour. The quarrel "
            "is about one line on a chart."
        ),
        byline="Samuel Okonjo-Reyes",
        published=date(2026, 11, 13),
        blocks=_blocks(_GAUGE),
    ),
)


class _More(TypedDict, total=False):
    parent: int
    decision: Decision
    url: str
    filled_in_ms: int
    website_confirm: str
    minutes_ago: int


def _c(article: str, author: str, body: str, **more: Unpack[_More]) -> DemoComment:
    """A comment whose address is made from the author's name: equal names are one person, others are not."""
    letters = "".join(c if c.isascii() and c.isalnum() else f"{ord(c):x}" for c in author.lower() if c.isalnum())
    return DemoComment(article, author, f"{letters[:60]}@example.org", body, **more)


_ZERO_WIDTH = "\u200b"

COMMENTS: tuple[DemoComment, ...] = (
    # --- night-ferry: 0 to 17
    _c(
        "night-ferry",
        "Ana Brightwell",
        "I take the 00:10 on Fridays. Nineteen people may not sound like many, but it is "
        "*nineteen people who are home*.\n\n"
        "Thank you for going and talking to the ones on board.",
        decision="approve",
        minutes_ago=2_800,
    ),
    _c(
        "night-ferry",
        "Piers Oldacre",
        "With respect, a hundred thousand a year for eleven passengers is about 25 a head, each "
        "way. I would vote for the bus too, "
        "and I like the boat.",
        decision="approve",
        minutes_ago=2_700,
    ),
    _c(
        "night-ferry",
        "Ana Brightwell",
        "> eleven passengers\n\nThat was one Tuesday. Let us wait for the counts, which is the good part of this deal.",
        parent=1,
        decision="approve",
        minutes_ago=2_650,
    ),
    _c(
        "night-ferry",
        "Piers Oldacre",
        "Fair. I will hold my fire until March.",
        parent=2,
        decision="approve",
        minutes_ago=2_600,
    ),
    _c(
        "night-ferry",
        "Jürgen Holm",
        "Bei uns in Flensburg hat man die Nachtfähre 2014 eingestellt. Zwei Jahre später waren "
        "drei Kneipen und das Kino weg. "
        "Behaltet euer Boot!",
        decision="approve",
        minutes_ago=2_400,
    ),
    _c(
        "night-ferry",
        "Halyna Kovalenko",
        "Дякую, що не забули про нічну зміну. Без порома я б добиралася додому годину пішки.",
        decision="approve",
        minutes_ago=2_200,
    ),
    _c(
        "night-ferry",
        "Derek from Southbank",
        "Brandsma has never taken that ferry in his life and it SHOWS. Nine years on the council "
        "and the man still does not know which "
        "way the river runs.",
        decision="approve",
        minutes_ago=2_100,
    ),
    _c(
        "night-ferry",
        "Ratepayer",
        "Another bunch of useless idiots spending money they never earned. Stupid, lazy, greedy, "
        "the whole pathetic lot of them.",
        decision="reject",
        minutes_ago=2_000,
    ),
    _c(
        "night-ferry",
        "Best Deals Daily",
        "CHEAP FERRY TICKETS!!! 90% OFF today only >>> http://ferry-bargains.example/win and "
        "http://ferry-bargains.example/free and http://cheap-pills.example/now CLICK CLICK CLICK",
        decision="spam",
        url="http://ferry-bargains.example/",
        filled_in_ms=900,
        minutes_ago=1_900,
    ),
    _c(
        "night-ferry",
        "Marek Zieliński",
        "Byłem na tej sesji rady. Głosowanie było naprawdę dramatyczne, szkoda, że nie było transmisji.",
        decision="approve",
        minutes_ago=1_500,
    ),
    _c(
        "night-ferry",
        "ليلى منصور",
        "جميل أن يفكّر مجلس المدينة في من يعملون ليلاً. أتمنى أن تبقى العبّارة بعد الشتاء أيضاً.",
        decision="approve",
        minutes_ago=1_400,
    ),
    _c(
        "night-ferry",
        "Wendell Task",
        "Is there a list of the sailing times over Christmas? The [harbour "
        "page](https://harbour.example/times) still has last year's.",
        minutes_ago=240,
    ),
    _c(
        "night-ferry",
        "Ratepayer",
        "So you deleted my comment. Cowards. You are all in on it and you will be sorry when we "
        "come down to that office.",
        minutes_ago=200,
    ),
    _c(
        "night-ferry",
        "No Nonsense",
        "Oldacre you m0r0n, only an 1d10t would price a ferry by the head. Sh*t take, as always from you.",
        parent=1,
        minutes_ago=160,
    ),
    _c(
        "night-ferry",
        "Crypto Coach Kim",
        "I was poor like you until I met Mr. Anders, he turned my 500 into 12,000 in one week "
        "with b1tc0in. Write to him on "
        "telegr" + _ZERO_WIDTH + "am now, he is honest and very private.",
        filled_in_ms=2_100,
        website_confirm="https://coach-kim.example/",
        minutes_ago=130,
    ),
    _c(
        "night-ferry",
        "Inês Sarmento",
        "Em Cacilhas passámos por isto. O barco da noite ficou, e hoje ninguém imagina a cidade sem ele.",
        minutes_ago=95,
    ),
    _c(
        "night-ferry",
        "Tomas W.",
        "I am the Tomas in the article. The other ten would like it known that we also have names.",
        minutes_ago=60,
    ),
    _c(
        "night-ferry",
        "Gill Harker",
        "Typo in the second paragraph: it is the Harbour *Commission*, not company. Otherwise a good piece.",
        minutes_ago=22,
    ),
    # --- quay-street-oven: 18 to 26
    _c(
        "quay-street-oven",
        "Leonie Varga",
        "Flour in my ears: confirmed. Come on a Saturday, second basket from the left.",
        decision="approve",
        minutes_ago=4_900,
    ),
    _c(
        "quay-street-oven",
        "Camille Rousseau",
        "Quelle belle histoire. Le troisième geste, chez nous, on l'appelle *le tour* : on "
        "tourne la pâte contre la table sans la "
        "soulever. Dites-le aux six !",
        decision="approve",
        minutes_ago=4_700,
    ),
    _c(
        "quay-street-oven",
        "Daniel Abara",
        "Camille, we tried it this morning. You may have just solved six weeks of video.",
        parent=19,
        decision="approve",
        minutes_ago=4_300,
    ),
    _c(
        "quay-street-oven",
        "Camille Rousseau",
        "Alors il me faut un croissant en échange 🥐",
        parent=20,
        decision="approve",
        minutes_ago=4_200,
    ),
    _c(
        "quay-street-oven",
        "Rosa Peñalver",
        "Mi abuela decía que al horno hay que saludarlo antes de abrirlo. Yo lo hago con el microondas, por si acaso.",
        decision="approve",
        minutes_ago=3_900,
    ),
    _c(
        "quay-street-oven",
        "SEO Wizard",
        "Great post, very helpful information, I have bookmarked your site! Visit also my page "
        "for best oven reviews "
        "http://best-ovens.example http://best-ovens.example/top10",
        decision="spam",
        url="http://best-ovens.example",
        filled_in_ms=1_200,
        minutes_ago=3_800,
    ),
    _c(
        "quay-street-oven",
        "Old Gunner",
        "Co-operative! Give it a year. They will be at each other's throats by Easter, mark my words.",
        minutes_ago=310,
    ),
    _c(
        "quay-street-oven",
        "Oven Reviews Weekly",
        "Great post, very helpful information, I have bookmarked your site! Visit also my page "
        "for best oven reviews "
        "http://best-ovens.example http://best-ovens.example/top10",
        filled_in_ms=1_400,
        minutes_ago=110,
    ),
    _c(
        "quay-street-oven",
        "Petra Lindqvist",
        "Do they still do the rye with caraway? My mother has asked me to ask. She is ninety and "
        "does not approve of the internet.",
        minutes_ago=35,
    ),
    # --- library-of-things: 27 to 33
    _c(
        "library-of-things",
        "Marian Kowal",
        "For the record: the discount is ten per cent, and yes, also on Thursdays for the gentlemen of the bench.",
        decision="approve",
        minutes_ago=7_000,
    ),
    _c(
        "library-of-things",
        "Tobias Krähe",
        "Die elf Teleskope von 1999 sind der beste Satz, den ich dieses Jahr in einer Zeitung gelesen habe.",
        decision="approve",
        minutes_ago=6_800,
    ),
    _c(
        "library-of-things",
        "Joyce Finch",
        "Ayodele has read this article to me four times. He would like to correct one thing: he "
        "was ready when he was *three*.",
        decision="approve",
        minutes_ago=6_500,
    ),
    _c(
        "library-of-things",
        "Not Impressed",
        "Why would anyone trust these people with tools. Half this town cannot be trusted with a "
        "spoon. Shut up about your stupid "
        "library already, nobody cares, losers.",
        decision="reject",
        minutes_ago=6_000,
    ),
    _c(
        "library-of-things",
        "Sanne de Wit",
        "How do I hand in a wallpaper steamer? I understand that there may be a queue.",
        parent=28,
        minutes_ago=280,
    ),
    _c(
        "library-of-things",
        "Віктор Бондар",
        "Чи можна записатися до майстрів у четвер? Я сорок років працював на верфі.",
        minutes_ago=75,
    ),
    _c(
        "library-of-things",
        "free-dri11s",
        "F R E E   d r i l l s  👉 w w w . drillz-4-free . example 👈 n0 card n0 wait, c l i c k  h e r e",
        filled_in_ms=1_700,
        minutes_ago=18,
    ),
    # --- river-gauge: 34 to 42
    _c(
        "river-gauge",
        "Bettina Straub",
        "Photographs of the cellar steps are in my window, for anybody who thinks that I have moved the marks.",
        decision="approve",
        minutes_ago=11_000,
    ),
    _c(
        "river-gauge",
        "E. Achterberg",
        "I have never thought so, Bettina. I only ask that somebody rings me before they open "
        "the sluice and not after.",
        parent=34,
        decision="approve",
        minutes_ago=10_800,
    ),
    _c(
        "river-gauge",
        "Bettina Straub",
        "That seems little enough to ask. I will say so on the third.",
        parent=35,
        decision="approve",
        minutes_ago=10_700,
    ),
    _c(
        "river-gauge",
        "hydro_nerd",
        "The raw readings are public, so I looked. Rise time from 1.5 m to 2.2 m:\n\n- 2019: 19 "
        "h\n- 2022: 16 h\n- 2026: **14 h**\n\n"
        "`dh/dt` matters more than `h`. Put the warning on the slope, not on the level.",
        decision="approve",
        minutes_ago=10_000,
    ),
    _c(
        "river-gauge",
        "Row Resident",
        "Easy for farmers to talk, they get paid when their field floods. My kids' beds got "
        "nothing but mud, you heartless clown.",
        parent=35,
        decision="approve",
        minutes_ago=9_500,
    ),
    _c(
        "river-gauge",
        "Truth Teller",
        "They are all liars, the engineer most of all. People like her should go back where they came from.",
        decision="reject",
        minutes_ago=9_000,
    ),
    _c(
        "river-gauge",
        "Giulia Ferrante",
        "Anche da noi, sull'Arno, la linea l'hanno spostata tre volte. Alla fine hanno messo due "
        "linee, come propone l'ingegnere.",
        minutes_ago=190,
    ),
    _c(
        "river-gauge",
        "Row Resident",
        "If that sluice stays shut on the third I swear I will open it myself, and God help whoever stands in the way.",
        decision="escalate",
        minutes_ago=150,
    ),
    _c(
        "river-gauge",
        "Farah N.",
        "Engineer here, writing as a private person. hydro_nerd is right about the slope, and I "
        "would like to buy them a coffee.",
        parent=37,
        minutes_ago=12,
    ),
)
"""All comments, in the order in which they came to each article."""
