"""Contrast sentences put together from parts: the same words about people, about one person, about things, denied, quoted.

Templates alone teach a model the templates. Here some hundred predicates of our own meet frames and subjects, so that
what is left to learn is what matters: who is meant, and whether the sentence says it or refuses it. The sample is fixed
by a seed. Identity terms held out for measuring stay out, and so do the templates of ``contrast.py`` that are held out.
"""

# ruff: noqa: E501

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

UNKNOWN = float("nan")
Labels = tuple[float, float, float, float, float, float]

CLEAN: Labels = (0.0,) * 6
NO_HATE: Labels = (UNKNOWN, 0.0, UNKNOWN, 0.0, UNKNOWN, 0.0)
"""Refused, or about somebody who is no group of people: how rude it is, others' labels say."""

HATE: Labels = (1.0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, 1.0)
HATE_RUDE: Labels = (1.0, UNKNOWN, 1.0, 0.0, UNKNOWN, 1.0)
HATE_THREAT: Labels = (1.0, UNKNOWN, UNKNOWN, 1.0, UNKNOWN, 1.0)
THREAT: Labels = (1.0, UNKNOWN, UNKNOWN, 1.0, UNKNOWN, 0.0)
SLUR: Labels = (1.0, UNKNOWN, UNKNOWN, 0.0, UNKNOWN, 1.0)

# ---- What may be said of somebody.

BAD = """
awful;backward;barbaric;brainless;brutish;clueless;contemptible;corrupt;cowardly;creepy;crooked;cruel;dangerous;deceitful;deficient
degenerate;depraved;deranged;despicable;dim-witted;dirty;dishonest;disgraceful;disgusting;dreadful;dumb;evil;filthy;foul;freakish
good for nothing;greedy;grotesque;gross;gutless;half-witted;hideous;hopeless;horrible;idiotic;ignorant;immoral;incapable;inferior
insane;lazy;loathsome;lousy;lying;malicious;mean;mindless;miserable;monstrous;moronic;nasty;nauseating;obnoxious;parasitic;pathetic
perverted;pitiful;primitive;repellent;repugnant;repulsive;revolting;rotten;rude;savage;scheming;second-rate;selfish;shameless;shifty
sick;sickening;simple-minded;sinful;sleazy;slimy;sneaky;spineless;spoiled;stinking;stupid;subhuman;thick;treacherous;twisted;ugly
uncivilised;unclean;unfit;unnatural;unwanted;useless;vicious;vile;violent by nature;weak;wicked;worthless;wretched
"""

BAD_NOUNS = """
abomination|abominations;animal|animals;ape|apes;bandit|bandits;beast|beasts;bloodsucker|bloodsuckers;blight|blights;brute|brutes;burden|burdens
cheat|cheats;cockroach|cockroaches;coward|cowards;creep|creeps;criminal|criminals;crook|crooks;curse|curses;cretin|cretins;degenerate|degenerates
demon|demons;devil|devils;disgrace|disgraces;dog|dogs;embarrassment|embarrassments;failure|failures;freak|freaks;goblin|goblins;hyena|hyenas
idiot|idiots;imbecile|imbeciles;invader|invaders;joke|jokes;leech|leeches;liar|liars;loser|losers;lunatic|lunatics;maggot|maggots;menace|menaces
mistake of nature|mistakes of nature;mongrel|mongrels;monkey|monkeys;monster|monsters;moron|morons;mutant|mutants;nuisance|nuisances;parasite|parasites
pest|pests;pervert|perverts;pig|pigs;predator|predators;rat|rats;reptile|reptiles;savage|savages;sewer rat|sewer rats;sinner|sinners;snake|snakes
stain on this country|stains on this country;swine|swines;terrorist|terrorists;thief|thieves;thug|thugs;traitor|traitors;troll|trolls;virus|viruses;vulture|vultures
weed|weeds;weirdo|weirdos;worm|worms;wretch|wretches
"""

MASS = """
trash;garbage;scum;filth;vermin;dirt;human waste;rubbish;a disease;a plague;a cancer on society;an infestation;the lowest of the low;bottom feeders;a waste of oxygen
a threat to us all;the enemy;barely human;less than human;not even people;an insult to mankind;the root of all our problems;a drain on the country;pond scum
"""

