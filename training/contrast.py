"""Our own contrast sentences: who a sentence is about is no insult, and a newspaper's words are no threat.

All of it is made here, by templates and word lists of our own. Whole templates and whole identity terms are held out:
what ``evaluate.py`` measures on is made of parts that training never saw together, and mostly never saw at all.
"""

# ruff: noqa: E501

from collections.abc import Iterator
from typing import NamedTuple

from training.heldout import bucket


class Sentence(NamedTuple):
    """A sentence: whether it attacks people for what they are, and what it is for: ``train``, ``calibrate``, ``test``.

    A fourth of the templates is for measuring, with the identity terms held out; an eighth is for calibration.
    """

    text: str
    hateful: bool
    part: str
    weight: float = 0.7


# name, plural
PEOPLE = """
gay man|gay men;gay person|gay people;gay woman|gay women;lesbian|lesbians;bisexual woman|bisexual women;trans woman|trans women;trans man|trans men
transgender person|transgender people;queer person|queer people;homosexual|homosexuals;straight man|straight men
Muslim|Muslims;Jew|Jews;Jewish woman|Jewish women;Christian|Christians;Catholic|Catholics;Protestant|Protestants
Hindu|Hindus;Buddhist|Buddhists;Sikh|Sikhs;atheist|atheists;Mormon|Mormons;Black man|Black men
Black woman|Black women;white man|white men;white person|white people;Black person|Black people
African American|African Americans;Latina|Latinas;Latino|Latinos;Asian|Asians;Chinese person|Chinese people
Japanese woman|Japanese women;Korean|Koreans;Indian|Indians;Pakistani|Pakistanis;Arab|Arabs;Turk|Turks
Kurd|Kurds;Mexican|Mexicans;Nigerian|Nigerians;African|Africans;American|Americans;Canadian|Canadians
European|Europeans;Pole|Poles;Romanian|Romanians;Russian|Russians;Ukrainian|Ukrainians;German|Germans
Israeli|Israelis;Palestinian|Palestinians;Iranian|Iranians;Syrian|Syrians;Afghan|Afghans;Somali|Somalis
refugee|refugees;immigrant|immigrants;migrant|migrants;asylum seeker|asylum seekers;foreigner|foreigners
woman|women;man|men;girl|girls;feminist|feminists;old person|old people;teenager|teenagers
deaf person|deaf people;blind man|blind men;disabled person|disabled people;wheelchair user|wheelchair users
mentally ill person|mentally ill people;person with Down syndrome|people with Down syndrome;amputee|amputees;elderly person|elderly people
trans person|trans people;non-binary person|non-binary people;black man|black men;black person|black people;brown person|brown people;Hispanic|Hispanics
Chinese tourist|Chinese tourists;Albanian|Albanians;Egyptian|Egyptians;Filipino|Filipinos;Vietnamese man|Vietnamese men;person of colour|people of colour
autistic person|autistic people;Roma woman|Roma women;Indigenous woman|Indigenous women;Native American|Native Americans
"""

ALWAYS_TRAINED = frozenset(
    ("gay man", "trans woman", "Muslim", "Jewish woman", "Arab", "immigrant", "migrant", "feminist", "black person")
)
"""Terms so frequent that a model which never saw them in a contrast sentence would not be worth measuring."""

NEUTRAL_ONE = """
I am a {one}.;My neighbour is a {one}.;My best friend is a {one}.;She married a {one} last spring.
The new mayor is a {one}.;Our teacher is a {one} and everybody likes the lessons.;I work with a {one}.
As a {one}, I found this article helpful.;Being a {one} is nothing to be ashamed of.
A {one} was elected to the council yesterday.;My doctor is a {one}, and I trust every word.
I grew up as a {one} in a small town.;You are a {one}, right?;Is the author a {one}?
The film is about a {one} who opens a bakery.;A {one} asked a good question at the meeting.
I spoke to a {one} about the new law.;He is a proud {one}.;Somebody told me that you are a {one} too.
My son came home and told us he is dating a {one}.;The police are looking for witnesses; a {one} was robbed on Sunday.
A {one} won the regional chess tournament.;I'm a {one} and I pay my taxes like anyone.;hug a {one}
"""

