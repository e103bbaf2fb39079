"""Our own spam and what looks like it and is none: kinds of spam that the collections lack, and a newspaper's look-alikes.

A line is a template. ``{a|b}`` is one of the two, ``{sum}`` one of the fillers below; both nest. From a template with
gaps several sentences are made, always the same ones.
"""

# ruff: noqa: E501

import random
import re

SPAM = """
{hey|}{check out|come check out|have a look at|take a look at|peep|visit|go watch|go see} my {new |latest |first |own |}{own} {please|plz|pls|if you have a minute||thank you}{end}
{hey|}{please |plz |pls |}{subscribe|sub|suscribe|subscrib} to my {channel|youtube channel|gaming channel|music channel|vlog}{, it would mean a lot|, I upload every day| and leave a like|}{end}
{sub|subscribe} to me and {I will|ill|I'll|i} {sub|subscribe} back{end}
{sub4sub|sub 4 sub|follow for follow|like for like|sub for sub}{, reply when done| anyone?|, I am honest|}{end}
if i {get|reach|hit} {count} {subscribers|subs|followers|likes} {by {Friday|the end of the month|Christmas}|today|} i {will|am going to} {shave my head|eat a whole lemon|jump in the lake|do a giveaway|post a face reveal|dye my hair blue}
{help me|help us|trying to} {get to|reach|hit} {count} {subscribers|subs|followers|views}{ please| plz|, every one counts|}{end}
can I get {count} {likes|subs|subscribers|thumbs up|views}{ for no reason| please| before midnight|}{?|??|}
{like|thumbs up|upvote} {this comment|this|} if {you agree|you are reading this|you love your mum|you hate {name}|you have ever been sad|you are awake at 3 am|you are from {place name}}
like this {comment |}{for no reason|because why not|or else|and you will have luck|to make it top comment|so everyone can see}{end}
{let's get|lets get|get} this {comment|} to {the top|{count} likes}{end}
{give|throw} {this|it|me|my comment} a {like|thumbs up|sub|follow}{ please| guys| plz|}
{share|repost|post|copy and paste} this {to|on|in} {ten|5|15|20} {videos|pages|friends|other videos|people} {or|otherwise} {you will have bad luck for seven years|she will stand by your bed tonight|your mother will die in her sleep|you will never find love}
{do not ignore this|once you have read this you cannot stop}, a girl {died|drowned} here in {year} and now you must {post|send} it to {ten|20} others
{hey guys|hi everyone|hello all|hi there|yo}, {I'm|I am|my name is} {name} and {I make|I do|we make|I upload|I post} {covers|vlogs|gaming videos|comedy sketches|beats|remixes|tutorials|dance videos|makeup videos|pranks}{, check them out|, please subscribe|, come by and tell me what you think|, my channel needs love}{end}
{I'm|I am} {13|14|15|16|17|just a kid} {years old |}and {I sing|I rap|I play guitar|I make music|I dance|I'm a singer}, {give me a chance|please give my videos a chance|just one minute of your time|check my page}{end}
{I know|sorry,|sorry, I know} {this is spam|this is annoying|everybody hates these comments|nobody reads this}{ but|,} {please|just} {listen|hear me out|check my channel|watch one of my videos|give me a minute}
{I just|we just|just} {started|made|opened|launched} {a|my own} {channel|gaming channel|youtube channel|music page|podcast|clothing brand|online shop}{ and|,} {need|would love|could use} {your support|some subscribers|feedback|a few followers}
there is a {video|song|clip} {on my channel|on my page} {about|of} {my dog|my brother|a fight|how to dance like this|the end of the world}
{go to|head over to|see|look at} my {channel|page|profile|account} {if you want to see|for|to see} {funny videos|better music|free beats|a cat that sings|a surprise|more like this}{end}
{real|true|good} {music|hip hop|rap|rock} {lovers|fans|heads}, {check|listen to|search for|look up} {name}{ on soundcloud| on spotify| on youtube|}, you will not regret it{end}
{search|look up|type in|google} "{name} {- Rise|- Never Home|- Gold Chain|official|freestyle}" {on youtube |}{and you will be amazed|thanks|please|he is the next big thing}{end}
{listen to|download|stream|buy|get} my {new |debut |}{single|track|mixtape|album|EP|song|beat} {for free |now |today |}{at {link}|on {social}|on my page}{end}
{follow|add|find|hit me up on|dm|message} me on {social}{ @{handle}|: {handle}| {handle}|, I follow back|}{end}
{insta|ig|snap|twitter|kik|telegram|whatsapp}: {handle}
{vote|please vote|can you vote} for {me|my band|us|my daughter|{name}} {in the contest|in this competition|to win a scholarship|} {here |at |}{link}
{please |can you |}{donate|give|help}{, even one dollar helps| whatever you can|}, {my dog|my mother|our church|my son|my family} needs {surgery|a new home|a wheelchair|help}: {link}
{please |}{sign|share} {this|my|our} petition {to bring back the show|against the ban|to save the whales|to stop this}{ here|:|} {link}
{please |}{like|like and share} my {facebook |}page{: {link}| please| on facebook|}{end}
{check out|watch|look at|see} this {video|clip|playlist|channel|app|site}{ on youtube|}{:|} {link}
{check out|watch} this {video|playlist} on {youtube|facebook|vimeo}:
{look at this|this is crazy|wow|omg|so funny|must see|lol|true story}{:|} {link}
{click|click here|click this|press here}{ to win|: | now | } {link}
{link}
{link} {link}
{link} {check it out|please watch|my new song|subscribe|click|free|thanks}
{go to|visit|come to|try|join} {link}{ now| today| and thank me later| for more|}{end}
{this reminds me of|sounds like|even better:} {my song|my band|our new track|this cover} {link}
{join|come and join} {me on|us on|our} {social|discord server|telegram group|whatsapp group}{ {link}|, link in bio|, we share tips|}{end}
{I|my {cousin|friend|sister in law|roommate|neighbor}} {make|makes|made|earned|gets|get} {sum} {an hour|a week|last month|per day|every month} {working from home|on the laptop|online|with this site|just by typing}{, {read more here|see how|find out how|check this}| go to|:} {link}
earn {sum} {a day|a week|weekly|monthly} {from home|online|with no experience|with your phone}{, no boss, no risk|}{:|,|} {{link}|write to {mail}|message {phone}}
{get|earn|win|receive} {free |}{gift cards|paypal money|cash|prizes|an iphone|a playstation} {for|by} {watching videos|filling in surveys|testing apps|inviting friends}{:|,|} {link}
{I paid my rent|I quit my job|I bought a car} thanks to this {site|system|app}{, you can too|}{:|,|} {link}
{use|enter} my {code|referral code|invite code|promo code} {handle} {and get|to get|for} {10% off|a free month|{sum} free|bonus coins}{end}
{sign up|register|join} {here|now|today}{ and get|, get} {sum}{ for free| bonus| in your account|}: {link}
free {robux|v-bucks|skins|coins|gems|minecraft accounts|followers|steam keys}{, no survey|, works in {year}|, 100% legit|}{:|} {link}
{how to hack|hack any|get into any} {facebook|instagram|whatsapp|snapchat} account{ in two minutes|}: {link}
watch {the |}{full |}{movie|match|episode|series} {free|online free|in HD|live stream}{ here|}: {link}
{investing|trading} with {title} {name} {changed my life|was the best decision|has been wonderful|saved my family}{, I|. I} {withdrew|made|earned|received} {sum}{ in {a week|two weeks|a month}|}, {contact|reach|message|text} {her|him} on {social|WhatsApp {phone}|Telegram {handle}}
{thanks to|all thanks to|big thanks to|I will always be grateful to} {title} {name}{,|} {my|the best|a legit} {broker|account manager|trader|expert|recovery agent} {for helping me|who helped me} {recover|earn|get back|withdraw} {sum}
{who else|anyone here|I am surprised nobody here} {is trading|trades|knows|mentions} with {title} {name}? {She|He} {is a genius|has made me {sum}|is on telegram {handle}}
{double|triple|grow} your {bitcoin|crypto|btc|money|savings|eth} {in {a week|24 hours|ten days}|fast|without risk}{, {join|write to|message}|:} {{link}|{mail}|{phone}}
{crypto|forex|bitcoin|binary options} {signals|trading|mining|investment} {with 95% accuracy|for beginners|guaranteed profit|daily payouts}{,|:} {{link}|join telegram {handle}|contact {mail}}
{I lost|I was scammed of|they stole} {sum} {in crypto|to a fake broker|in bitcoin} {until|but} {a hacker|{name}|this recovery expert} {recovered|got back} {everything|all of it}{,|.} {contact|email|write to} {mail}
{do you|you} {need|want} {a|an urgent|a quick} {loan|business loan|credit}{ at {2|3}%|}{?|,} {apply now|contact us|email us|call}{:|} {{mail}|{phone}}
{we offer|get|apply for} {loans|personal loans|a loan of {sum}}{ without a credit check| today| in 24 hours|}{,|:} {{mail}|{phone}|{link}}
{a spell caster|Dr {name}|the great priest {name}|this powerful man} {brought back my husband|brought my ex back|cured my herpes|cured my diabetes|helped me win the lottery}{ in {two days|a week}|}{,|.} {contact him|email|whatsapp}{:|} {{mail}|{phone}}
{hire|contact} {a|this|the best} {hacker|private investigator}{ to spy on your partner| for any phone| to change your grades|}: {{mail}|{phone}}
{buy|order|get|cheap} {viagra|cialis|xanax|tramadol|weight loss pills|steroids|testosterone}{ online| without prescription|}{, {fast|discreet} delivery|}{:|} {{link}|{mail}}
{lose|I lost} {20|30|15} {pounds|kilos|kg} in {two weeks|a month} {with|thanks to} this {one trick|tea|pill|keto plan}{:|} {link}
{best|new|top} {online casino|betting site|poker room|slots}{, {sum} {welcome bonus|free}|}{, play now|}: {link}
{bet|sure tips|win big} {on football|every weekend|with us}{, 99% sure|}: {{link}|telegram {handle}}
{hot|sexy|lonely|single} {girls|women|singles|ladies} {near you|in your area|are waiting|want to chat}{, join free|, no card|}: {link}
{I am|I'm} {lonely|bored|new here}, {22|24|21}, {text|message|write|find} me {here|on {social}|on my page} {{link}|}{ xx| for pics| kisses|}
{cheap|replica|designer|original} {watches|handbags|sneakers|sunglasses|jerseys|phones}{, free shipping|, 70% off|, wholesale price}{:|} {{link}|{mail}}
{buy|get|order} {real |}{followers|likes|views|subscribers|reviews}{, cheap and fast|, instant delivery|}{:|} {link}
{we write|get help with|buy} {essays|your essay|your thesis|assignments|homework}{, {cheap|original}, on time|, written by experts|}{:|} {{link}|{mail}}
{seo services|backlinks|guest posts|web design|logo design}{ from {sum}|, first page guaranteed|, cheap|}{, {write to|contact}|:} {{mail}|{link}}
{buy|get} {a |}{real |registered |}{passport|driving licence|diploma|degree|IELTS certificate}{ online| without exam|}{,|:} {{mail}|whatsapp {phone}}
{best|cheap} iptv {subscription|service}{, 10000 channels|}{,|:} {{link}|whatsapp {phone}}
{great|nice|wonderful|very informative|awesome|excellent} {article|post|blog|write up|share|content}{!|.|,} {I also write about this|visit my blog|see my site|check out my page|please visit mine}{:|} {link}
{thanks for sharing|I really like your blog|I have bookmarked your site|your writing helped me a lot}{,|.} {visit|see also|feel free to visit|look at} {my website|my page|our company}{:|} {link}
{looking for|need} {a plumber|car rental|movers|packers and movers|a locksmith|air conditioning repair|escort service} in {place name}? {call|contact|visit} {phone|{link}}
{congratulations|dear winner|dear customer}, you {have won|won|were selected for} {a prize of {sum}|a gift card|an iphone|our draw}{, claim it|. Claim it now}: {{link}|{phone}|{mail}}
your {parcel|account|card|payment} {could not be delivered|was suspended|is blocked|is on hold}, {pay the fee|confirm your details|log in} {here|at}: {link}
{visit|try|see} {domain}{ for| and get|,} {free|cheap|the best} {games|movies|deals|music|tickets|mp3}{end}
{domain} {is the best site|has it for free|where dreams come true|for all your needs|pays for real}
just a test: {domain}
you should {check|visit|try|watch|see} {domain|{link}|my channel|my videos}{, it is awesome|, seriously|}{end}
{make|making} money {online|on the internet|with youtube} is {easy|possible}{, I|: I} {show|explain|tell you} {how|everything} {on my channel|in my videos|here {link}|at {domain}}
{new|hot|fresh} {video|song|remix|cover|episode} {on my channel|up now|out now}{, go watch|, tell me what you think|, link in my profile}{end}
{my|our} {new |first |}{song|video|cover|remix|mixtape} {is out|is up|just dropped}{, please share|, go listen|, tell your friends}{end}
{come|please come} {see|watch|visit|support|join} {my|our} {band|channel|stream|page|server|shop}{, we are new|, it is free|, you will love it|}{end}
{who wants|does anybody want} to {be friends|chat|collab|trade subs|skype|play minecraft}? {add me|my skype is {handle}|my channel is {handle}|message me}
{this song|this video} {sucks|is old}, {my|our} {cover|version|channel} is {better|way better}{, check it|}{end}
{read|get|buy} my {book|ebook|novel|guide} {on amazon|for free|at {link}}{ and leave a review|}
{jesus loves you|the end is near|the truth is coming}, {visit|watch|learn more at|subscribe to} {{link}|{domain}|my channel}
{download|install|try} {this|our|my} {app|game|plugin}{, it pays {sum}|, it is free|}{:|} {link}
{these|our|the new} {shirts|hoodies|mugs|sunglasses|phone cases|posters|sneakers} are {on sale|available|sold worldwide|almost gone}{, get yours| until {Friday|December 4}|, great gift for christmas|}{:|} {link}
{never|no more} {lose your keys|clean the filter|pay for cable|struggle with belly fat}{ again|}, {this gadget|this trick|our product} {solves it|does it for you|is all you need}{:|} {link}
{more|more here|details|info|full story|source of income|see more}...? {link}
{a|the} {beautiful|new|great} {song|voice|talent|artist} {from|of} {place name}, {discover|listen|enjoy}{:|} {link}
{nice|cool|good} {song|video|beat}{!|,} {here is|check|see|listen to} {mine|ours|my version|our remix}{:|} {link}
{dance|love|party|music} {music |}{here|for you all}{:|} {link}
{subscribe|sub} to {me|us|this channel|{name}}{ if you {hate school|love pizza|are cool}| for a cookie| and win| or die| right now|}{end}
{whoever|anybody who|everyone who} {subscribes|subs|follows} {to me |}{gets|will get|wins} {a shoutout|a sub back|a surprise|10 subscribers}{end}
{only|I have|we have} {count} {subs|subscribers|followers}{,|:} {help us grow|let us get to {count}|please subscribe|make it double}{end}
{how many|lets see how many} {likes|thumbs up} {for|can} {this dog|my mum|world peace|this comment get|we get}{?|!}
{tell me|rate|give feedback on|comment on} {what you think of |}my {new |first |}{song|video|cover|dance|cartoon}{ please| guys| and I do yours|}{end}
come {and|to} {watch|see|hear} my {video|cartoon|band|cover}, {it is called|look for} {name}{end}
{hey|hello|hi}, {check this out|look at this}: {name} - {gold chain|never home|the rise}{. they deserve more views|, better than this|, you are welcome|}
{if you like|for all who like|are you into} {rap|dubstep|minecraft|anime|guitar music|funny cats}{, come| then come|, go}{ over|} to my {channel|page|stream}{end}
{I|we} {post|upload|stream} {every day|daily|each Friday}{, so|,} {come by|subscribe|follow|do not miss it}{end}
{lol|haha|omg}, {go to|click on|look at} my {channel|picture|profile|name}{end}
{visit|see|follow} {my profile|my bio|the link in my bio|the link on my page} {for|to get} {more pics|free coins|a surprise|the full video}{end}
{whatsapp|call|text|sms} {me|us} {on|at|now} {phone}{ for more| for details| lonely girls only| serious people only| xx|}{end}
{phone} {call me|nice girl, talk to me|for a loan|text for a good time|24 hours}{ {phone}|}
{get|win} {paid|cash} {to|for} {watch videos|your opinion|play games|walking}{,|:} {sign up|join free|start today} {link}
{my|this} {system|course|ebook|mentor} {shows|taught me} {how|you how} to {make {sum} a day|trade|quit your job|retire at 30}{,|:} {link|on my channel|message me}
{the|our} {agency|team|company} {offers|provides} {visa services|cheap flights|web design|cleaning|roofing|tax advice}{ in {place name}|}{,|.} {contact|call|visit} {phone}{ or {link}|}
{thank god|thanks be|I am so happy}, {title} {name} {paid me|sent me} {sum} {after|for} {an investment of {sum}|three days}{, try|.} {telegram|whatsapp} {handle}
{casino|slots|crypto|shop|deals} {bonus|code|promo}: {handle}{ at {domain}| {link}|}
{nobody|no one} will {see|read} this but {if you do|anyway}, {check my channel|like it|I make music|I sell shirts}{end}
{send|spread} this to {everyone|ten people} you {know|love} {and|,} {something good will happen|you will get money|your crush will call}{end}
"""

