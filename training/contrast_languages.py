"""Our own contrast sentences in German and Portuguese: identity is no insult, news is no threat, an insult is one.

As in ``contrast.py``, all of it is made here, and whole templates and whole groups of people are held out.
"""

# ruff: noqa: E501

from collections.abc import Iterator

from moderation.scoring.languages import GERMAN
from training.contrast import Sentence
from training.heldout import bucket

FILLED_WEIGHT, WHOLE_WEIGHT = 0.06, 1.0
"""How much a sentence counts beside a tweet: one of many that a template makes, and one that stands by itself."""

GERMAN_PEOPLE = """
Schwule;Lesben;Homosexuelle;Transfrauen;Muslime;Juden;Christen;Katholiken;Atheisten;Buddhisten;Hindus;Türken;Kurden;Araber;Syrer
Afghanen;Iraner;Polen;Russen;Ukrainer;Rumänen;Italiener;Franzosen;Österreicher;Schweizer;Amerikaner;Chinesen;Nigerianer;Afrikaner
Flüchtlinge;Migranten;Asylbewerber;Ausländer;Zuwanderer;Frauen;Männer;Feministinnen;Rentner;Arbeitslose;Behinderte;Rollstuhlfahrer
Gehörlose;Sinti und Roma;Schwarze;Weiße;Ostdeutsche;Bayern;Israelis;Palästinenser
"""

GERMAN_ABOUT = """
{many} leben seit Jahrhunderten hier.;In unserer Straße wohnen viele {many}.;Ich arbeite mit {many} zusammen.;{many} haben die gleichen Rechte wie alle anderen.
Die Umfrage hat {many} nach ihren Mieten gefragt.;Viele {many} haben zum ersten Mal gewählt.;Ich habe nichts gegen {many}.;Meine besten Freunde sind {many}.
Der Minister traf Vertreter der {many}.;Angriffe auf {many} haben um ein Drittel zugenommen.;Das Gesetz schützt {many} vor Diskriminierung.
Im Stadtrat sitzen mehr {many} als früher.;Was denken {many} über den neuen Fahrplan?;Zwei {many} wurden bei dem Anschlag getötet, sagt die Polizei.
{many} und ihre Kinder waren zum Fest eingeladen.;Nicht alle {many} sind dieser Meinung.;Ein Museum über die Geschichte der {many} öffnet im Mai.
Wir sind {many} und zahlen Steuern wie alle.;Die Partei will weniger {many} aufnehmen, das Gericht sieht es anders.;{many} sind bei uns willkommen.
"""

GERMAN_HATEFUL = """
Ich hasse {many}.;{many} sind Abschaum.;{many} sind dreckig und faul.;Alle {many} raus hier!;{many} gehören abgeschoben.;{many} sind eine Plage.
{many} sind widerlich.;Schmeißt die {many} endlich raus.;{many} sind alle Verbrecher.;Man sollte alle {many} einsperren.;{many} sind dumm wie Brot.
Diese verdammten {many} kotzen mich an.;{many} sind Parasiten.;{many} sind keine Menschen.;Tod allen {many}!
"""

GERMAN_INSULTS = """
Idiot;Arschloch;Wichser;Hurensohn;Depp;Trottel;Vollidiot;Penner;Spast;Mistkerl;Scheißkerl;Drecksack;Bastard;Dummkopf;Blödmann;Schwachkopf
Vollpfosten;Pisser;Versager;Spinner;Lügner;Hohlkopf;Saftsack;Feigling;Volltrottel;Dreckskerl;Wixer;Hornochse;Widerling;Schwein
"""

GERMAN_INSULTING = """
Du bist ein {many}.;Du {many}!;Halt die Fresse, du {many}!;Was bist du nur für ein {many}?;Verpiss dich, du {many}.;So ein {many} wie du hat hier nichts zu suchen.
Der Autor ist ein {many}.;Halt endlich das Maul, {many}.;Nur ein {many} kann so etwas schreiben.;Geh sterben, du {many}.;{many}, fick dich!;Du dummer {many}, lern erst mal lesen.
"""