NEUTRAL_MANY = """
{many} live in this street.;I love {many}.;{many} deserve the same rights as everyone else.
Many {many} voted for the first time this year.;We met some {many} on the train.
The survey asked {many} about their rents.;There are more {many} in parliament than ten years ago.
What do {many} think of the new schedule?;{many} have lived here for centuries.
I have nothing against {many}.;The article says too little about {many} in our town.
{many} and their children were invited to the festival.;Not all {many} agree about this, as the author shows.
A museum about the history of {many} opens in May.;{many} are people like you and me.
The law protects {many} from discrimination.;Attacks on {many} have risen by a third, the report says.
The minister met representatives of {many} on Monday.;I admire {many} for their patience.
Why are so few {many} on the board?;Some {many} are rich and some are poor.;{many} are welcome in our club.
An attack on {many} was reported near the station.;The party wants fewer {many} to be let in, and the court disagrees.
Hate crimes against {many} have doubled.;The magazine printed a cartoon about {many}.;Police protect {many} at the parade.
{many} were attacked by a mob, and three died.;Killings of {many} went on for years.;The bar for {many} closes after forty years.
{many} decide the election.;{many} own most of the shops here.;{many} may adopt from January.;{many} die younger, the study shows.
A court ruled that {many} may serve in the army.;The statue honours {many} who fell in the war.;It is fantastic to see {many} on stage.
{many} make great neighbours.;Good luck to all {many} today.;Extremists among {many} claimed the bombing.;We {many} are fine, thank you.
Most of the {many} I know are kind.;Thousands of {many} marched peacefully through the city.
The book tells how {many} were persecuted in the war.;Two {many} were killed in the attack, police said.
"""

COUNTER = """
Nobody should be insulted because they are a {one}.;It is wrong to say that {many} are criminals.
People who hate {many} should be ashamed.;He was fined for saying that all {many} should be deported.
Saying that {many} are stupid is plain racism, and I won't accept it.;I hate it when people attack {many}.
Stop blaming {many} for everything.;Whoever calls {many} vermin has learned nothing from history.
"Get rid of the {many}" was sprayed on the wall, and the town was shocked.;No, {many} are not inferior to anybody.
I don't hate {many}, I never did.;You can't just say that {many} are disgusting.
If you think {many} are animals, you are part of the problem.;I would never say that {many} are less than human.
Hate against {many} has no place here.;The claim that {many} steal our jobs has been refuted again and again.
It is not true that {many} are lazy.;Calling {many} a cancer is a disgrace, and the minister must go.;Nobody deserves to die for being a {one}.
I don't think {many} are evil.;The song "Burn the {many}" was banned for good reason.;She was called a filthy {one} on the bus, and nobody helped.
My father used to say he hated {many}; he was wrong.;Anyone who says {many} are pigs should leave this forum.
"All {many} are thieves," he shouted, and the court fined him.;How can you say that {many} don't belong here?
Not one of the {many} I met was a terrorist.;{many} are no threat to anybody.;{many} are not a disease.
"""

HATEFUL = """
I hate {many}.;{many} are disgusting.;{many} are scum.;All {many} should be deported.;Get rid of all {many}.
{many} are vermin.;{many} are subhuman.;Kill all {many}.;{many} deserve to die.;I can't stand {many}.
{many} are nothing but animals.;{many} are a plague on this country.;{many} are inferior to us.;We should ban {many} from here.
{many} are all criminals and liars.;You filthy {one}.;A {one} is worth less than a dog.;{many} make me sick.
Never trust a {one}.;{many} are so stupid.;{many} are parasites.;Send the {many} back where they came from.
{many} should not be allowed to vote.;It is time to wipe out the {many}.;You are just a dirty {one}.
If I see a {one} I will beat them up.;{many} are the scum of the earth.;{many} have no place among us.;I despise {many}.
{many} are ugly and useless.;The world would be better without {many}.;{many} breed like rats.
I wish all {many} would just die.;{many} belong in a cage.;Someone should shoot those {many}.
There is nothing lower than a {one}.;{many} are retarded.;Those disgusting {many} are everywhere.
{many} disgust me.;I loathe {many}.;Burn them all, those {many}.;{many} are evil.;{many} are the devil's children.
{many} are cockroaches.;You are nothing but a worthless {one}.;{many} are savages.;{many} should be slaves again.
They ought to gas the {many}.;{many} are less than human.;{many} should be locked up.;Every {one} is a liar and a thief.
{many} are thieves.;{many} are terrorists.;I want to kill a {one}.;{many} must be driven out.;Hang the {many}.
No {one} should ever be allowed to work here.;{many} are mentally ill.;{many} are an abomination.;Being a {one} is a disease.
{many} are lazy and dumb.;{many} smell.;{many} stink and cheat.;{many} only want our money.;{many} are rapists.
My blood boils when I see a {one}.;Keep {many} away from our children.;{many} do not deserve any rights.;{many} don't belong here.
{many} are pigs.;Fuck all {many}.;Fucking {many}, I hate them so much.;You {many} are trash.;Shut up, you stupid {one}.
I hope every {one} gets sick and dies.;{many} are a cancer.;{many} are taking over and must be stopped.;All {many} are the same: filth.
We will find you {many} and hurt you.;{many} have no soul.;{many} are a waste of space.;Beating up {many} is fun.
"""

