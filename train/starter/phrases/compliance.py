"""What people write to Compliance about."""

from train.starter.grammar import bank, read_intents

INTENTS = read_intents(
    "Compliance",
    """\
== erasure > Account Access 1
s erase my [personal data|account and data]; [GDPR|Art. 17] request
o [I ask|I request] you to erase [all personal data|everything you hold] about me[|, under {law}].
o [Please delete|You are to delete] my data for good, [not only the account|closing the login is
  not enough].
o A [former customer|patient|former employee] of ours [demands|has asked for] deletion, [how do we
  prove it to them|we need your written confirmation].
d [My address in your records|The address] is {mail}.
d [Backups|Logs] and [sub-processors|partners] [included|too].
d You have [one month|{tens} days] by law.
a Please [confirm in writing|send proof] when it is done.
a [Who is|Please name] your data protection officer?

== subject-access > Account Access 1
s [subject access request|copy of my data]; what do you hold about me
o [Under {law}|By law] I [ask for|am entitled to] a copy of [all data|everything] you hold on me.
o [Which|What] personal data do you [keep|process] about me, [for what purpose|and who gets it]?
o [A customer|One of our customers] sent us an access request, [you process for us|please supply
  your part].
d It concerns {mail}[|, from {month} on].
d [Log data|Login records] and [notes|call notes] [belong to it|are part of it].
d [The deadline|Our deadline] is {date}.
a Please [answer|supply it] within the [legal|statutory] time.
a In which [form|format] will it come?

== dpa > Sales 1
s [data processing agreement|DPA] to sign; contract annex
o [We need|Please send] a [signed|current] data processing agreement [for {product}|under {law}].
o [Your|The] DPA [of {date}|we have] is [out of date|missing an annex], [our lawyer says|we
  noticed].
o [Our legal department|Our lawyer] has [remarks on|changes to] your DPA, [annex {n}|clause {n}].
d [Standard contractual clauses|Technical measures] should be [attached|named].
d [Without it|Before that] we [may not|must not] [put data in|go on].
d Signatory: {who}, {role}.
a [Who signs|Who can sign] on your side?
a Please [countersign|return] it [by {date}|to {mail}].

== soc-report > Sales 1
s [SOC 2|ISO 27001|ISAE 3402] [report|certificate]; assurance papers
o [Please send|We need] your [latest|current] [SOC 2 Type II report|ISO 27001 certificate|ISAE 3402
  report].
o The [certificate|report] [on your page|we have] [ran out|ended] in {month}, [is there a new
  one|we need the new one].
o [Our auditors|The auditors] ask for [a bridge letter|the statement of applicability].
d [We have|There is] an NDA [with you|in place] since {date}.
d It [covers|should cover] {product} [and its hosting|as well].
d [For our own|For the] certification [in {month}|on {date}].
a [Where|From whom] can we get it?
a Please send it [under NDA|encrypted] to {mail}.

== breach > Account Access 3
s [data breach|incident] notice?; were our data concerned
o [We read|We heard] of [a leak|an incident] at [your company|Norvane], [are our data concerned|we
  need a statement].
o [A mail with|A list of] other customers' data [was sent to us|reached us] from {product}, [we
  must report this|this is a breach].
o [We have to|We must] notify [the authority|the regulator] within 72 hours [of what happened
  {past}|and need facts from you].
d [How many|Which] [persons|records] and [which|what] kinds of data?
d [Time of knowledge|We learnt of it]: {date}, {clock}.
d [Our insurer|Our board] [asks|wants to know] too.
a [Please send|We need] a formal [statement|incident report].
a Who is [in charge|the contact] for incidents?

== residency > Sales 1
s where are our data [stored|hosted]; data location
o [In which country|Where exactly] [is|are] our data [stored|hosted|backed up]?
o Our [supervisor|regulator] [demands|requires] that data [stay in {country}|never leave the EU],
  [is that so with {product}|can you assure that].
o [Do you|Does any partner of yours] transfer [personal data|our data] to [third
  countries|{country}]?
d [Support access|Remote access] from abroad [counts|matters] too.
d [A statement|A confirmation] in [writing|a letter] [is needed|is what I need].
d [Our register|Our records] [has|have] a gap there.
a Please [name|list] the [places|data centres].
a [Can it be|Is it] fixed by contract?

== retention > Technical Bug 0
s how long do you keep [data|backups|logs]; retention periods
o [How long|For how many months] do you keep [backups|login records|deleted records|call notes]?
o [Our policy|The law] [allows|requires] {n} years, [what are your retention periods|how do you
  ensure that]?
o [We must show|We have to show] that data [older than {n} years|of leavers] [are|is] deleted,
  [please document it|do you have proof].
d It [concerns|is about] the {area} [above all|in particular].
d [Tax law|Labour law] says [ten|{n}] years, {law} says no longer than needed.
d The [privacy notice|web page] [is vague|says nothing] on that.
a Please [send|state] your [deletion concept|retention schedule].
a Is [that|this] laid down [in the contract|anywhere]?

== sub-processors > Sales 0
s list of sub-processors; new sub-processor, objection
o Please send the [current|full] list of sub-processors [for {product}|under {law}].
o You announced a new sub-processor [{past}|in {month}], [we object|we have questions].
o [Who else|Which companies] [sees|handles] our [customers' data|personal data]?
d [Purpose|Place] and [safeguards|contract] of each, [please|if you can].
d [Our|The] right to object [ends|runs out] on {date}.
d [In the DPA|In annex {n}] there are only {n}.
a [Please answer|Please reply] before the [period|deadline] ends.
a How are we [told|informed] of changes?

== questionnaire > Sales 1
s security questionnaire; vendor [assessment|risk review]
o [Attached is|Please find] our [security questionnaire|vendor risk form], {many} questions,
  [please fill it in|we need it by {date}].
o [Our information security|Our risk department] [must|has to] [review|assess] you [as a
  supplier|again this year].
o [Do you have|Is there] a [filled-in|standard] [CAIQ|SIG|questionnaire] for {product}?
d [Password rules|Encryption], [backups|patching] and [staff checks|access reviews] are [asked|in
  it].
d [Yes or no|Short answers] [will do|are enough].
d Without it [you stay|the tool stays] on [hold|the yellow list].
a [Who|Which team] can [fill it in|answer]?
a Please [return|send] it by {date}.

== audit-evidence > Account Access 1
s evidence for [our audit|the auditors]; access review records
o [For the audit|Our auditors ask]: [please provide|we need] evidence of [who had access|user
  changes|password rules] [in {month}|last year].
o [The auditor|The bank's examiner] wants [proof|evidence] that [leavers lose access|backups are
  tested|changes are approved].
o [We need|Please supply] [signed|official] logs of all admin [logins|actions] from {month}[| as
  audit evidence].
d [Sample|They drew a sample] of {many} [users|changes].
d A [screenshot|self-made list] is not [accepted|enough].
d The [finding|remark] is [rated|marked] [major|medium].
a Can you [attest|certify] that [by {date}|in writing]?
a [Who|Which of you] talks to auditors?

== marketing-consent > Billing 0
s I [withdraw|never gave] consent; stop [marketing|newsletter] mail
o I [withdraw my consent|object] to [advertising|profiling|your newsletter], [under {law}|as is my
  right].
o [Despite|In spite of] my [objection|opt-out] of {date} you [still write|keep sending]
  [offers|advertising].
o [Show me|Prove] [when and how|where] I [agreed|gave consent] to [mails|calls] from you.
d [The last one|Your last mail] came {past}.
d I have [unsubscribed|clicked the link] {n} times.
d The next step [is|will be] [a complaint to|a letter to] the [authority|regulator].
a [Confirm|Please confirm] [the block|that it stops] in writing.
a From whom did you [get|buy] my address?

== pen-test > Technical Bug 1
s penetration test [summary|permission]; vulnerability report
o [May we|We want to] [run|order] a penetration test [of our tenant|on {product}] [in {month}|on
  {date}].
o [Please send|We need] the [summary|management letter] of your last penetration test.
o [I found|Our tester found] a [vulnerability|security hole] in the {area}, [where do I report it
  responsibly|what is your disclosure policy].
d [The tester|The firm] is [independent|certified], from {ip}.
d [No details here|I will not put details in a mail], [PGP please|is there a key].
d [Insurance|Our insurer] [demands|wants] it [yearly|each year].
a [Do you|Would you] [agree|permit it] in writing?
a [Who|Which office] is [responsible|in charge]?

== health-data > Sales 1
s [HIPAA|health data]: may we use {product}; BAA
o [May we|Are we allowed to] [keep|process] [patient data|health data] in {product}, [with a
  BAA|under {law}]?
o [We are|As] a [clinic|practice], [we need|and need] [a BAA|a professional secrecy clause] [from
  you|signed].
o [Our ethics board|Our privacy officer] asks how [study data|patient data] are
  [protected|encrypted] in {product}.
d [It is|They are] special [categories|kinds] of data.
d [We use|We have] the {plan} plan [already|since {month}].
d [Until that is clear|Till then] we [enter none|stop].
a Please [send|sign] the [agreement|annex].
a [Is that|Is it] [permitted|allowed] by your terms?

== legal-hold > Account Access 2
s legal hold; preserve data of {who}
o [Because of|Owing to] a [lawsuit|court case], [nothing of|no data of] {user} may be deleted,
  [please preserve it|legal hold].
o [The court|The police|The tax office] [asks for|demands] records [of|from] {month}, [how do you
  proceed|what may you hand over].
o [Our lawyers|The lawyers] need [a preserved copy|a sealed export] of the {area} for [a
  trial|proceedings].
d [File number|Reference] {case}.
d [The account|The login] may be [closed|off], the data [not|must stay].
d [Confidential|Strictly confidential], [only named persons|as few people as can be].
a [Please confirm|Confirm] the hold in writing.
a Who [in legal|of your lawyers] [handles|takes] this?

== accessibility > Feature Request 0
s accessibility [statement|VPAT]; [WCAG|EN 301 549]
o [As a public body|By law] we need [your accessibility statement|a VPAT] [for {product}|of
  {product}].
o [Does {product} meet|Is {product} in line with] [WCAG 2.2 AA|EN 301 549|the accessibility act]?
o [A staff council|The disability officer] [asks|demands] [proof|evidence] of accessibility for the
  {area}.
d [A test report|Results] by a third party [would be best|is wanted].
d [The duty|The legal duty] [begins|applies] on {date}.
d [We do not ask|Nobody asks] for changes, [only the paper|just the statement].
a [Please send|Where is] the [statement|report]?
a [Who|Which office] is [answerable|responsible] for it?

== card-data > Billing 1
s PCI [attestation|question]; card numbers in tickets
o [Please send|Our bank wants] your PCI DSS attestation [of compliance|for this year].
o Our agents [found|see] full card numbers in [tickets|the {area}], [this must not be|what are we
  obliged to do].
o [Which parts|What] of the card [data|numbers] do you [store|keep] [after a payment|on invoices],
  and [is that|does it meet] PCI?
d [No question|This is no question] about a [bill|payment], [it is about the rules|only the rules].
d [The acquirer|The bank] [set|gave] us until {date}.
d [Level|We are level] {n}, [questionnaire|form] [SAQ A|SAQ D].
a [Please answer|Kindly answer] in writing.
a [Can you|Could you] [attest|confirm] that?

== conduct > Sales 0
s supplier code of conduct; [sanctions|supply chain] declaration
o [Please sign|We ask you to sign] our [supplier code|anti-bribery statement|supply-chain
  declaration].
o [We have to|Our bank has to] [check|screen] suppliers [for sanctions|against sanction lists],
  [please name your owners|a form is attached].
o [We wish|I wish] to report [a possible breach of rules|misconduct] by one of your
  [staff|partners], [in confidence|who protects me].
d [Under|According to] {law}.
d [The form|It] has {n} pages, [two signatures|a company stamp].
d [Last year's|The one of last year] has [expired|run out].
a Please [return|send] it by {date}.
a [To whom|Where] does [this|it] go?
""",
)

ASKS = bank("""\
[Please answer|I expect an answer] [in writing|through your privacy officer] by {date}.
[We are obliged|The law obliges us] to [document|file] your [answer|reply].
[Our|My] reference for the [regulator|auditors] is {case}.
""")