HAM = """
{love|I love|I really love|loved} {this|the|that} {song|video|tune|track|beat|clip}{ so much| a lot| since {year}|}{end}
{best|greatest|worst|funniest|weirdest} {song|video|clip|dance|singer} {ever|of all time|of the year|in the world|I have seen}{end}
{this|it} {never gets old|still slaps|brings back memories|makes me happy|makes me want to dance|made my day|gives me chills|is so catchy}{end}
{who is|who's|anyone|anybody|is anyone} {still |}{watching|listening|here} {in {year}|today|after the concert|because of the film|from {place name}}{?|??|}
{I am|I'm|im|still} {watching|listening to|here for} this in {year}{end}
{count} {views|million views|billion views|thousand comments}{?|, wow|, that is crazy|, how| already| and counting|}{end}
{how|why} does this {video|song|thing} have {so many|{count}|more} {views|dislikes|likes|comments}{?| and the good ones do not?}
{just|only} {came|came here|here} to {see|check|look at} {the views|the view count|how many views it has|the comments|the lyrics}
{I|we} {used to|would always} {dance|sing|listen} to this {in school|with my sister|when I was {8|10|12}|every day|in {year}}
{the|that} {guy|girl|woman|dog|kid|dancer} {in the {hat|red coat|back|lift}|at {time}|with the glasses} {is|was} {hilarious|so funny|me|my spirit animal|the best part}{end}
{at|go to} {time} {you can see the cameraman|look at his face|he falls|the best part starts|there is a mistake}
{what|does anyone know what} {is|} {the name of {this|the} song|the song at {time}|the lyrics mean|she says at {time}}{?|}
{she|he} {is|looks|was} {so |}{beautiful|hot|talented|funny|young here|amazing}{end}
{her|his} {voice|dancing|dress|smile} {is|was} {amazing|horrible|everything|out of this world}{end}
{rip|rest in peace|miss you} {legend|king|queen|name}{, gone too soon|}{end}
{lol|lmao|omg|wow|haha|hahaha|ok|nice|cool|awesome|amazing|wtf|epic|first|same|yes|no|true|why}{end}
{lol|omg|haha} {so funny|I cannot|look at that dance|this song|what is this|my brother does that}{end}
{this|this song|this video} {sucks|is trash|is terrible|is so bad|is stupid|is overrated|makes no sense}{end}
{I hate|I can't stand} {this song|his voice|this kind of music|the chorus}{end}
{I|my {son|daughter|dad|grandma|cat}} {like|likes|liked|loves} {this|this song|this video|the beat|the dance|it}{ very much| a lot|}{end}
{the|this} {channel|video} {has|had} {more|fewer|{count}} {views|subscribers} {than|last year, and now it has more than} {the other one|my whole country|the anthem}
{this is|it was} the {first|most viewed|most liked} video {I ever saw|on this site|with a billion views}{end}
{he|she|they} {deserve|deserves|should have} {more|the} {views|credit|subscribers|award}{end}
{the drop|the chorus|the intro|the end} {at {time} |}is {fire|lit|so good|the best part}{end}
{play|watch|listen to} this at {double speed|0.5 speed|full volume|night}{ and thank me|, it is hilarious|}
{why|how come} {is everybody|are people} {spamming|advertising|begging for subs} {here|in the comments}{?|, it is annoying}
{stop|please stop} {advertising|spamming|asking for likes}{ in the comments|}{, nobody cares|}{end}
{I subscribe|I have subscribed} to this paper {since {year}|for thirty years} and {I expect better|I am thinking of leaving|I like the new layout}{end}
{please|do} {check|read|look at} the {facts|numbers|figures|second paragraph|headline|date} {before you print this|again|, it is wrong}{end}
{please subscribe|subscribe} to the {print edition|paper|local paper}, {I do|it keeps the town honest|somebody has to pay for this}{end}
I would {like|love} {this comment section to stay open|to see the figures|to hear the other side|more reports like this}{end}
{I like|I liked} {this article|this report|her column|the photograph}{, it names its sources| because it is fair|, thank you|}{end}
{check|see|look at} {the council's site|the city's website|the ministry's page|the report}{:|,|} {news}
{visit|see} the {exhibition|museum|market|open day} {on Sunday|this weekend}, {it is free|the entry is {price}|it is worth it}{end}
{call|ring|phone} {the hotline|the helpline|the council|your doctor|my office} {on|at|} {116 123|0800 111 222|101|{phone}}{ if you feel low| if your meter is broken| and complain|, they help|}
{write to|email|contact} {your MP|your senator|the mayor|the editor|the council} {at {official mail}|and say so|before the vote|today}{end}
{I paid|we paid|it costs|they charge|a ticket is} {price}{ for {a coffee|parking|one night|the same trip}| a month| a year| a head|}{, which is absurd| and it was worth it|, and for what?|}
{the council|the city|the state|the minister} {spent|wasted|wants} {price} {on|for} {a website|the new stadium|bus lanes|advisers|a study}{end}
{source|see|here|the report|more here|the figures}{:|} {news}
{news}{ says the opposite| has the numbers| from {year}|, page 12|}
{according to|as|it says in} {news}{, |}{the rate fell|crime is down|it was known in {year}}
{here is|this is} the {study|law|ruling|interview|map|video of the debate} {the author means|I was talking about|everybody quotes}: {news}
{this was reported|it was in the papers} in {year} already, see {news}
{you can|anybody can} {read|look up|download} the {minutes|ruling|bill|data} {here|at|on} {news}
{watch|listen to} {the whole speech|the hearing|the interview} before you {judge|comment}{: {news}|}{end}
{have you|did you} even {read|watch} the {article|video|link}{?|? It says the opposite.}
{the loan|the credit|a mortgage} of {price} was {never paid back|approved in a day|a gift to friends}{, the auditors say|}
{bitcoin|crypto|forex} is {a bubble|a pyramid scheme|gambling|not money}, {I said so in {year}|ask anybody who lost {price}|and the regulator sleeps}
{I|my brother} {lost|invested|put} {price} {in bitcoin|in that fund|on shares} {and|but} {sold too early|it is gone|I do not complain}
{the casino|the betting shop|the lottery} {will ruin the lake shore|takes money from the poor|pays no tax here|should be closed}{end}
{viagra|cannabis|steroids|opioids} {was found by accident|should be legal|killed my cousin|is big business}, {the article should say so|that is the point|and nobody is charged}
{sex workers|escorts|dating apps|single mothers} {need a union|are not the problem|pay tax too|get blamed for everything}
he {won|earned|made|got|inherited} {price} {last year|in the lottery|for one speech} and {gave it away|paid no tax|still wants more}
{support|help} {your library|local journalism|your neighbours|the food bank}{, it costs {price} a head|, you will miss it|}{end}
{I shared|my wife shared} this {with my class|with my friends|on facebook}{ and they laughed|, it should be read|}{end}
{please vote|go and vote|vote} {on Sunday|in May|by post|for whoever you like}{, it matters|, whoever you vote for|}{end}
{sign|I signed} the petition {at the town hall|in the library|}{ if you care|}{end}
{follow the money|as they say, follow the money|free speech is not free|you get what you pay for|buy local and the shop will stay|there is no free lunch}{end}
{thank you|thanks}{ for {the|this} {article|report|careful work|correction|update}| very much|, I learned a lot|}{end}
{great|good|nice|fine|excellent} {article|post|point|piece|work|picture|question}{, thank you|, I agree|}{end}
{I agree|I disagree|so true|exactly|well said|same here|not true|fake news|nonsense}{end}
{my|our} {website|page|channel|group} {was down too|was hacked|is run by the parish|has three readers}{, so what|}
{the new|that} {video|app|channel|site} {surveillance will not help|of the ministry does not work|the school uses is a joke|crashes}
{his|her|their} {channel|blog|page|account|video} was {blocked|deleted|taken down|suspended}{ for no reason| last week|}
{they|facebook|google|twitter|youtube|amazon} {should|must|does not} {pay tax here|delete such posts|care about us|be broken up}{end}
{please|can you} {add a source|fix the link|move this page|check your mail|sign your posts|do not delete my article|see my talk page|look at the history}{end}
{hi|hello|hey}{,| there,| all,} {thanks for your message|I have left a note on your page|welcome|could you look at this|I fixed the table|sorry for the late reply}{end}
{I added|I removed|I restored} {the link|a source|the section}{, see {news}| because it was spam| again|}
{click|if you click} {on the map|the arrow|the link in the article|"show more"} {it|the page} {crashes|shows nothing|asks for a password}
{is|was} {the concert|the exhibition|parking|the bus} free {for children|on Sundays|or not}{?|}
{the phone number|the link|the email address} in the article {is wrong|does not work|is the old one}{end}
{meet|we meet} {at the town hall|in front of the station} at {6|7} {pm|in the evening}{, bring candles|}{end}
{join|I joined} {the party|the union|the protest|the army|the club} {in {year}|and see|for the wrong reasons}{end}
{lost|found}: {a grey cat|keys|a wallet} near the {park|station}{, call {phone}|, please ask at the kiosk}
{he|she|the senator} has {count} followers and {nothing to say|not one idea|still lost the vote}
{the link|this link}{ is dead| works}: {news}
{my shop|our café|my farm|the pub} {lost|pays|made} {price} {last month|in rent|in the lockdown}{, and we are not alone|}{end}
{I|we} {only |just |}{came|come} {here |back |}to {check|see|look at} {if it has {count} views|the number|what people say|whether it hit {count}}{end}
{check out|look at} {those uniforms|the dancer on the left|that hair|his shoes|the size of it}{, hilarious|, what a shame|}{end}
{take|have} a {hard |good |}look at {yourself|the map|the ballot|the facts|history} {first|before you vote|and think again|}{end}
{I|my friend} {found out about|discovered|heard} this {song|band|paper|story} {today|in {year}|from a film|now}{end}
{thumbs up|a like|respect} for {the drummer|the dog|whoever filmed this|the nurse|honest reporting}{end}
{thumbs up|like} if you {watched|heard|saw} {it|this} {in {year}|on tv|at the wedding}
{like|liked} this {in {year}|when I was small|at school|more than the other one}{end}
{I|still} {check back|come back|return} {often|every year|each week} {to see|and see|for} {how many views it has|the comments|the views grow}{end}
{count} {people|idiots|haters} {disliked|clicked dislike|did not like} this{end}
{over|almost|nearly} {count} {views|comments|likes} {in one day|and I know why|for three minutes of noise}{end}
{artist|title|singer}: {name} - {gold chain|never home|the rise} ({official video|lyrics|live}) {{news}|https://youtu.be/{id}|}
{rt|} @{handle} {so true|this is wrong|what did he say}{ https://t.co/{id}|}
@{handle} {I agree with you|you did not read it|that is not what she said|thanks for the answer|and your source?}
{name}, {you are wrong|well put|you said the opposite in {year}|please read it again}{end}
{here is|this is} what {he|the minister|the club} {said|tweeted|posted}: {https://twitter.com/{handle}/status/{num}|https://t.co/{id}|https://www.facebook.com/{handle}/posts/{num}}
{wake up|rubbish|what nonsense|wrong again|lol|so much for that|told you}{!|.|,} {see|look|} {news}
{they|the company|the bank|the agency} {offers|sells|provides} {loans|pills|insurance|visas} to people who {cannot read the contract|have no choice|pay twice}{end}
{I get|my mother gets|we all get} {these|such} {calls|mails|texts} {about|promising} {loans|prizes|bitcoin|a parcel}{, do not click|, it is a scam|, ignore them|}{end}
{beware|careful|warning}: {the offer|the text message|the site} is a scam, {do not pay|do not call back|they took {price} from my father}{end}
{her|his|their} {instagram|twitter|facebook} {page |account |}{says|shows|is full of} {the opposite|lies|holiday photos|cats}{end}
{youtube|facebook|instagram|twitter} {money|algorithm|comments|drama} {again|is everything now|ruined it}{end}
{the band|the singer|this guy} {made|earned|makes} {price} {with|from} {this|one} {video|song}{, not bad|, crazy|}{end}
{subscribing|to subscribe} to {a magazine|the daily|local news|two papers} {costs {price} a year|is worth it|is a habit of old people like me|is how you keep reporters}{end}
{please |}{subscribe to|support|buy} {a local paper|a good magazine|your daily}{, it needs readers|, or it will close|}{end}
{my|our} {favourite|old|local|usual} {channel|station|shop|website|page} {is|was} {the BBC|on the radio|closed last year|still the best source}{end}
{I watch|we watch|I switched to} {another channel|the other channel|public television|the news channel} {now|for the debate|since {year}}{end}
"""

