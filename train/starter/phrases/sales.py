"""What people write to Sales about."""

from train.starter.grammar import bank, read_intents

INTENTS = read_intents(
    "Sales",
    """\
== quote > Billing 0
s quote for {many} [seats|users]; [offer|price] for {product}
o [Please send|We would like|I need] [a quote|an offer] for {many} [users|seats] of {product}.
o [What would|How much would] {product} [cost|come to] for [a team of {many}|{many} people]?
o [We are about|Our {team} plans] to [buy|introduce] {product}, [please make an offer|what can you
  offer].
d [Yearly|Payment yearly] [in advance|up front] would be [fine|all right].
d [We are|{company} is] [a {sector} company|in {sector}] in {country}.
d [Start|It should start] in {month}.
a [Please address|Please send] the offer to {mail}.
a [How long|Until when] [is|will] the [price|offer] [valid|hold]?

== demo > Technical Bug 0
s demo of {product}; [show|presentation] for our team
o [Could we|May we] have a demo of {product} [next week|on {day}|in {month}]?
o [Please show|We would like you to show] {product} to [our management|the {team}], [about {tens}
  minutes|online].
o [I saw {product}|We met you] at [a fair|a trade show] and [want to see more|would like a guided
  tour].
d [We are {n} people|{n} of us will be there], [two are technical|none is technical].
d [Most interesting|Of interest] [is|would be] the {area}.
d [Today we use|So far we use] [spreadsheets|a home-grown tool|{rival}].
a Which [days|times] [suit|would suit] you?
a [Please call|Ring] me at {phone}.

== upgrade > Billing 1
s upgrade to {plan}; more [seats|licences]
o We [want|would like] to [move up|upgrade] from [the small plan|our plan] to {plan}, [what is the
  price|please make an offer].
o [We grow|We have grown] and [need|want to buy] {many} more [seats|licences].
o [What does|What more does] {plan} [offer|give] [over|against] what we have, [and at what
  price|and is it worth it]?
d Our [contract|plan] runs until {date}.
d [The limit|The {n}-project limit] is [reached|near].
d [Our budget|The budget] is [about|some] {amount} a year.
a [Who is|Is {who} still] our [account manager|contact]?
a [Please send|Could you send] [terms|an offer] [this week|by {day}].

== nonprofit > Billing 0
s [non-profit|charity|school] price; discount?
o [We are|As] a [charity|school|public library], [is there|do you have] a [reduced price|special
  price]?
o [Do you offer|Are there] [discounts|reduced plans] for [non-profits|students|start-ups]?
o [Before we sign|Before buying]: [what discount|which price] [do|would]
  [associations|universities] [get|pay]?
d We are {many} [members|volunteers], [all unpaid|few of them paid].
d [A certificate|Proof of status] [is at hand|can be sent].
d [{plan} would be|We think {plan} is] the right plan.
a [What are|Please tell me] the [conditions|terms]?
a To whom do I [send|hand in] the [papers|proof]?

== reseller > Compliance 0
s [become a|new] reseller; partner programme
o We [would like|want] to [resell|offer] {product} to [our customers|{sector} firms], [how does one
  become a partner|what are the terms].
o [Do you have|Is there] a [partner programme|reseller margin] in {country}?
o [Our agency|We, {company},] [advise|serve] {many} [firms|clients] and [look for|seek] a
  [partnership|partner].
d [We sell|At present we sell] {rival}, [not happily|with falling numbers].
d [Own support|First-level support] [is in place|we do ourselves].
d [We expect|I expect] [some|about] {many} [seats|licences] in the first year.
a [Please send|May we have] the partner [contract|price list].
a [Shall we|Can we] [talk|meet] on {day}?

== trial > Account Access 1
s longer trial of {product}; test period
o [Our trial ends|The trial ends] on {day}, [can we have {n} more weeks|may we extend it].
o [We would like|I would like] to [try|test] {product} [before we buy|for {n} weeks], [is that
  possible|how do I start].
o [The test phase|The trial] [went well|convinced us], [what now|how do we buy].
d [{who} was ill|Holidays came between], so we [saw too little|hardly tested].
d [The {area}|Above all the {area}] [needs|wants] [a second look|more testing].
d [If it fits|If all goes well], we [take|buy] {many} seats.
a [Please prolong|Could you extend] it to {date}.
a [Will|Do] our [test data|settings] [stay|be kept] when we buy?

== compare-plans > Feature Request 0
s which plan [has|includes] {area}; difference between plans
o [Which plan|Which of your plans] [includes|has] [the {area}|single sign-on|the API|the audit
  log]? [We are choosing|We want to order].
o [I am comparing|We compare] {plan} with [the cheaper one|{rival}], [what speaks for it|where is
  the difference].
o [Is|Would] {plan} [be enough|the right one] for {many} [people|users] and [two sites|{n} sites]?
d [Single sign-on|The API] is a must [for us|for our IT].
d [The table|The price page] on your site [is unclear|does not say].
d [We need|What we need]: the {area}, the {area2}, [backups|English support].
a [Please advise|What do you advise]?
a [A short call|A call] [would be best|is fine], {phone}.

== volume > Billing 0
s volume price for {many} seats; [framework|group] contract
o [What discount|Which price] do you give [from {many} seats on|for a {n}-year contract]?
o [Our group|The group] ([{n} companies|{n} sites]) [wants|looks for] a framework contract.
o [Your rival|{rival}] offers [{percent} less|{amount} a year], [can you match that|what is your
  best price].
d [The decision|We decide] [falls|is] in {month}.
d [Payment|We pay] [yearly|for {n} years] in advance.
d [Purchasing|My purchasing] [wants|insists on] [three offers|a second round].
a [Please come back|Please reply] with [your best offer|numbers].
a Who may [negotiate|decide] on your side?

== tender > Compliance 1
s tender {case}: [invitation|questions]; RFP for [ticketing|{sector}]
o [We invite you|You are invited] to [bid|tender] for [a help desk system|a {sector} solution],
  [papers attached|deadline {date}].
o [Please find|Attached is] our RFP [{case}|for {many} workplaces].
o [A question|Two questions] [on|about] your [bid|offer] in tender {case}: [price sheet|lot {n}],
  line {n}.
d [Security|Data protection] is [weighted|worth] {percent}, price the rest.
d [Bids|Offers] go to [{mail}|the portal] only.
d [References|Three references] from {sector} [are required|are asked for].
a [Will you|Do you mean to] take part?
a [Please confirm|Confirm] [receipt|your interest] by {day}.

== renewal > Billing 1
s [renewal|new terms] for {account}; contract ends {month}
o Our contract [ends|runs out] in {month}, [we would renew|we will stay] [at a better price|for {n}
  years if the terms are right].
o [Please make|Send us] an offer for the [renewal|extension], [with fewer seats|with {many} seats].
o [Your price|The list price] [rises|goes up] by {percent}, [before we renew we want to talk|what
  can you do for a loyal customer].
d [Customers|We have been customers] for {n} years.
d [We could|We might] [drop|add] the {area}.
d [The board|My director] [decides|signs] on {date}.
a [Who is|Please name] our contact for [the talks|the renewal]?
a [When|On which day] can we [talk|meet]?

== migration > Technical Bug 0
s moving from {rival}; [change|switch] to {product}
o We [think of|plan] moving from {rival} to {product}, [what does the move cost|do you help with
  that].
o [Can you|Do you] [import|take over] {n} years of data from {rival}, [should we buy|if we sign]?
o [Is there|Do you offer] [a package|a fixed price] for [migration|set-up|moving in]?
d [{rival} ends|Our contract with {rival} ends] in {month}.
d [It is|There are] about {many},000 [records|tickets].
d [Two weeks|{n} days] of [running both|overlap] would be [good|needed].
a [Please send|Could we get] [an offer|a rough price].
a [Do you have|Can you name] [customers|references] who did it?

== training > Feature Request 0
s training for [new staff|admins]; workshop
o [Do you offer|We would like to book] training for {n} [admins|agents|new people] [on site|online]?
o [What does|How much is] [a workshop|an admin course|consulting for a day] [cost|with you]?
o [We want|We plan] to [introduce|roll out] the {area} and [look for|need] [a trainer|a consultant].
d [In {country}|On site], [half a day|{n} days].
d [Recorded|A recorded] [sessions|course] would [do too|also do].
d [The budget|We have] {amount} for it.
a [Please send|May I have] dates and prices.
a [Is it|Is that] part of {plan}?

== on-premises > Technical Bug 0
s on-premises [edition|licence]; price for own servers
o [Is there|Do you sell] {product} for [our own servers|on-premises use], [and at what price|please
  quote].
o We [may not|do not want to] use the cloud, [what does the server edition cost|can we buy a
  licence].
o [Do you sell|Can one buy] [a perpetual licence|an air-gapped edition] of {product}?
d {many} users, [Linux|Windows] servers, [own IT|no external access].
d [Updates|Support] for {n} years [should be in it|included].
d [Our budget|The money] is [for this year|from this year's budget].
a [Please send|I ask for] [a price list|an offer].
a [Who|Which partner] could [install|advise] here?

== add-on > Billing 0
s price of the {area} add-on; buy [module|storage]
o [What does|How much is] the {area} [add-on|module] [cost|a month]? [We would order|We might take]
  {many}.
o [We want|I would like] to [buy|order] [more storage|the premium support|the {area} module].
o [Can we|May we] [book|rent] [the add-on|more seats] for [a single month|the season] only?
d [We have|At present we have] {plan} with {many} seats.
d [The order|It] needs [an offer first|a quote for purchasing].
d [If it|If that] [pays off|goes well], we [keep|order] it for the year.
a [Please send|Kindly send] an [order form|offer].
a [From when|How soon] could we [have|use] it?

== call-back > Account Access 0
s please call [back|me]; [interest|question] before buying
o [Please call me back|I ask for a call], [we are interested in|I have questions before we buy]
  {product}.
o [Someone from|A Mr Dale from|One of] your sales called [{past}|me], [I would like to go on|please
  call again], [we may take {many} seats|about the offer].
o [Your offer|The offer] {case} [looks good|is interesting], [two points are open|we need to talk
  about the term].
d [Best|The best time is] between {clock} and noon.
d [My colleague|{who}] [decides|will join].
d [We have|There are] {n} offers [on the table|to compare].
a [Looking forward|I look forward] to your call, {phone}.
a [Could {who2}|Could someone] [ring|write] by {day}?

== startup > Billing 0
s start-up [programme|credits]; free seats
o We are a [young company|start-up] of {n}, [is there a start-up programme|what do you offer].
o [How do we|Can we] [apply for|get] [credits|free seats] [for start-ups|in the first year]?
o [An accelerator|Our incubator] [said|told us] that you give [start-ups|its firms] {percent} off,
  [how do we order|true].
d [Founded|We were founded] in {month}, [in {sector}|in {country}].
d [{plan} is|For now {plan} is] [too dear|too much].
d [We plan|The plan is] {many} [seats|users] [in two years|by next year].
a [Whom|To whom] do we [write|apply]?
a [What are|Send me] the terms[|, please].

== case-study > Compliance 0
s reference visit; [case study|customers in {sector}]
o [Do you have|Could you name] [customers|references] in {sector} that we [may call|could visit]
  before we [buy|sign]?
o [We would|{company} would] gladly be [a reference|in a case study], [what is in it for us|against
  a better price].
o [For our decision|Before deciding] [we want|I want] to [talk to|hear] a [customer|user] of {plan}.
d [Best|Ideally] one [of our size|with {many} seats].
d [A call|Half an hour] [is enough|will do].
d [You are|Norvane is] one of [two|{n}] on our [short|final] list.
a [Can you|Could you] [arrange|set up] that by {date}?
a [Who|Which of you] takes care of it?
""",
)

ASKS = bank("""\
[Please contact me|Please get in touch] [about an offer|before {day}], {phone}.
[We would like to order|We want to decide] [in {month}|soon], [so please send prices|please advise].
[Who is|Please tell me who is] [our contact in sales|in charge of offers] for {country}?
""")