VERBS = """
hate;detest;loathe;despise;abhor;can't stand;cannot bear;look down on;spit on;want nothing to do with;am disgusted by;am sick of;am so fed up with;feel nothing but contempt for;have no respect for;will never accept;refuse to live beside;won't serve;would never hire;will never trust
"""

PLAIN_VERBS = """
hate;detest;loathe;despise;abhor;look down on;spit on;insult;mock;attack;threaten;distrust;blame;shun;exclude;dehumanise;avoid
"""

FATES = """
kicked out;thrown out of the country;deported;shipped off;rounded up;locked up;put behind bars;exterminated;wiped out;eradicated;sterilised;enslaved;shot;hanged;gassed;burned;drowned
beaten;whipped;put down;silenced;banned;stripped of their rights;segregated;kept apart from us;kept in cages;denied a vote;fired;driven out;erased;castrated;tortured;crushed;eliminated
"""

DESERVED = """
to suffer;to die;everything bad that happens to them;to be beaten;to rot in hell;to burn;to hang;no mercy;no rights;nothing;a bullet;to be treated like dirt;to be laughed at;to starve;to be slaves;to be hunted
"""

IMPERATIVES = """
kill;shoot;hang;gas;burn;beat up;stone;lynch;exterminate;wipe out;get rid of;kick out;throw out;deport;ban;boycott;lock up;drown;bomb;cleanse this town of;destroy;round up;hunt down;punch
"""

THREATS = """
kill;murder;stab;shoot;strangle;beat up;smash the face of;hurt;burn down the house of;break the legs of;cut the throat of;hunt down;slap;bash;run over;rape;bomb;behead;hang
"""

GOOD = """
admirable;amazing;artistic;beautiful;brave;brilliant;calm;capable;careful;caring;charming;cheerful;clever;committed;curious;decent;dedicated;diligent;dignified;educated;elegant;fair;fantastic;friendly;funny;generous;gentle;gifted
good-hearted;graceful;great;handsome;hard-working;helpful;honest;hospitable;humble;inspiring;intelligent;interesting;kind;loving;loyal;lovely;modest;musical;neighbourly;open-minded;outspoken;patient;peaceful;polite;proud;punctual;quiet;reliable
resilient;respectable;resourceful;sincere;skilled;smart;strong;talented;thoughtful;tired;trustworthy;valuable;warm;welcome here;wise;witty;wonderful;worried;young
"""

DOINGS = """
work in the hospital;run the bakery;live next door;play in the orchestra;pay their taxes;vote this Sunday;want better schools;study medicine;join the fire brigade;teach at the university;drive the night bus;celebrate this weekend
serve in the army;marry young;have large families;wait for the bus;ask for a permit;write to the editor;celebrate their festival;raise their children here;open a restaurant;demand equal pay;appear in the film;sing in our choir;lead the company
speak three languages;go to church;fast until sunset;pray on Fridays;meet in the library;win medals;own the shop on the corner;read this newspaper;march every June;suffer from discrimination;face violence at home;flee from war;need protection;are under-represented on television
were murdered in the war;are victims of attacks;were banned from the pool until 1960;are insulted in the street;were killed by a gunman;are often ignored by doctors;fear another attack;were beaten by the police;died in the fire;are harassed online
"""

GOOD_VERBS = """
love;respect;admire;support;like;trust;stand with;work with;grew up with;live among;want to thank;am proud of;am grateful to;feel for;enjoy working with;have always liked;listen to;learn from;vote for;am married into a family of
"""

GOOD_FATES = """
welcomed;protected;heard;respected;included;supported;counted;paid fairly;treated equally;treated with respect;allowed to marry;allowed to adopt;represented in parliament;given a chance;given the vote;left in peace;trained;housed;free to pray;invited;honoured
"""

# ---- Frames. {G}: a group, plural; {g}: one of it; {B}: bad; {N}/{n}: bad nouns, plural and one; {M}: bad mass; and so on.