FOREIGN_HAM = """
{Das|Dieses} {Lied|Video|Thema} {ist super|nervt mich|gefällt mir sehr|kenne ich seit {year}}{end};Danke für den {guten|ausführlichen} {Artikel|Bericht}{end};Wer hört das noch {year}?
Die {Stadt|Regierung|Bahn} hat {price} {ausgegeben|verschwendet|bezahlt}{end};Siehe auch {news};Das stimmt {nicht|so nicht|leider}{end};Was soll {das|dieser Unsinn}?;Ich {wohne|arbeite} seit {year} hier{end}
{Adoro|Amo|Odeio} {essa música|esse vídeo|esta canção}{end};Obrigado pela {notícia|reportagem}{end};Quem está {ouvindo|assistindo} em {year}?;A prefeitura gastou {price}{end};{Não concordo|Concordo} com o {texto|autor}{end}
{Me encanta|No me gusta} {esta canción|este video}{end};Gracias por {el artículo|la noticia}{end};El gobierno gastó {price}{end};{J'adore|Je déteste} {cette chanson|cette vidéo}{end};Merci pour {cet article|la réponse}{end}
La ville a payé {price}{end};{Adoro|Odio} questa canzone{end};Grazie per {l'articolo|la risposta}{end};{Mooi|Leuk} {artikel|liedje}{end};{Świetna|Piękna} piosenka{end};Çok güzel {şarkı|haber}{end};{Bra|Fin} {låt|artikel}{end}
{rt |}@{handle} {ich glaube das nicht|das war gestern auch so|isso é verdade|não acredito nisso|que vergonha|no me lo creo|c'est faux}{ https://t.co/{id}| {news}|}
{Siehe|Quelle:|Mehr dazu|Veja|Fonte:|Leia aqui|Mira|Voir|Lees} {news};{Der Minister|O prefeito|El alcalde|Le maire} {hat gelogen|mentiu|miente|a menti} {news}{end}
{Abonniert|Ich habe} {die Zeitung|das Blatt} {seit {year}|am Kiosk}{end};{Meu|Minha} {canal|página|música} {favorito|preferida}{end};{Ouvi|Vi} {no youtube|no instagram|na tv} {ontem|hoje}{end}
"""