GERMAN_PLAIN = """
Ich bin schwul.;Ich bin lesbisch und glücklich verheiratet.;Mein Nachbar ist Muslim.;Meine Ärztin ist Jüdin.;Mein Kollege ist Türke.;Sie ist eine schwarze Frau.
Mein Sohn hat uns erzählt, dass er schwul ist.;Unsere Lehrerin trägt ein Kopftuch.;Er ist Flüchtling und macht eine Lehre als Bäcker.;Als Christ sehe ich das anders.
Meine Oma war Polin.;Der neue Bürgermeister ist homosexuell.;Ich bin Ausländer und lebe gern hier.;Mein Bruder sitzt im Rollstuhl.;Die Autorin ist Feministin.
Bist du Deutscher oder Österreicher?;Meine Freundin ist trans.;Er ist Jude und spricht offen darüber.;Wir haben eine syrische Familie im Haus.;Als Frau verdient man hier weniger.
"""

GERMAN_NEWS = """
Die Polizei entschärfte die Bombe.;Bei dem Anschlag starben zwölf Menschen.;Der Mörder wurde zu lebenslanger Haft verurteilt.;Die Lokführer streiken am Freitag.
Merkel traf gestern den französischen Präsidenten.;Die Regierung lehnt den Vorschlag ab.;Der Vergewaltiger wurde gefasst.;Die Armee beschoss das Dorf erneut.
Der Stürmer schoss zwei Tore.;Im Prozess geht es um Kindesmissbrauch in der Kirche.;Der Krieg dauert nun schon vier Jahre.;Die AfD verliert in der Umfrage zwei Punkte.
Die Grünen und die SPD verhandeln weiter.;Der Bundestag stimmt über das Asylrecht ab.;Die Moschee wurde in der Nacht angezündet.;Neonazis marschierten durch die Stadt.
Hitler kam 1933 an die Macht.;Der Holocaust darf nie vergessen werden.;In dem Lager wurden Juden ermordet.;Der Islam ist eine Weltreligion.;Der IS bekannte sich zu dem Anschlag.
Die Opfer fordern eine Entschuldigung.;Das ist eine dumme Idee, und sie wird uns Geld kosten.;So ein Unsinn, der Plan rechnet sich nie.;Der Artikel ist schlecht recherchiert.
Das Gesetz ist Murks und gehört abgeschafft.;Ich bin völlig anderer Meinung als der Autor.;Vielen Dank für den ausführlichen Bericht.;Der Bus kam schon wieder zu spät.
Wer soll das alles bezahlen?;Die Rente reicht vielen nicht zum Leben.;Das Schwein wurde am Freitag geschlachtet.;Unser Hund ist eine Hündin von vier Jahren.;Der Affe im Zoo hat ein Junges.
Mit Messer und Gabel isst man besser.;Die Mannschaft wurde vom Gegner zerlegt.;Die Ratten im Keller sind ein Problem.;Der Minister hat gelogen, das belegen die Akten.
Der Betrüger stahl vier Millionen.;Die Steuern steigen wieder.;Was für eine schreckliche Überschrift.;Das Spiel war schlecht, die Abwehr ein Witz.;Die Impfung schützt nicht jeden.
Ein Mann wurde vor dem Club erstochen.;Die Geiseln sind frei.;Der Attentäter handelte allein.;Ich schäme mich für diese Entscheidung.;Warum berichtet niemand darüber?
Guten Morgen zusammen, schöne Woche euch allen!;Herzlichen Glückwunsch zum Geburtstag.;Kann mir jemand sagen, wann der Markt öffnet?;Das sehe ich genauso.;Sehr schöner Beitrag, danke.
Die Brücke muss dringend saniert werden.;Der Zug fällt heute leider aus.;Ich wähle diesmal nicht mehr, mir reicht es.;Die Zahlen stimmen nicht, siehe Tabelle drei.;Die Wahlbeteiligung lag bei sechzig Prozent.
Deutschland nimmt weniger Flüchtlinge auf als im Vorjahr.;Das Attentat auf Kennedy bleibt ein Rätsel.;Das Gericht erklärte die Kündigung für unwirksam.;Die Bürger haben ein Recht auf Antwort.
Der Vorschlag ist idiotisch, das sage ich offen.;Ein beschissenes Wetter war das am Wochenende.;Verdammt, ich habe die Frist verpasst.;Mir geht das Laub der Nachbarn auf die Nerven.
"""