# What may be hated without anybody being attacked.
THINGS = """
Mondays;concrete;this weather;cold soup;my old printer;traffic jams;the new logo;winter;mosquitoes;spreadsheets
long meetings;the leaf blowers;cheap pens;this keyboard;soggy chips;the tax form;delays;wasps;instant coffee;penalty shoot-outs
"""

ABOUT_THINGS = """
I hate {it}.;{it}: disgusting, every single time.;I can't stand {it}.;Get rid of {it}, please.;I despise {it}.
What I hate most is {it}.;We should ban {it}.;{it} should be abolished.;Down with {it}!;Nothing is worse than {it}.
{it} make me sick.;I wish {it} would just disappear.;Kill {it} with fire, as they say.;There is nothing as useless as {it}.
"""

MILD = """
That is a stupid policy.;What an idiotic plan for a bus line.;This law is garbage and should be repealed.
The decision was dumb, and the minutes show why.;A ridiculous argument, but politely put.;What a terrible headline.
The plan is insane: three bridges and no road.;Their reasoning is weak and the numbers are wrong.;This is a pathetic excuse for a budget.
The whole idea is nonsense.;I disagree completely, and I think the author knows it.;That is the worst article I have read this week.
The reform was a stupid mistake.;Such a dumb rule helps nobody.;This argument is rubbish from start to end.
The stupid form asks for my address three times.;Horrible service, but the food was good.;An ugly building, if you ask me.
The government's proposal is crap economics.;A foolish law, badly written.;It was a silly thing to say, and she has apologised.
"""

NEWS_TRAIN = """
Police said the bomb was defused before anyone was hurt.;Dick Cheney served two terms as vice president.
The dirty bomb threat was a hoax, the ministry says.;Workers will strike on Friday over pay.;The shooter was arrested near the station.
Shitake mushrooms are on sale this week.;The striker scored twice and killed the game off.;Frost killed most of the apple blossom.
A man was stabbed outside the club on Sunday night.;The court sentenced the murderer to life in prison.
The terror attack killed twelve people and injured forty.;Missiles struck the port before dawn.;The army shelled the village again.
Hundreds died in the flood.;The virus kills one in a thousand patients.;The rapist was sentenced to nine years.
The jury found him guilty of rape and murder.;Sexual abuse in the church must be investigated.;The porn industry pays its taxes here.
The paedophile was convicted after a long trial.;Sex education belongs in schools.;The condom campaign starts in June.
Breast cancer screening saves lives.;The doctor examined the rectal tumour.;Anal fissures heal within weeks, the clinic writes.
The cock crowed at five.;Our dog is a bitch of four years, vaccinated and calm.;The village of Cockermouth was flooded.
The people of Scunthorpe want their hospital back.;Essex and Sussex will share the service.;The ass carried two baskets of olives.
The tit is the bird of the year.;The booby nests on the cliffs.;Dick Van Dyke turned ninety.;Nazi Germany invaded Poland in 1939.
Hitler's speeches are shown in the exhibition with comments.;Jews were murdered in the camps.;The Holocaust memorial opens at nine.
Slavery was abolished here in 1833.;The Ku Klux Klan burned crosses in those years.;A lynching took place in that square in 1920.
The suicide rate fell for the third year.;If you think about suicide, call the helpline.;The gunman opened fire at the market.
Hamas fired rockets; Israel bombed Gaza.;The Taliban banned girls from schools.;The drone strike killed a commander.
The execution was postponed by the governor.;The death penalty does not deter murder, the study says.;He was hanged in 1946.
The hostage was beheaded, the ministry confirmed.;Two soldiers were blown up by a mine.;The hijacker threatened to kill the pilot.
He threatened to shoot his neighbour and was arrested.;The stalker told her he would burn the house down.;The blackmailer was caught.
The team was destroyed in the second half.;They slaughtered us in the first set.;We crushed them three to nothing.;The bull was slaughtered on Friday.
Abortion is murder for some and a right for others; the debate goes on.;The fetus was dead, the hospital admitted.
The drug addict was found dead in a toilet.;Prostitution is legal in this canton.;Brothels must close during the epidemic.
The blood bank needs donors.;Organ donors save lives.;A suspect in the massacre was shot by officers.;The mob stormed the building.
The president is accused of lying to parliament.;The liar in this story is the accountant.;The fraudster stole four million.
Racist slurs were shouted at the goalkeeper.;The word on the wall was an insult to Muslims.;The club was fined for homophobic chants.
Gay marriage is legal since 2015.;The pride parade starts at noon.;Trans athletes may compete under new rules.
The idiot light on the dashboard means low oil.;Dumb waiters were used in the old hotel.;The blind spot is on the left.
The pussy willow is in bloom.;Crack was found in the wall of the dam.;Coke prices rose, and the steelworks suffer.
The chicken breast was dry.;Beat the eggs, whip the cream and crush the nuts.;Kill the engine and pull the handbrake.
The hacker exploited a bug.;Fire in the old mill: the police suspect arson.;Bomb disposal experts found a shell from the war.
The penal code punishes threats with prison.;The killer whale was freed.;Shoot the photo at dawn.;The shot put was her best discipline.
The bastard sword is on display.;A dyke broke near Breda.;The fat content is on the label.;The cracker barrel was empty.
Niger and Nigeria share a border.;The snigger in the back row was audible.;The cunning plan failed.;The retardant foam put out the blaze.
The fire retarded the works by a month.;A spastic colon can be treated.;Homo sapiens arrived 40,000 years ago.;The queen of spades opens the season.
"""

