"""What every mail has and no queue owns: greetings, chatter, urgency, tone, signatures, frames."""

from __future__ import annotations

from train.starter.grammar import bank, parse

GREETINGS = bank("""\
[Hi|Hello|Hello there|Good morning|Good afternoon|Hey|Dear all|Greetings],
Dear [support|support team|Norvane team|Sir or Madam|team|helpdesk|ladies and gentlemen],
[Hi|Hello] [support|team|Norvane|folks|everyone|again|there],
""")

CLOSINGS = bank("""\
[Thanks|Thank you|Many thanks|Thanks in advance|Thx|Cheers|Best|Regards|Best regards|BR]
[Kind regards|With kind regards|Yours sincerely|Yours faithfully|All the best|Sincerely]
[Thank you for your help|Looking forward to your reply|Awaiting your answer|With best wishes]
""")

CHATTER = bank("""\
I hope [you are well|this finds you well|you had a good weekend|your week started better than ours].
[We are|We have been] [a customer|customers] [since {month}|for {n} years|for a long time].
I am writing [on behalf of {who}|for the {team}|because {who} asked me to|from {device}].
I [tried|wanted] to [call|phone] you [at {clock}|on {day}], [but nobody answered|the line was busy].
[Sorry|My apologies] [for the long mail|if this is the wrong address|for my English|for the typos].
I [could not find|did not find] [anything|an answer] in [your help pages|the forum|the manual].
[Our office|The {team}] is [closed|open] on {day}, [so please write|best reach me by phone].
I [work|am] in the {team} at {company}[, {country}|], and [look after|use] {product} [every day|a
  lot].
[Your chat|The bot] [sent me in circles|told me to write here|gave me the number {case}].
I am [new here|only standing in for {who}|not very technical|on the road], so [bear with me|please
  be patient].
{who} [knows more|can tell you more|looked at it too], [but is away until {day}|reach them at
  {phone2}].
You can [reach|call] me [at|on] {phone} [until {clock}|in the mornings|any time], [or write|or by
  mail].
I [put|have put] {who} and {who2} in copy[, for information|, as they want to know].
[Last time|In {month}] [it took|you needed] {n} days [to answer|for a reply], [I hope it is faster
  now|which was fine].
This [is|was] also [asked|sent] [through the form|from my other address|by fax, believe it or not].
Our customer number is {account}[| and the contract is under {company}].
[As agreed|As discussed] [on the phone|with {who}|in the chat], [here it is in writing|I send this
  mail].
[It is|It was] {day} [evening|noon|morning], [the office is half empty|everyone is in a meeting].
[I have|We have] [a meeting|a review] on {day} [where this will come up|and must report].
[To give you|For] some background: we are {many} people [in {n} offices|in {country}], [in
  {sector}|mostly part-time].
[The screenshots|Two pictures|Some files] [are attached|follow in a second mail|are too large to
  send].
[Normally|Usually] {who} [does|handles] [this|such things], [but they are on leave|I took over
  {past}].
[The weather|The traffic] here is [awful|no help either], [but that is another story|never mind].
[I did|We did] read [the terms|the manual|page {n} of the guide], [it is not covered|I got lost].
[Please use|Use] [{case}|reference {order}] in [your reply|all letters].
[Our IT|Our service provider] [is|has been] informed [and waits|and says to write to you].
[Feel free|Do not hesitate] to [ask|call|contact me] if [you need more|anything is unclear].
[I am sure|No doubt] [you get many such mails|you are busy], [so thanks for reading|I keep it
  short].
[It may be|Perhaps it is] [something simple|my own mistake|a misunderstanding], [tell me if so|who
  knows].
We [introduced|started with] {product} [in {month}|{past}] and [most people like it|are still
  learning].
[The colleague|The agent] I spoke to {past} was [very kind|in a hurry|called {who2}, I think].
[This mail|The above] [was written|is typed] on [a phone|a train|a tablet], [excuse the
  style|sorry].
[My manager|{who2}] [will ask|asks] me [tomorrow|daily] [how it stands|what came of it].
For [the record|completeness]: {device}, {browser}, {company}.
[The number|The reference] on [my screen|the letter] is {order}, [if that helps|in case you need
  it].
[A ticket|A request] [was opened|exists] under {case}, [please join them|no reply so far].
[We use|I use] the {area} and the {area2} [daily|most of the time].
[Somebody|{who2}] [at|in] the {team} [said|thinks] [you can help|you know best].
[I will be|I am] [in the office|away] from {date}[| on], [the {team} has the mailbox|please copy
  {who}].
[If possible|If you can], [reply to all|answer in simple words|send it as one mail].
""")