GERMAN_BODIES = """
die AfD;die SPD;die CDU;die Linke;die Kirche;die Polizei;die Regierung;die Presse;die EU;die Kanzlerin;die Armee;die Bundeswehr;die Türkei;die Antifa
die Opposition;die Verwaltung;die Zeitung;die Universität;die Ministerin;die Staatsanwaltschaft;die Bahn;die Gewerkschaft;die Moscheegemeinde
"""

GERMAN_REPORTS = """
Nach dem Anschlag will {many} die Gesetze ändern.;Menschen starben, und {many} schweigt dazu.;Warum tut {many} nichts gegen die Gewalt?;Den Toten gedachte auch {many} am Montag.
Der Krieg kostete Tausende das Leben, sagt {many}.;Im Streit um die Flüchtlinge gibt {many} nach.;Hart verurteilt {many} den Mord an den Geiseln.;Die Morde an Frauen beschäftigen {many} seit Jahren.
Vor Hass und Gewalt gegen Juden und Muslime warnt {many}.;Über Terror, Mord und Totschlag berichtet {many} jeden Tag.;Vierzig Getötete und hundert Verletzte zählt {many}.;Wer {many} kritisiert, ist noch lange kein Feind.
Abschiebungen nach Afghanistan lehnt {many} ab.;Im Krieg wurden wieder Kinder getötet, schreibt {many}.;Zu den Vergewaltigungen im Lager ermittelt {many}.;Der Täter stach zu, meldet {many}.
Diesmal hat {many} recht, finde ich.;Das Volk wählt, und {many} verliert.;Für die Rentner tut {many} zu wenig.;Mehr Geld für Schulen fordert {many}.;Von Islamisten bedroht fühlt sich {many}.
Dass {many} dagegen ist, wundert mich nicht.;In Syrien herrscht Krieg, und {many} sieht zu.;Die Zahlen zur Kriminalität hat {many} am Freitag vorgelegt.;Zum Kopftuch urteilt {many} anders.
"""

PORTUGUESE_PEOPLE = """
gays;lésbicas;homossexuais;mulheres trans;muçulmanos;judeus;cristãos;católicos;evangélicos;ateus;budistas;umbandistas;negros;brancos;indígenas;asiáticos
nordestinos;paulistas;cariocas;gaúchos;argentinos;venezuelanos;bolivianos;haitianos;portugueses;angolanos;africanos;americanos;chineses;japoneses;árabes
refugiados;imigrantes;estrangeiros;mulheres;homens;feministas;idosos;adolescentes;desempregados;cadeirantes;surdos;cegos;autistas;ciganos;moradores de rua
"""

PORTUGUESE_ABOUT = """
{many} vivem aqui há séculos.;Na nossa rua moram muitos {many}.;Eu trabalho com {many}.;{many} têm os mesmos direitos que todos.;Não tenho nada contra {many}.
A pesquisa perguntou a {many} sobre o aluguel.;Muita gente aprendeu com {many}.;Meus melhores amigos são {many}.;O ministro recebeu representantes de {many}.
Os ataques a {many} aumentaram um terço.;A lei protege {many} contra a discriminação.;Há mais {many} na câmara do que antes.;O que {many} acham do novo horário?
Dois {many} morreram no atentado, diz a polícia.;{many} foram convidados para a festa.;Nem todos os {many} pensam assim.;Um museu sobre a história de {many} abre em maio.
Somos {many} e pagamos impostos como todos.;{many} são bem-vindos no nosso clube.;O filme fala de {many} no interior.
"""

PORTUGUESE_HATEFUL = """
Eu odeio {many}.;{many} são lixo.;{many} são nojentos.;Fora todos os {many}!;{many} são uma praga.;{many} tinham que morrer.;{many} são todos bandidos.
Tinha que prender todos os {many}.;{many} são burros demais.;Esses {many} de merda me dão nojo.;{many} são parasitas.;{many} nem são gente.;{many} não prestam.
"""