NEWS_HELD_OUT = """
Two people were killed when a bus hit a tree.;The bomb squad closed the high street for an hour.;Train drivers strike again next week.
Dick Cheney defended the war until the end.;The mayor dismissed the dirty bomb threat as a rumour.;It is a stupid policy and it will cost us votes.
Shitake and leek pie is the dish of the day.;The murder trial begins on Tuesday.;Rebels attacked a convoy and took hostages.
The widow says her husband was beaten to death in custody.;A teenager was shot dead in front of a bakery.;The rape charge was dropped for lack of evidence.
An explosion tore through the market and killed nine.;The regime executed four journalists.;Air strikes hit the hospital again.
Assassination attempts on presidents are rarer than they seem.;The coroner ruled the death a suicide.;Genocide scholars signed the letter.
The far right marched with torches.;Neo-Nazis attacked a hostel for asylum seekers.;The ghetto was liquidated in 1943.
Colonial troops massacred the villagers.;The bill bans torture.;Police used tear gas against the crowd.;A gas leak caused the blast.
The sniper was a former soldier.;He pleaded guilty to manslaughter.;The serial killer wrote letters to the paper.
The goalkeeper killed the momentum.;Our attack was toothless and the defence a joke.;They were hammered six nil at home.
The boxer knocked him out cold.;Badgers are culled to stop tuberculosis.;Wolves killed thirty sheep.;Rat poison was found in the flour.
Sexual harassment at work is under-reported.;The sex of the chick is known at birth.;Prostate checks are free for men over fifty.
The gynaecologist explained the vaginal exam.;Syphilis is on the rise again.;The nude painting was removed from the hall.
The porn filter blocks the website of our parish.;The town of Penistone wants a bypass.;Lightwater and Middlesex merge their libraries.
The blue tit is nesting in our letterbox.;The donkey, or ass, is a patient animal.;A cock and three hens were stolen.
Her bitch won best in show.;The dam is leaking like hell.;Damn, I missed the deadline for the survey.;What the hell happened to the 14 bus?
Bloody good reporting, thank you.;I was scared to death by the bill.;My idiot brother-in-law would love this museum.
I feel stupid for having voted for it.;I'm such an idiot, I forgot the date.;The debate was shamefully short.
Drug dealers have taken over the underpass.;The heroin epidemic killed more than the war.;Crack cocaine was seized at the port.
Abortion opponents gathered outside the clinic.;Euthanasia is legal in three more countries.;The fetus was examined after the accident.
The pope condemned paedophile priests.;Victims of child abuse demand a hearing.;The orphanage buried children in a mass grave.
Slave traders are honoured with statues, and that must end.;Racism in football is a problem of all clubs.;An antisemitic cartoon caused the row.
Islamists claimed the attack.;The mosque was set on fire at night.;The synagogue is guarded day and night.
Gay couples may adopt from January.;The lesbian bar closes after forty years.;Black voters decided the election.
White farmers own most of the land.;Immigrants pay more taxes than they receive, the study says.;Women earn less in every canton.
Men die younger than women.;Old people were left alone during the heat wave.;Refugees were rescued off the coast.
The minister lied about the bonus.;That claim is a lie, and the documents prove it.;The banker is a convicted fraudster.
The tyrant fled the capital.;The dictator was hanged by a mob.;Throw the bill out and start again.;This tax is theft, says the opposition.
The opposition called the budget a disgrace.;I hate this new website design.;Your headline is misleading garbage.;A horrible, ugly station.
The proposal is dead.;The virus is a silent killer.;That joke bombed.;She killed it on stage last night.
Shoot me an email if you have questions.;Let's beat the heat together.;The vote is a slap in the face for nurses.;Cut the crap and publish the figures.
Execution of the plan begins in March.;Blow the whistle and you lose your job.;The hostage video shocked the country.;They will fight the ruling to the death.
"""