ATTEMPTS = bank("""\
I [cleared|emptied] the cache, [restarted|tried {browser}|used a private window], [no luck|no
  change].
[Signing out and in again|A restart|Waiting {n} minutes] [did not help|changed nothing|helped once].
We [tried|tested] it [on {device}|with another user|from home], [same result|same thing].
[Your colleague|The first level] had me [reset|check] [the settings|the browser], [to no avail|in
  vain].
I [followed|went through] the steps [on your help page|in the manual], [nothing|it made no
  difference].
[{who}|Our admin] [looked at it|tried it] for [an hour|{n} hours] [and gave up|without success].
I [waited|let it rest] [over night|for {n} days], [as told|as asked], [still the same|no better].
""")

IMPACTS = {
    "low": bank("""\
[No rush|No hurry|Not urgent|It can wait], [just when you find the time|next month is fine|really].
[Whenever|When] you [have a moment|get round to it], [it is not important|we can live without].
[It is only|It is just] a [small thing|detail], [answer when you can|no pressure|low priority].
[Take your time|Any time this quarter is fine|We can live with it], [we have a way around|it is
  minor].
"""),
    "normal": bank("""\
[An answer|A reply] [this week|in the next days|by {day}] would be [good|fine|nice].
[We can go on|We can work] [for now|meanwhile], [but it should be settled|it is a nuisance, though].
[It affects|This concerns] [only me|one or two people|a few of us] [so far|at the moment].
"""),
    "high": bank("""\
[The whole {team}|About {many} people] [is held up|wait for this], [we need it today|please hurry].
[This is blocking|It blocks] [our month end|the {team}|a customer], [please treat it soon|by {day}].
[We need|I need] [it|an answer] by [tomorrow|{day} noon], [a deadline depends on it|it is pressing].
[Customers|Our clients] [are complaining|start to ask], [please speed up|this has high priority].
[It costs us|We lose] {n} hours [a day|every day], [we cannot wait a week|it has to be soon].
"""),
    "critical": bank("""\
[Nothing works|Everything stands still|All work has stopped], [we need help right now|call me at
  once].
[All {many} users|All our sites|The whole company] [are|is] [stopped|down], [act
  immediately|emergency].
[We lose|This costs us] {amount} [per hour|an hour], [this is an emergency|immediate help is
  needed].
[Production is down|The line stands still|We had to close the shop], [every minute counts|call now].
[A legal deadline|The cut-off] is [in two hours|tonight], [we must have it now|there is no way
  around].
"""),
}

EMERGENCIES = bank("""\
[We lose|This costs us] {amount} [per hour|an hour], [this is an emergency|immediate help is
  needed].
[A legal deadline|The cut-off] is [in two hours|tonight], [we must have it now|call me at once].
[This is an emergency|It cannot wait another hour], [our management sits in a crisis meeting|call
  now].
[If it is not settled|Without an answer] [today|by {clock}], [we lose our biggest client|we must
  close].
""")
"""What is critical to people whose software runs."""