PORTUGUESE_INSULTS = """
idiota;imbecil;otário;burro;babaca;cuzão;arrombado;corno;escroto;canalha;desgraçado;filho da puta;retardado;trouxa;cretino;palhaço;nojento;merda
vagabundo;safado;covarde;mentiroso;verme;lixo humano;animal;fracassado;jumento;asqueroso;vigarista;energúmeno
"""

PORTUGUESE_INSULTING = """
Você é um {many}.;Seu {many}!;Cala a boca, seu {many}!;Vai tomar no cu, {many}.;Que {many} que você é.;Só um {many} escreve uma coisa dessas.
O autor é um {many}.;Some daqui, {many}.;Vai se foder, seu {many}.;Deixa de ser {many} e aprende a ler.;Morre logo, {many}.;Um {many} como você não devia comentar aqui.
"""

PORTUGUESE_PLAIN = """
Eu sou gay.;Sou lésbica e feliz no casamento.;Meu vizinho é muçulmano.;Minha médica é judia.;Meu colega é negro.;Ela é uma mulher trans.;Meu filho contou que é gay.
Nossa professora usa véu.;Ele é refugiado e trabalha numa padaria.;Como cristão, eu vejo diferente.;Minha avó era indígena.;O novo prefeito é homossexual.
Sou estrangeiro e gosto de morar aqui.;Meu irmão anda de cadeira de rodas.;A autora é feminista.;Você é brasileiro ou português?;Sou preta e tenho orgulho.;Meu pai é nordestino.
Ele é judeu e fala disso abertamente.;Uma família venezuelana mora no meu prédio.;Sou sapatão com orgulho.;Minha namorada é bissexual.;Ele é velho e sabe das coisas.
"""

PORTUGUESE_NEWS = """
A polícia desativou a bomba.;Doze pessoas morreram no atentado.;O assassino foi condenado a trinta anos.;Os motoristas entram em greve na sexta.;O presidente viajou ontem para Portugal.
O governo rejeitou a proposta.;O estuprador foi preso.;O exército bombardeou a aldeia de novo.;O atacante marcou dois gols.;O processo trata de abuso de crianças na igreja.
A guerra já dura quatro anos.;O partido perdeu dois pontos na pesquisa.;O congresso vota a reforma amanhã.;A mesquita foi incendiada à noite.;O ministro mentiu, mostram os documentos.
Hitler chegou ao poder em 1933.;O racismo é crime no Brasil.;A homofobia mata todos os dias.;As vítimas pedem justiça.;É uma ideia ruim e vai custar caro.;Que bobagem, esse plano nunca fecha a conta.
A reportagem foi mal apurada.;A lei é ruim e deveria ser revogada.;Discordo completamente do autor.;Muito obrigado pela reportagem detalhada.;O ônibus atrasou de novo.;Quem vai pagar por tudo isso?
A aposentadoria não dá para viver.;O porco foi abatido na sexta.;Nossa cachorra tem quatro anos.;A vaca deu cria ontem.;O macaco fugiu do zoológico.;O veado atravessou a estrada.;A galinha botou três ovos.
O time foi goleado.;Os ratos do porão são um problema.;O golpista roubou quatro milhões.;Os impostos subiram outra vez.;Que manchete horrível.;O jogo foi ruim e a defesa, uma piada.
Um homem foi esfaqueado na porta do bar.;Os reféns foram libertados.;Tenho vergonha dessa decisão.;Por que ninguém fala disso?;Bom dia a todos, boa semana!;Feliz aniversário, tudo de bom!
Alguém sabe a que horas abre a feira?;Penso igual.;Muito bom o texto, parabéns.;A ponte precisa de reforma urgente.;O trem foi cancelado hoje.;Não voto mais, cansei.;Os números não batem, veja a tabela três.
A participação foi de sessenta por cento.;O tribunal anulou a demissão.;O cidadão tem direito a uma resposta.;A proposta é idiota, digo isso abertamente.;Que droga, perdi o prazo.;O barulho do vizinho me irrita.
Bolsonaro e Lula debateram na televisão.;O PT e o PSDB negociam.;A favela recebeu uma escola nova.;A facada no candidato foi filmada.;O tráfico controla o morro.;O travesseiro é macio.;A bicha de sete cabeças é um conto antigo.
O câncer de mama tem cura.;A prostituição é legal nesse país.;O viaduto caiu de madrugada.;Ela foi morta pelo marido.;A enchente matou vinte pessoas.;O deputado foi chamado de ladrão no plenário.
"""