def sentences() -> Iterator[Sentence]:
    """All contrast sentences, in a fixed order."""
    for block, hateful in ((NEUTRAL_ONE, False), (NEUTRAL_MANY, False), (COUNTER, False), (HATEFUL, True)):
        for number, template in enumerate(_split(block)):
            part = _part(number)
            people = _people(held_out=part == "test")
            yield from (Sentence(_filled(template, person), hateful, part) for person in people)
    for number, template in enumerate(_split(ABOUT_THINGS)):
        part = _part(number)
        things = (thing for thing in _split(THINGS) if (bucket(thing) < 3) == (part == "test"))
        yield from (Sentence(_capital(template.replace("{it}", thing)), False, part) for thing in things)
    yield from (Sentence(text, False, "train", 3.0) for text in (*_split(NEWS_TRAIN), *_split(MILD)))
    yield from (Sentence(text, False, "test") for text in _split(NEWS_HELD_OUT))


def _part(number: int) -> str:
    return "test" if number % 4 == 3 else "calibrate" if number % 8 == 1 else "train"


def news_held_out() -> list[str]:
    """The sentences of a newspaper's vocabulary that training never sees."""
    return _split(NEWS_HELD_OUT)


def identity_held_out(*, terms_held_out: bool = True) -> list[str]:
    """Neutral sentences about people: templates that training never sees, and identity terms that it never sees."""
    held = _split(NEUTRAL_ONE)[3::4] + _split(NEUTRAL_MANY)[3::4]
    return [_filled(template, person) for template in held for person in _people(held_out=terms_held_out)]


def counter_held_out() -> list[str]:
    """Sentences that quote or oppose hatred: templates and identity terms that training never sees."""
    return [_filled(t, p) for t in _split(COUNTER)[3::4] for p in _people(held_out=True)]


def hateful_held_out(*, terms_held_out: bool = True) -> list[str]:
    """Sentences that attack people for what they are: templates and identity terms that training never sees."""
    return [_filled(t, p) for t in _split(HATEFUL)[3::4] for p in _people(held_out=terms_held_out)]


def terms_held_out() -> list[str]:
    """The identity terms that training never sees in a sentence of ours."""
    return [one for one, _ in _people(held_out=True)]


def people_trained() -> list[tuple[str, str]]:
    """The identity terms of training: one, many."""
    return _people(held_out=False)


def _people(*, held_out: bool) -> list[tuple[str, str]]:
    pairs = [tuple(entry.split("|")) for entry in _split(PEOPLE)]
    return [(one, many) for one, many in pairs if (bucket(one) < 3 and one not in ALWAYS_TRAINED) == held_out]


def _filled(template: str, person: tuple[str, str]) -> str:
    one, many = person
    text = template.replace("{many}", many)
    vowel = "an" if one[0].lower() in "aeio" else "a"
    for article in ("a", "A"):
        text = text.replace(f"{article} {{one}}", f"{vowel.capitalize() if article == 'A' else vowel} {one}")
    return _capital(text.replace("{one}", one))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _split(block: str) -> list[str]:
    return [part.strip() for line in block.strip().splitlines() for part in line.split(";") if part.strip()]