TONES = {
    "negative": bank("""\
[This is unacceptable|I am very disappointed|I am fed up|This is a disgrace|What a mess],
  [honestly|after {n} weeks of this|and not for the first time].
[I have lost|We are losing] [patience|faith in you], [sorry to say|{company} will draw conclusions].
[It is the third time|Once again] [I write|we have to beg], [nobody cares|ridiculous|this is a
  shame].
[How hard can it be|What do we pay you for|Does anybody read this]?
[The service|Your support] has [become terrible|gone downhill], [I expected better|a bad joke].
[I am angry|We are annoyed|I find that outrageous], [and I say so plainly|as you can tell].
"""),
    "positive": bank("""\
[By the way|Otherwise|Apart from that] [we love|I really like] {product}, [great work|keep it up].
[You have always been|Your team was always] [very helpful|brilliant|quick], [thank you for
  that|great].
[I am|We are] [very happy|delighted] with [the new version|your service], [honestly|that must be
  said].
[Thanks so much|Compliments] for [the quick help {past}|the friendly support], [five
  stars|wonderful].
[You are the best|A pleasure to work with you|Lovely people], [as ever|{who} says so too].
"""),
    "neutral": bank("""\
[Just for information|Please note the above|So much for the facts].
[That is all|That is the situation|This is where we stand] [for now|at the moment|today].
"""),
}

NOT_THIS = tuple(
    (parse(before), parse(behind))
    for before, behind in (
        line.split(" ~ ")
        for line in """\
Last month I wrote to you about something else: ~ That has been solved, thank you, leave it closed.
This is NOT about the following, which {who} has in hand with your colleagues: ~ Please leave that.
Your bot took it for this: ~ No, that is not what I am asking.
First the background, nothing to do for you there: ~ That was settled long ago.
An old ticket of ours, {case}, said: ~ It is closed and should stay closed.
A colleague will write separately about this: ~ So do not answer it here.
Please do not mix this up with our other ticket {case}: ~ Someone is on it already.
I first thought it was the usual story: ~ But it is not that.
On the forum somebody had this: ~ Not our case at all, it only sounds like it.
You answered a question that I never asked, namely: ~ That was another customer, I suppose.
By the way, unrelated and already done: ~ You need not do anything there.
In the chat I was asked whether I meant this: ~ I did not.
The subject line is from an old mail, when I wrote: ~ Forget that one.
We had that in spring too: ~ Back then you helped quickly, and it never came back.
Side note, no action needed: ~ We have dealt with it ourselves.
The colleague before me used to complain: ~ That is history.
Your last reply dealt only with this: ~ Wrong topic, sorry.
The {team} asked you yesterday: ~ They have their answer, I still lack mine.
""".splitlines()
    )
)
"""What stands before and behind another queue's words that the reader is told to ignore."""

MAIN_FIRST = bank("""\
Two things. [The one that matters|The important one first|What I really need]:
[My actual question|The real point|The reason for this mail]:
First and above all:
[This one needs you|What this ticket is about]:
""")

MAIN_LATER = bank("""\
[Now to the real point|What I actually need|The reason I write is this]:
[Here is my question|So this ticket is about something else|What matters now]:
[What I do want from you|Please act only on this|This is open, however]:
[But now|Today's matter, the only open one]:
""")

MINOR = bank("""\
[If you have time to spare|Less important, and only for your notes|No ticket needed for this one]:
[The other thing can wait, {who} opens its own ticket|Not for today, it comes in a mail of its own]:
[In passing|Only so that you have heard it, nothing to do]:
""")

POINTERS = bank("""\
[Please see below|See the mail below|FYI, see below]. [Can you take care of it|Please handle this]?
[Forwarding this from {who}|This came from {who}|{who} sent me this], [please answer|your job, I
  think].
[Not sure who handles this|I do not know whose this is], [so I forward it|passing it on], see below.
[As requested|As you asked], the original mail [is below|follows], [please proceed|it still holds].
""")