PORTUGUESE_BODIES = """
a polícia;a igreja;a imprensa;a prefeitura;a oposição;a esquerda;a direita;a câmara;a ONU;a defesa;a universidade;a polícia federal;a Petrobras;a Globo
a ministra;a presidenta;a torcida;a vizinhança;a promotoria;a escola;a polícia militar;a justiça;a associação
"""

PORTUGUESE_REPORTS = """
Depois do atentado {many} quer mudar a lei.;Morreu gente, e {many} não diz nada.;Por que {many} não faz nada contra a violência?;Na segunda {many} lembrou os mortos.
A guerra matou milhares, diz {many}.;Na briga sobre os refugiados {many} cedeu.;Com dureza {many} condenou o assassinato dos reféns.;Os assassinatos de mulheres preocupam {many} há anos.
Contra o ódio a judeus e muçulmanos {many} fez um alerta.;De tiro, morte e tráfico {many} fala todo dia.;Quarenta mortos e cem feridos, conta {many}.;Criticar {many} não é crime.
Crianças foram mortas de novo, escreve {many}.;O estupro na praia é investigado, informa {many}.;O ladrão atirou primeiro, segundo {many}.;Desta vez {many} tem razão, eu acho.;O povo vota e {many} perde.
Para os aposentados {many} faz pouco.;Mais dinheiro para as escolas, pede {many}.;Não me espanta que {many} seja contra.;Os números do crime {many} publicou na sexta.;O nariz do palhaço foi doado por {many}.
"""


def sentences(language: str) -> Iterator[Sentence]:
    """Every sentence of ours in ``de`` or ``pt``; held out is what has a template or a group that training never sees."""
    german = language == GERMAN
    people = _parts(GERMAN_PEOPLE if german else PORTUGUESE_PEOPLE)
    insults = _parts(GERMAN_INSULTS if german else PORTUGUESE_INSULTS)
    yield from _filled(GERMAN_ABOUT if german else PORTUGUESE_ABOUT, people, hateful=False)
    yield from _filled(GERMAN_HATEFUL if german else PORTUGUESE_HATEFUL, people, hateful=True)
    yield from _filled(GERMAN_INSULTING if german else PORTUGUESE_INSULTING, insults, hateful=True)
    bodies = _parts(GERMAN_BODIES if german else PORTUGUESE_BODIES)
    yield from _filled(GERMAN_REPORTS if german else PORTUGUESE_REPORTS, bodies, hateful=False)
    for block in (GERMAN_PLAIN, GERMAN_NEWS) if german else (PORTUGUESE_PLAIN, PORTUGUESE_NEWS):
        for text in _parts(block):
            yield Sentence(text, False, _part(held_out=bucket("plain " + text) < 4), WHOLE_WEIGHT)


def _filled(templates: str, fillers: list[str], *, hateful: bool) -> Iterator[Sentence]:
    """Template and filler both for training, or both held out; what would mix the two is left out."""
    for template in _parts(templates):
        held_out = bucket("template " + template) < 3
        for filler in fillers:
            if held_out == (bucket("group " + filler) < 3):
                text = template.format(many=filler)
                yield Sentence(text[:1].upper() + text[1:], hateful, _part(held_out=held_out), FILLED_WEIGHT)


def _parts(block: str) -> list[str]:
    return [part.strip() for line in block.strip().splitlines() for part in line.split(";") if part.strip()]


def _part(*, held_out: bool) -> str:
    return "test" if held_out else "train"
