"""What people write to Billing about."""

from train.starter.grammar import bank, read_intents

INTENTS = read_intents(
    "Billing",
    """\
== double-charge > Technical Bug 2
s charged [twice|two times]; double payment for {invoice}
o [Our card was|We were] [charged twice|debited two times] for {invoice}, {amount} each.
o The bank statement shows {amount} [twice|two times] on {date}, [both from you|same reference].
o You have [taken|collected] {amount} [again|a second time] though {invoice} was [settled|paid]
  {past}.
d [Both bookings|The two debits] are [{n} minutes|one day] apart.
d [Order|Our order] {order}, card ending [4242|1881|0005].
d [I attach|Attached is] the [statement|bank extract], both lines marked.
a Please [return|pay back] one of the two.
a [Which|Please confirm which] of the two will be [reversed|refunded], and when?

== wrong-seats > Sales 1
s {invoice}: wrong number of [seats|users]; bill too high
o {invoice} [bills|charges] {many} [seats|users], [we have|but we are] only {tens}.
o [The last bill|Your invoice {invoice}] is {amount} [too high|above what we agreed].
o We [removed|deactivated] {n} users {past} and [still pay|are still charged] for them.
d The [contract|order form] of {date} [says|states] another number.
d [The price per seat|The unit price] is right, the count is [not|wrong].
d [This was already|It was] wrong [in {month}|the month before].
a Please [correct|reissue] the invoice.
a How do you [count|come to] the [number|amount] you bill?

== refund > Sales 1
s refund for {order}; when do I get my money back
o I [want|would like|request] a refund [for {order}|of {amount}|of the last payment].
o {n} weeks ago I was promised [a refund|my money back] of {amount}, [nothing came|I am still
  waiting].
o The refund you [announced|confirmed] for {order} [has not arrived|is {amount} short].
d [We never used|We did not use] the [licence|add-on] [at all|since {month}].
d The bank [says|confirms] that nothing [came in|is on its way].
d [Reference|Your reference] {case}, [amount|sum] {amount}.
a When will [the money|it] be [in|back on] our account?
a Please [refund|return] the amount to the [same card|account we paid from].

== invoice-copy > Technical Bug 0
s copy of {invoice}; invoice for {month} [missing|needed]
o [We need|Please send] a copy of [{invoice}|the invoice for {month}|all invoices of last year].
o The invoice for {month} [never reached us|went to a colleague who left|is missing in our books].
o [For our books|For the tax return] [I need|we lack] the [bills|receipts] from {month} [on|to now].
d [It was|They were] always sent to {mail}.
d The payment of {amount} [went out|was made] on {date}, we have no [paper|document] for it.
d PDF is [enough|fine], paper is not needed.
a [Please mail|Can you send] it to {mail}?
a And please [send future ones|send the next ones] to {mail}.

== vat > Compliance 1
s VAT [wrong|missing] on {invoice}; tax on our invoice
o {invoice} [shows|has] [VAT though we are abroad|no VAT|the wrong VAT rate].
o Our VAT number [is missing|is misspelt] on [the bill|{invoice}], [the tax office|our accountant]
  [rejects it|sends it back].
o You [charged|added] {percent} tax, [reverse charge applies|we are exempt].
d Our number [was given|was entered] at order {order}.
d We are [based|registered] in {country}.
d [The earlier invoices|All invoices before {month}] were right.
a [Please issue|We need] a corrected invoice.
a Where do I [enter|change] the tax number?

== billing-address > Account Access 0
s new [billing address|company name]; change on invoices
o Our [company name|billing address|legal form] has changed [as of {date}|from {month} on].
o Please [change|update] the address on [our invoices|the bills] [to the new one|as below].
o Invoices [should go|have to go] to [another entity|our head office|{mail}] from now on.
d The new name is {company}, [same customer number|same tax number].
d [{invoice} should|The open bill should] [already carry|have] the new address.
d We [moved|merged] {past}.
a [Please confirm|Please let me know] when the [invoices|papers] are changed.
a Do you need [a form|an extract of the register] for that?

== card-declined > Account Access 2
s payment [declined|fails]; new credit card
o [Our card|The new card] is [declined|refused] when we [try to pay|want to settle] {invoice}.
o The card on file [expires|expired], [we want to|how can we] [pay|replace it] [before {day}|now].
o The payment of {amount} [failed|bounced], though the [bank|card company] [sees no reason|approved
  it].
d [Card number ends in|It ends in] [4242|4444|1117], [enough limit|limit is not reached].
d The bank [says|claims] that your [side|processor] sends the wrong code.
d [We do not want|Please avoid] [to lose|losing] service over that.
a Can we [pay by transfer|get a payment link] this once?
a Please [charge|try] the new card again.

== cancel > Sales 1
s [cancel|end] our subscription; notice for {account}
o [We hereby cancel|Please cancel|I want to end] [our subscription|the {plan} plan|{product}] [at
  the end of the term|from {month}].
o [We will not renew|Please do not renew] {account}.
o I cancelled {past} and [was billed again|got {invoice} all the same].
d [The notice period|Notice of {tens} days] is kept.
d [We are closing the department|We no longer need it|The project ended].
d [No counter-offer|No call], please.
a Please [confirm|acknowledge] the [end date|cancellation] and [send the final bill|stop the
  debits].
a What will the last [invoice|amount] be?

== proration > Sales 1
s how was {amount} worked out; bill after [upgrade|downgrade]
o [Since|After] the [upgrade|downgrade] to {plan} {past}, [I do not understand|nobody understands]
  the [sum|bill].
o {invoice} has [two|{n}] lines for [the same month|{month}], one [credit|part] and one charge.
o We moved [from monthly to yearly|to {plan}] and [paid for both|were billed for the rest again].
d By my own [sums|calculation] it should be {amount}.
d The line [reads|says] "proration", [with no dates|with nothing else].
d The change was made on {date}[|, by {who}].
a [Please explain|Can you break down] [the amount|each line].
a Is the [remainder|unused part] [credited|set off]?

== dunning > Account Access 2
s reminder for paid invoice; [dunning|final notice] {invoice}
o We got [a reminder|a dunning letter|a final notice] for {invoice}, [it is paid|paid on {date}].
o You [threaten|announce] to [block|stop] our account over {amount} [that we paid|that we do not
  owe].
o Every [week|month] comes a reminder for {invoice}, which was [cancelled|credited] {past}.
d Transfer of {amount}, reference [{order}|{invoice}], [value date|booked] {date}.
d Perhaps [it was booked|the money went] to our other customer number {account}.
d [Your|The] late fee of {amount} is [not ours to pay|unjustified].
a Please [book|match] the payment and stop the reminders.
a Who [in accounts|at your side] can [put this straight|clear that up]?

== purchase-order > Sales 0
s PO number for {invoice}; [purchase order|cost centre] missing
o Our [purchasing|accounts payable] rejects {invoice} [since|because] the PO number is
  [missing|wrong].
o Please put [the order number|cost centre {account}|PO {order}] on [all|the next] invoices.
o [Without|If there is no] PO number [we cannot pay|our system does not release] {invoice}.
d The PO was in [our mail|the order form] of {date}.
d The portal [of our purchasing|we use] takes [only e-invoices|XML only].
d [The due date|Payment date] then starts [anew|with the new invoice].
a [Please reissue|Please replace] it with the number.
a Can you send [e-invoices|XRechnung or UBL]?

== unknown-charge > Compliance 1
s what is this charge of {amount}; unknown debit
o There is a debit of {amount} [from you|with your name] that [nobody here|no one] [knows|ordered].
o What is [the line|the item] "{product} add-on" for {amount} on {invoice}?
o [We are no customer|I never signed up], [still|and yet] {amount} [was taken from|went off] my
  account.
d [Nobody in the {team}|None of us] [ordered|booked] [it|that].
d The [text|reference] of the debit [says|reads] {order}.
d It [began|first came] in {month} and [comes monthly|came {n} times].
a What is it for, and how do I [stop|dispute] it?
a Please [explain|account for] the [charge|debit].

== discount-missing > Sales 1
s discount not on {invoice}; promised price
o The [discount|voucher] of {percent} [is not on|was not taken off] {invoice}.
o We were [promised|quoted] {amount}, the invoice [says|has] more.
o The [loyalty|volume|first-year] discount [ended|vanished] from our bill [without a word|in
  {month}].
d The [offer|mail] of {date} [from your {who}|from your side] states it [clearly|in writing].
d The code was [accepted|shown] at checkout.
d The difference [comes to|is] {amount}.
a Please [credit|correct] the difference.
a Why was it [dropped|not applied]?

== locked-over-payment > Account Access 2
s account locked over invoice we [paid|dispute]; {invoice}
o You locked our [account|logins] over {invoice}, [which we dispute|which is wrong by {amount}].
o Our users [cannot log in|are locked out] because you [say|think] {invoice} is unpaid, [we did
  pay|the transfer went out {past}].
o Before we [talk of|speak of] [access|logins]: the [amount|invoice] behind the lock is [wrong|not
  ours].
d We [dispute|contest] {amount} of it[|, in writing, on {date}].
d [The proof of payment|The bank's receipt] is attached.
d The password is not the problem, the [bill|balance] is.
a [Check the payment|Correct the invoice], and the lock [falls away|is no question any more].
a Who decides on [disputed|contested] invoices?

== outage-credit > Technical Bug 1
s credit for the outage; SLA [refund|credit] {month}
o For the outage [of {date}|in {month}] [we claim|we ask for] [the SLA credit|a credit on our bill].
o {product} was [down|unusable] for {n} hours [in {month}|on {date}], yet we were billed [in
  full|{amount}].
o [According to|By] the contract, downtime [above|over] {n} hours [reduces the fee|gives us a
  credit].
d The [fault|bug] itself is [repaired|fixed], this is about the money.
d The status page [lists|admits] the [crash|incident].
d We [work it out|reckon] at {amount}.
a Please [credit|deduct] it [from the next invoice|on {invoice}].
a What do you need for the [claim|credit note]?

== bank-transfer > Sales 0
s pay by [transfer|direct debit]; bank details
o [Can we|We want to] pay by [bank transfer|direct debit] [instead of card|from now on].
o [You have|Are these] new bank details on {invoice}, [is that genuine|can we trust that]?
o Our [head office|bank] allows [only transfers|no cards], [how do we pay|what now]?
d [We pay|It would be] [yearly|quarterly], about {amount}.
d The [mandate|form] was [signed|sent] {past}.
d The IBAN on the [last|earlier] bills was [a different one|another].
a Please [confirm|send] your bank details.
a From when can [this|the change] [apply|take effect]?

== currency > Sales 0
s invoice in the wrong currency; [dollar|euro] billing
o {invoice} is in [dollars|euros|pounds], [we agreed another currency|our contract is not].
o [Please bill|Can you bill] us in [our own currency|EUR|GBP] [from {month}|from now on].
o The [exchange rate|bank fee] [costs us|adds] {amount} [each month|on each bill].
d We are in {country}, [our books|all accounts] are in another currency.
d On the [web page|order form] [prices were|the price was] in the other one.
d The rate you used [on {date}|there] is [not that of the day|unclear].
a Please change the [currency|billing currency].
a Which rate do you [use|apply], and [of which day|from where]?
""",
)

ASKS = bank("""\
Please [check|correct] our [billing|invoice] and [tell me|let me know] [the result|what is due].
[Whom in accounts|Whom] can I [call|speak to] about [this invoice|the payment]?
Until that is [cleared|settled], we [hold|keep back] the payment of {amount}.
""")