VAGUE_SUBJECTS = bank("""\
[help|Help!|question|Question|problem|Problem|hello|urgent|URGENT|issue|support|please read|info]
[RE: RE:|Re:|FW:|Fwd: RE:|AW:] [question|your ticket {case}|help|our call|{case}|as
  discussed|(none)]
[need help|quick question|one more thing|follow-up|it's me again|request|{company}|my account|case]
[Ticket|Your reference] {case}
[{product}|{area}]
[Message from {company}|Contact form|Web form {digits}|Sent from my phone|Scan_{digits}]
""")

DISCLAIMERS = bank("""\
This e-mail and any attachments are confidential and may be legally privileged. If you are not the
  intended recipient, please [notify the sender|tell us] and delete it. Any [unauthorised|other]
  use, disclosure or copying is [prohibited|not permitted]. [{company} accepts no liability for
  viruses|E-mail is not a secure medium].
[Please consider the environment before printing this mail|Think before you print].
{company} - Registered in {country} no. {digits} - VAT {digits}{digits} - We process personal data
  as set out in our privacy notice at {url}.
[CONFIDENTIAL|NOTICE]: the information in this message is meant for the addressee only. Views are
  the author's own. Invoices to {mail2}. [Our terms of sale apply|We do not accept service by
  e-mail].
[Virus-free|This message was scanned by our mail gateway|External mail: do not click on links
  unless you know the sender].
""")

STAFF_REPLIES = bank("""\
Thank you for [contacting|writing to] Norvane support. [Your request has been received|We have
  logged it] as {case}. [An agent will reply shortly|We aim to answer within {n} working days].
[Sorry for the trouble|Thanks for your patience]. [Could you tell us more|Please send us more
  details]? [Best regards|Your support team], {who2}
[We have looked into it|I passed it to a colleague] and [will come back to you|will let you know].
[As we have not heard from you|Since there was no answer], we [will close|have closed] {case}.
  [Reply to open it again|Please rate our service at {url}].
[I am out of office|I am on leave] until {date}. [In urgent cases call {phone2}|{who2} stands in
  for me].
""")

STRAY = (
    (
        "Sales",
        "spam",
        bank("""\
[Boost|Double|Explode] your [web traffic|ranking|sales] with [{many} verified contacts|our link
  network], [only {amount}|special offer until {day}], see {url}.
[We found errors on your web site|Your domain expires soon], [our experts|my agency] can help for
  {amount} a month. [Interested|May I call]?
[Dear beneficiary|My friend], [a sum of {amount}|an inheritance] [waits for you|is on hold],
  [answer in confidence|write to {mail2}].
[LED lamps|Office chairs|Printed pens|Cleaning services|Solar roofs] from our factory in {country},
  [from {amount} a piece|best price], catalogue at {url}.
"""),
    ),
    (
        "Account Access",
        "private",
        bank("""\
[Mum|Darling|Grandpa|{who}], [did you get home well|are you coming on {day}|call me back tonight]?
  [The dog|The cake|The boat|The little one] [misses you|is waiting|needs a bath].
[See you|We meet] at {clock} [at the pool|by the station|in the pub], [bring the keys|do not be
  late].
[Here are|Attached are] the [holiday pictures|photos of the baby|recipes] [from {country}|you
  wanted].
[The plumber comes {day}|Dentist on {day} at {clock}|Football is off], [tell {who}|please let me
  in].
"""),
    ),
    (
        "Technical Bug",
        "another company",
        bank("""\
My [washing machine|printer|coffee maker|robot mower] from {rival} [shows code E{n}|leaks|beeps],
  [the drum stands still|it blinks red], [model {digits}|bought {past}].
[The {rival} app|My {rival} watch|The {rival} router] [does not pair|has no signal|stays dark], [do
  you repair them|where is the shop].
[My parcel|The sofa|Order {order} from {rival}] [has not come|came broken], [the courier|the
  driver] says [ask you|it is lost].
[The heating|The lift|The vending machine] in [our building|block {n}] is [broken|out of order]
  again, [room {digits}|third floor].
"""),
    ),
)
"""Mail that belongs to no queue, and the queue where triage put it: (queue, kind, phrases)."""