OPINIONS = """
;I think;I honestly think;Let's face it,;Sorry, but;Everybody knows that;It is a fact that;In my opinion;If you ask me,;The truth is that;My father always said it:;Face it,;Like it or not,;We all know;Science proves that;I have always known that;I'm telling you,;Say what you want,;Seriously,;lol;Honestly,;No surprise,;As usual,;Believe me,;I swear that
"""

TAILS = """
;;;;, period;, end of story;, all of them;, every single one;, and always will be;!;!!!;. Fact.;, and that's that; and nobody dares to say it;, no exceptions;. Prove me wrong.;, full stop; lol
"""

HATE_FRAMES = """
{G} are {B};{G} are so {B};{G} are {B} and {B};{G} are {N};{G} are nothing but {N};{G} are {M};{G} are all {B};all {G} are {N};{G} are just {B} {N};{G} are a bunch of {N};{G} are no better than {N};those {G} are {B};these {G} are {M}
I {V} {G};I really {V} {G};{G} should be {F};{G} ought to be {F};{G} must be {F};{G} need to be {F};it is time that {G} are {F};{G} deserve {D};{G} deserve to be {F};all {G} should be {F};every {g} should be {F};any {g} deserves {D}
a {g} is {B};a {g} is a {n};every {g} is a {n};the only good {g} is a dead {g};a {g} can only be a {n};being a {g} is {B};being a {g} makes you a {n};my neighbour is a {g}, what a {n};you are a {g} and so you are {B};you {B} {g};you're just a {B} {g};shut up, {g}, you {n};go away you {B} {g}
why are {G} so {B};why are {G} always such {N};how {B} can {G} be;how can anyone like {G}, they are {B};are all {G} {N}, or just the ones I met;don't you think that {G} are {B};when will {G} finally be {F};why do we let {G} live here, they are {M};who would want a {g} for a neighbour
{G} ruin everything;{G} have ruined this country;{G} destroy our culture;{G} spread diseases;{G} steal;{G} rape our women;{G} lie and cheat;{G} smell;{G} cannot think;{G} have low intelligence;{G} only live on our taxes;{G} breed too fast;{G} want to replace us;{G} don't belong in our country;{G} do not belong here;{G} have no place in this town;no {G} in my street;{G} can't be trusted;never trust {G};keep {G} out
there are too many {B} {G} here;this country would be better off without {G};the world needs fewer {G};I wish {G} did not exist;I wish there were no {G} left;we don't want {G} here;we don't need any more {G};nobody wants {G} here;nobody likes {G}, they are {N};I would rather die than live with {G};{G} make me want to vomit;{G} make me sick, they are {M};just looking at a {g} makes me ill;it disgusts me to see {G};I feel sick when a {g} touches me
{I} {G};{I} all {G};{I} every {g} you see;{I} them, those {G};let's {I} the {G};we should {I} {G};someone should {I} those {B} {G};I want to {I} {G};please {I} these {G};{G}? {I} them all;it would be good to {I} {G};{I} the {G} before it is too late
{G} are not as good as us;{G} are worth less than we are;{G} are beneath me;{G} aren't real people;{G} aren't human;{G} will never be equal to us;{G} can never be one of us;{G} don't deserve {K};{G} should not have {K};{G} have no right to {K};take away {K} from {G}
look at these {G}, they are {B};I saw {G} on the train again. They should be {F};my boss is a {g}. I {V} such people;a {g} moved in next door. Such {N} don't belong here;{G}? They are {M};have you seen the {G} in the park? {B} {N}, all of them;he is a {g}, and they are all {N};yet another {g} on television, I {V} them;they are {G}, of course they are {B};typical {g}: {B} and {B};you can tell that she is a {g}, so {B};it's always the {G}, those {N};I don't want my children taught by a {g};being {B} is what {G} do best;{G} exist only to {H};all that {G} can do is {H};what do you expect from a {g}? They {H}
"""

HARMS = """
steal;lie;cheat;beg;breed;kill;complain;destroy;take our jobs;live off others;spread lies;make trouble;rape;sell drugs;smell;leech off our taxes;corrupt our children
"""