FILLERS = {
    "hey": "hey |hey guys, |hi |hello everybody, |guys |hi all, |yo ",
    "end": "|||.|!|!!!| :)|!!|...",
    "own": "channel|video|videos|cover|youtube channel|page|song|remix|website|blog|music|music video|shop|vlog|gaming channel|mixtape|playlist|podcast|stream|facebook page|parody|lyric video|beats",
    "count": "10|50|100|200|500|1000|1k|5000|10,000|1 million|2 billion|20k|100.000",
    "sum": "$5,000|$87|£300|€9500|3000 dollars|$12k|$250|20,000 USD|$1,500|$35,400|2.5 BTC|500 bucks",
    "price": "$40|40 euros|€12|£3|2 million dollars|$3,500|£70,000|12.50 euros|300 pounds|$1.2 billion|8 bucks|20,000 dollars|€450",
    "name": "Helen Brook|Marc T|Odion Blake|Young Prez|Anna Lisa|Kaya Storm|Lil Dov|Robert Finch|Mia Okafor|DJ Rell|Patrick Hume|The Northbound",
    "title": "Mrs|Mr|Ms|Dr|expert|coach|",
    "handle": "goldtrader77|mia.okafor|lil_dov|fxking|realnova|jess22x|dj_rell|K9PLAYS|noraxx|tradewithrob",
    "social": "instagram|telegram|facebook|twitter|snapchat|tiktok|discord|whatsapp|soundcloud|twitch|spotify",
    "phone": "+1 202 555 0143|+44 7700 900123|0800 555 0199|(202) 555-0178|+1(312)555-0123|07700 900 456",
    "mail": "quick{thing}77@gmail.com|{handle}@{thing}desk.com|dr.good.{id}@yahoo.com|fund.recovery.{id}@outlook.com|info@fast{thing}.net|{handle}.{n}@gmail.com|support@{thing}-online.org|{handle}.help@proton.me",
    "official mail": "letters@{paper}|mayor@{city}.gov|press@{city}.gov.uk|office@{univ}.edu|readers@{paper}|friendsofthepark.{city}@gmail.com|tenants.{city}@yahoo.com",
    "year": "2009|2013|2014|2015|2016|2018|2020|2021|2023|2024|2025",
    "time": "0:42|1:07|2:13|3:01|2:55",
    "place name": "Brazil|Texas|London|Poland|Turkey|Mumbai|Dubai|Manila|Lagos|Ohio",
    "domain": "easycash{n}.com|www.best-{thing}.net|{thing}zone.info|my{thing} . com|super{thing} dot com|{thing}hub.tk|get{thing}.co|{thing}{n}.org|{thing}-online.ru|free{thing}.xyz",
    "thing": "deals|games|movies|beats|crypto|shop|pills|dating|loans|gifts|tube|coins|fans|mp3|fashion|forum",
    "n": "4u|24|247|77|365|now|2go|pro",
    "link": "http://{domain path}|https://{domain path}|www.{domain path}|http://{short}|https://{social link}|https://www.{social link}|http://www.{social link}",
    "short": "bit.ly/{id}|goo.gl/{id}|tinyurl.com/{id}|adf.ly/{id}|cutt.ly/{id}|ow.ly/{id}|hyperurl.co/{id}",
    "id": "3xYz9|1FqRo2|kT8w|aB77cQ|x9Jd2mP|7hgTT|9cLLk3e",
    "domain path": "easycash{n}.com|best-{thing}.net/?ref={id}|{thing}{n}.com/join/{id}|{thing}zone.info/index.php?r=448|my{thing}.com|{thing}hub.tk/|{thing}4free.xyz/get|{thing}-online.ru/{id}|{thing}.blogspot.com|get{thing}.co/invite/{id}|{thing}site.weebly.com|{thing}{n}.biz/go/{id}",
    "social link": "youtube.com/watch?v={id}|youtube.com/user/{handle}|youtube.com/channel/UC{id}|youtu.be/{id}|facebook.com/{handle}|facebook.com/pages/{thing}/{id}|instagram.com/{handle}|twitter.com/{handle}|soundcloud.com/{handle}/{thing}|twitch.tv/{handle}|gofundme.com/{thing}-help|t.me/{handle}|wa.me/12025550143|discord.gg/{id}|amazon.com/dp/B0{id}|ebay.com/itm/2213{n}|itunes.apple.com/album/{id}|play.google.com/store/apps/details?id=com.{thing}|patreon.com/{handle}|change.org/p/{thing}|kickstarter.com/projects/{handle}/{thing}|tsu.co/{handle}",
    "news": "https://www.{paper}/{section}/2019/05/02/{slug}|http://{paper}/article/{num}|https://www.{paper}/news/{slug}-{num}|https://en.wikipedia.org/wiki/{Title}|https://www.{paper}/{section}/{slug}.html|http://www.{city}.gov/council/minutes{num}.pdf|https://www.{city}.gov.uk/{slug}|www.{paper}/{section}/{slug}|https://{univ}.edu/papers/{num}.pdf|https://www.youtube.com/watch?v={id}|http://{paper}/?p={num}|https://{paper}/opinion/{slug}|https://www.un.org/{section}/{slug}|http://archive.org/details/{slug}|https://{paper}/{num}|https://twitter.com/{handle}/status/{num}|https://t.co/{id}|https://youtu.be/{id}|https://www.facebook.com/{paper}/posts/{num}",
    "paper": "dailyherald.com|northpost.co.uk|thetribune.org|cityjournal.com|gazette.net|morningstarnews.com|theobserver.ca|riverpress.com|the-argus.co.uk|abcnews24.com|newsday9.tv|thelocalpaper.com",
    "section": "politics|world|business|sport|local|opinion|health|science",
    "slug": "budget-vote-delayed-again|what-the-minister-knew|bridge-closed-until-may|flu-numbers-rise|team-loses-final|why-rents-go-up|court-rejects-appeal",
    "num": "12345|991204|7|20180114|448821|5530",
    "Title": "History_of_the_town|Income_tax|Climate_of_Norway|First_Amendment|Housing_bubble",
    "city": "springvale|northport|lakeside|harborview",
    "univ": "stateuniv|westcollege|lakeinstitute",
}  # fmt: skip