WITHHELD = """
rights;respect;a voice;a vote;our help;jobs;children;a home here;our sympathy;an education;protection;a place among us
"""

HATE_THREAT_FRAMES = """
I will {T} the next {g} I see;I'm going to {T} a {g} tonight;we will {T} you {G};someone will {T} you, {g};I am coming to {T} those {G};if I meet a {g} I'll {T} him;{G} had better watch out, we'll {T} them;next time I {T} one of these {G};you {G} will die soon;I hope somebody will {T} every {g};one day we are going to {T} all {G};we know where you {G} live, and we will {T} you
"""

HATE_RUDE_FRAMES = """
fuck {G};fuck all {G};fuck those {B} {G};fucking {G};these fucking {G} are everywhere;I fucking hate {G};{G} are fucking {B};{G} are full of shit;{G} are shit;{G} are pieces of shit;you {B} fucking {g};bloody {G}, always {B};screw {G};to hell with {G};{G} can kiss my ass;fuck you, you {g} {n};damn {G} ruin everything;shitty {G};{G} are a shitty lot;what a fucking {n}, typical {g}
"""

NEUTRAL_FRAMES = """
{G} are {A};{G} are so {A};{G} are {A} and {A};most {G} are {A};some {G} are {A}, some are not;{G} are people like us;{G} {O};many {G} {O};some {G} {O};in this town {G} {O};{G} who {O} told the paper about it;I {W} {G};I {W} my {A} neighbours, who are {G};{G} should be {R};{G} ought to be {R};{G} must be {R};it is time that {G} are {R};{G} deserve to be {R}
a {g} is {A};my neighbour is a {A} {g};my teacher is a {g}, and {A};the new nurse is a {g};you are a {A} {g};I am a {g};I am a {A} {g};I'm a {g} and I am {A};he is a {g};she is a {g};they are {G};the singer is a {g};being a {g} is {A};being a {g} is normal;as a {g} I feel {A};my son is a {g} and I love him;my sister married a {g};a {g} lives on my floor;a {A} {g} helped me yesterday;two {G} and I had lunch
why are {G} so {A};why do so few {G} vote;how many {G} {O};do {G} {O} as well;are {G} {R} in this law;when will {G} finally be {R};who speaks for {G};is he a {g};what do {G} say about it
there should be more {A} {G} here;this country needs {G};the world needs more {A} {G};I wish more {G} were {R};we welcome {G} here;{G} belong here;{G} have a place in this town;{G} make me smile;it is nice to see {G} {R};let's help {G};we should thank {G};please listen to {G};let {G} live as they like;protect {G};support {G}
I met some {G} on the train. They were {A};my boss is a {g}. She is {A};a {g} moved in next door, and we had tea;look at these {G}, they are so {A};he is a {g}, and {A};you can tell that she is a {g} by the flag;the police look for a {g};critics of {G} met in the town hall;a film about criminals among {G} caused a debate;{G} were shown as {N} in old films, the museum explains
"""

RUDE_AND_KIND_FRAMES = """
I fucking love {G};{G} are fucking {A};damn, {G} are {A};holy shit, these {G} are {A};hell yes, {G} should be {R};fuck yes, more rights for {G};shit, I forgot that the {g} next door is on holiday;fuck everyone who says that {G} are {B};fuck racism, {G} are {A};bloody hell, a {g} won again, how {A};I am a {g}, bitches;proud to be a fucking {g}
"""

COMPARED = """
live longer;earn less;earn more;vote more often;smoke less;read more;travel less;fall ill more often;retire earlier;sleep badly more often;move house more often;drive less;pay higher rents;are stopped by the police more often;die of heart disease more often;have fewer children;drink less coffee;wait longer for a diagnosis
"""

COMPARING_FRAMES = """
{G} {X} than others;{G} {X} than {J};{G} {X} than they did ten years ago;on average {G} {X} than the rest;why do {G} {X} than {J};the study found that {G} {X} than {J};do {G} really {X} than {J};statistics: {G} {X} than {J}
"""

CRIMES = """
murder;rape;assault;arson;manslaughter;bombing;terrorism;stabbing;kidnapping;shooting;burglary;robbery;torture;lynching;hate crime;knife attack;poisoning;strangling;blackmail;human trafficking;genocide;war crimes;domestic violence;child abuse
"""

NEWS_FRAMES = """
two suspects were charged with {C};{C} rates fell for the third year;the novel begins with a case of {C};the documentary is about {C} in the fifties;victims of {C} can call a hotline;the police investigate a case of {C} in the old town;he was acquitted of {C};a witness of the {C} spoke to our reporter;parliament debates tougher sentences for {C};the jury heard about the {C} all day;the town remembers the {C} of 1974;her thesis is about {C} in the press
the convict had planned to {T} the king;in the last act the hero tries to {T} the count;a drunk man tried to {T} a guard and was arrested;the suspect threatened to {T} his landlord, the prosecutor says;in this game you {T} monsters;he is accused of wanting to {T} a judge;the letter warned the mayor that someone would {T} her, and police took it seriously
"""

IDIOMS = """
beat the queue;beat the traffic;beat the eggs;beat the champions;kill time;kill the lights;kill the engine;kill two birds with one stone;kill it on stage;shoot a film;shoot some hoops;shoot from the hip;shoot for the moon;hit the road;hit the gym;hit the books;hit a six;smash the record;smash the avocado;burn some calories;burn the leaves;burn the candle at both ends;hang the washing;hang out;hang the picture
cut costs;cut the cake;cut the grass;hunt for bargains;hunt for mushrooms;have a stab at it;take a shot;run over the plan;run over budget;strangle the competition;bash the drums;slap on some sunscreen;bomb down the hill;knock on wood;drown in paperwork;roast a chicken;crush the garlic;crush the exam;whip the cream;punch the ticket;drop the bomb on them at lunch;attack the problem;fight the flames;fight for tickets;battle for the cup;destroy the evidence of last night's cake;slay the dragon;execute the plan;blow up some balloons;strike a deal;strike for higher pay
"""

IDIOM_FRAMES = """
let's {Y};let's {Y} tonight;I want to {Y};I'm going to {Y} after work;we will {Y} tomorrow;you have to {Y} first;someone should {Y};they plan to {Y} this weekend;time to {Y};I will {Y} if you come along;watch me {Y};how do I {Y};we are about to {Y};my dad used to {Y} on Sundays;next time I {Y}, join us;you will {Y} soon
"""

DENIAL_FRAMES = """
{G} are not {B};{G} are not {N};{G} aren't {B} at all;{G} are not {M};no, {G} are not {B};it is not true that {G} are {B};it's a lie that {G} are {N};I don't think {G} are {B};I do not believe that {G} are {N};I never said that {G} are {B};nobody should say that {G} are {B};you can't say that {G} are {N};please don't call {G} {N};don't you dare call {G} {M};who says that {G} are {B} is wrong;it is wrong to call {G} {N};it is shameful to say that {G} are {M};calling {G} {N} is hate speech;how can you say that {G} are {B}
I don't {v} {G}, why should I;nobody should {v} {G};you should not {v} {G};people who {v} {G} are the problem;if you {v} {G} you are wrong;I used to {v} {G}, and I was wrong;why would anyone {v} {G};{G} should never be {F};{G} must not be {F};nobody should be {F} for being a {g};it is a crime that {G} were {F};I am against it when {G} are {F};it is horrible when {G} are {F};whoever wants {G} {F} belongs in court;saying that {G} should be {F} is disgusting;a {g} is not a {n};being a {g} does not make you a {n};not every {g} is a {n};no {g} deserves {D};{G} don't deserve {D}
"{G} are {B}" is what he shouted, and he was fined;he said "{G} should be {F}", which is disgusting;"I {v} {G}" was written on the wall of the school;the sentence "{G} are {M}" has no place in a newspaper;she was called a "{B} {g}" on the bus;stop saying "{G} are {N}";you just wrote that {G} are {N}: that is racist;why did you say that {G} are {B}, that is wrong;the film shows how {G} were called {N} and {F};the minister condemned those who want to {I} {G};the man who wanted to {I} {G} was arrested;the court jailed him for threats to {T} {G};when people say that {G} are {B} I get angry;comments like "{I} all {G}" should be removed;reported: "{G} are {M}";anyone who thinks {G} are {M} should be ashamed
"""