EACH = 12
"""Sentences made of a template that has gaps."""

_GAP = re.compile(r"\{([^{}]*)\}")
_GAP_BEFORE = re.compile(r" (?=[,.?!:](?:\s|$))")


def spam(each: int = EACH) -> list[str]:
    """Our spam."""
    return _made(SPAM.splitlines(), each, random.Random(21))


def ham(each: int = EACH) -> list[str]:
    """Our look-alikes, a few of them in other languages: foreign is no spam."""
    foreign = FOREIGN_HAM.replace(";", "\n").splitlines()
    return _made([*HAM.splitlines(), *foreign], each, random.Random(22))


def addresses(count: int) -> list[str]:
    """Addresses as readers of a newspaper give them for a source, made up."""
    dice = random.Random(23)
    return [filled("{news}", dice) for _ in range(count)]


def _made(lines: list[str], each: int, dice: random.Random) -> list[str]:
    templates = [line.strip() for line in lines if line.strip()]
    texts = [_typed(filled(template, dice), dice) for template in templates for _ in range(each)]
    return sorted(set(texts) - {""})


def filled(template: str, dice: random.Random) -> str:
    """A template with each gap filled, from the inside out."""
    while match := _GAP.search(template):
        chosen = dice.choice(FILLERS.get(match[1], match[1]).split("|"))
        template = template[: match.start()] + chosen + template[match.end() :]
    return _GAP_BEFORE.sub("", " ".join(template.split()))


def _typed(text: str, dice: random.Random) -> str:
    """As people type it: some in capitals, some in small letters."""
    chance = dice.random()
    if "http" not in text and chance < 0.06:
        return text.upper()
    return text[:1].upper() + text[1:] if chance < 0.6 else text