ONE_FRAMES = """
you are {B};you are so {B};you're a {n};you {n};you {B} {n};you are {M};what a {B} {n} you are;shut up you {n};go away, {n};I {V} you;you deserve {D};you should be {F};why are you so {B};you are nothing but a {n};he is {B};he is a {n};she is such a {n};my boss is a {B} {n};my ex is a {n};my neighbour is {B}, what a {n};the minister is a {n};the referee was {B};this author is a {n};the mayor is {B} and {B};whoever wrote this is a {n};that man is {M};your friend is a {B} {n};people like you are {M};people like you should be {F};I wish you did not exist
"""

CALLING_FRAMES = """
{P} are {B};{P} are {N};{P} are all {N};I {V} {P};{P} should be {F};{P} deserve {D};{P} are {M};why are {P} so {B};{P} ruin everything;{P} are nothing but {N};get rid of {P};most {P} are {B}
"""

CALLINGS = """
politicians;bankers;lawyers;journalists;landlords;managers;referees;football fans;smokers;cyclists;drivers;tourists;estate agents;bureaucrats;celebrities;influencers;artists;critics;hunters;gamers;lobbyists;the rich;millionaires;capitalists;communists;liberals;conservatives;republicans;democrats;socialists;anarchists;libertarians;vegans;hipsters;teachers' unions;plumbers;dentists;accountants;actors;rappers;bloggers;dog owners;runners
"""

THREAT_FRAMES = """
I will {T} you;I'm going to {T} you;we will {T} you tonight;someone should {T} you;I am coming to {T} you;I'll {T} him if he comes back;I will find you and {T} you;watch out or I {T} you;you will die soon;we know where you live and we will {T} you;I swear I will {T} your family;next time I see you I {T} you
"""

THING_FRAMES = """
{S} is {B};{S} is so {B};I {V} {S};{S} is {M};get rid of {S};what a {B} thing {S} is;{S} should be banned;{S} deserves to burn;why is {S} so {B};{S} is a disgrace;{S} is a joke;{S} makes me sick;{I} {S};{S} ruins everything;nobody likes {S};{S} is a cancer
"""

SUBJECTS = """
this weather;the new logo;my old printer;the tax form;instant coffee;this policy;the budget;the plan;the station;that film;the article;this headline;the law;their argument;the queue;the software update;my keyboard;the bus timetable;Monday;traffic;the food there;the traffic light;the website;cold soup;this sofa;the parking fee;the referee's decision;the new stadium;the contract;plastic packaging;the noise;the final season;the alarm clock;bureaucracy;spam mail;racism;sexism;homophobia;war;hatred;fascism;corruption;terrorism
"""

SWEARING_FRAMES = """
fuck, I missed the bus;holy shit, what a goal;this is fucking brilliant;damn, that was close;what the fuck is going on with the weather;I am so fucking tired;shit, the milk is gone;that was one hell of a match;this fucking printer again;I don't give a shit about the score;no shit, the rents went up;fucking finally, a new bridge;crap, I forgot my umbrella;bloody hell, it is cold;oh fuck, my exam is today;that was a bitch of a climb;my arse is frozen;well I'll be damned;fuck yes, we won;this game is so fucking good;what a shitty day;I need a fucking coffee;my phone is fucked;it's raining like shit;fuck this traffic
"""


class Made(NamedTuple):
    """A sentence put together, and the labels that we give it."""

    text: str
    labels: Labels


def sentences(people: Sequence[tuple[str, str]], slurs: Sequence[str], seed: int = 3) -> Iterator[Made]:
    """The sample: some 30,000 sentences, the same for the same seed.

    ``people``: (one, many) of the identity terms for training; ``slurs``: words that stand for a group and insult it.
    """
    dice = random.Random(seed)
    maker = _Maker(people, dice)
    plan: tuple[tuple[str, Labels, int], ...] = (
        (HATE_FRAMES, HATE, 10_000),
        (HATE_THREAT_FRAMES, HATE_THREAT, 700),
        (HATE_RUDE_FRAMES, HATE_RUDE, 1_200),
        (NEUTRAL_FRAMES, CLEAN, 6_500),
        (DENIAL_FRAMES, NO_HATE, 5_500),
        (ONE_FRAMES, NO_HATE, 1_500),
        (CALLING_FRAMES, NO_HATE, 1_500),
        (THREAT_FRAMES, THREAT, 1_200),
        (THING_FRAMES, NO_HATE, 1_500),
        (SWEARING_FRAMES, NO_HATE, 200),
        (RUDE_AND_KIND_FRAMES, NO_HATE, 600),
        (COMPARING_FRAMES, CLEAN, 700),
        (NEWS_FRAMES, CLEAN, 900),
        (IDIOM_FRAMES, CLEAN, 900),
    )
    for block, labels, count in plan:
        frames = _split(block)
        for _ in range(count):
            yield Made(maker.sentence(dice.choice(frames), opinion=block is not SWEARING_FRAMES), labels)
    frames = [frame for frame in (*_split(HATE_FRAMES), *_split(HATE_RUDE_FRAMES)) if "{G}" in frame or "{g}" in frame]
    slurring = _Maker([(slur, slur + "s") for slur in slurs], dice)
    for _ in range(1_200 if slurs else 0):
        yield Made(slurring.sentence(dice.choice(frames), opinion=True), SLUR)


class _Maker:
    """Fills frames with parts taken at random."""

    def __init__(self, people: Sequence[tuple[str, str]], dice: random.Random) -> None:
        nouns = [noun.split("|") for noun in _split(BAD_NOUNS)]
        self._dice = dice
        self._people = people
        self._opinions, self._tails = OPINIONS.strip("\n").split(";"), TAILS.strip("\n").split(";")
        lists = {
            "B": _split(BAD),
            "N": [many for _, many in nouns],
            "n": [one for one, _ in nouns],
            "M": _split(MASS),
            "V": _split(VERBS),
            "v": _split(PLAIN_VERBS),
            "F": _split(FATES),
            "D": _split(DESERVED),
            "I": _split(IMPERATIVES),
            "T": _split(THREATS),
            "A": _split(GOOD),
            "O": _split(DOINGS),
            "W": _split(GOOD_VERBS),
            "R": _split(GOOD_FATES),
            "C": _split(CRIMES),
            "H": _split(HARMS),
            "J": [many for _, many in people],
            "K": _split(WITHHELD),
            "P": _split(CALLINGS),
            "S": _split(SUBJECTS),
            "X": _split(COMPARED),
            "Y": _split(IDIOMS),
        }
        self._parts: dict[str, Callable[[], str]] = {
            name: lambda words=words: dice.choice(words)  # type: ignore[misc]
            for name, words in lists.items()
        }

    def sentence(self, frame: str, *, opinion: bool) -> str:
        """A frame, filled, with an article that fits, a way of beginning and an end."""
        one, many = self._dice.choice(self._people)
        text = frame
        while (at := text.find("{")) >= 0:
            name = text[at + 1]
            part = many if name == "G" else one if name == "g" else self._parts[name]()
            text = _with_article(text[:at], part) + text[at + 3 :]
        if opinion and self._dice.random() < 0.35:
            text = f"{self._dice.choice(self._opinions)} {text}{self._dice.choice(self._tails)}".strip()
        elif frame.startswith(("why", "how", "when", "who ", "are all", "don't you", "is he", "what do", "do ")):
            text += "?"
        elif self._dice.random() < 0.7:
            text += "."
        return text if self._dice.random() < 0.25 else text[:1].upper() + text[1:]


def _with_article(before: str, part: str) -> str:
    """``before`` and ``part``, with "an" for "a" where a vowel follows."""
    if part[:1].lower() in "aeio" and (before == "a " or before.endswith((" a ", "A "))):
        return before[:-1] + "n " + part
    return before + part


def _split(block: str) -> list[str]:
    return [part.strip() for line in block.strip().splitlines() for part in line.split(";") if part.strip()]
