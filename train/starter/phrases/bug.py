"""What people write to Technical Bug about."""

from train.starter.grammar import bank, read_intents

INTENTS = read_intents(
    "Technical Bug",
    """\
== export-empty > Billing 1
s [empty|broken] export; [CSV|Excel] export from {area}
o The [CSV|Excel|PDF] export of the {area} [comes out empty|has only the header row|is cut off
  after {many} rows] {when}.
o [When|Each time] I export the {area}, the file is [0 bytes|blank|unreadable], [though|even if]
  the screen shows [{many} rows|everything].
o {file} [never arrives|is corrupt when I open it|misses half of the columns] when I run the export.
d It [used to work|was fine] {past}, with the same filter and the same [rows|columns].
d Smaller ranges, [about {n} days|one week|fewer than {many} rows], [export fine|do come out].
d The download link [answers|ends in] {error} after [about {n} seconds|a while].
a [Please|Can you] [have a look at|repair|fix] the export[| for us].
a Where can I get the full data until this is [repaired|fixed]?

== crash-on-save > Feature Request 2
s {product} crashes on save; [crash|freeze] in {area}
o {product} [crashes|freezes|closes itself] [as soon as|when] I [press|click] Save in the {area}.
o Saving [a change|anything] in the {area} [kills the program|gives a white screen|ends in {error}].
o The {area} [hangs|stops responding] [on save|after every edit], and [my changes are gone|nothing
  is stored].
d It happens [every time|about one time in {n}], on {device} and on {device2}.
d [I can reproduce it:|To reproduce:] open the {area}, change any field, save, [wait|watch it die].
d Version {version}, {browser}, [no add-ons|clean profile].
a [Is there a patch|Is this a known defect|Do you have a hotfix]?
a Tell me which [trace|log] you need[| and I send it].

== slow > Sales 1
s {product} [very slow|unusable slow]; {area} takes ages
o {when2} the {area} [takes {n} minutes to load|loads at a snail's pace|is painfully slow].
o [Pages|Lists] in {product} [load forever|time out|crawl], [above all|most of all] the {area}.
o Response times of {product} went [through the roof|from one second to {tens} seconds] {when}.
d [Other web sites|Our line] [are|is] fine, {many} Mbit [measured|down].
d The [browser console|network tab] shows [requests of {tens} seconds|one call that never ends].
d Mornings are [worse|bad], [evenings|nights] [are OK|go better].
a Can you [check|look into] [your servers|the database|what is slow there]?
a [What|Which numbers] do you need to [find|trace] the slowness?

== sync-stuck > Billing 2
s sync [stuck|stopped]; {system} no longer in sync
o The sync [between|of] {product} and {system} [is stuck|stopped|has been hanging] {when}.
o Records [changed|entered] in {system} no longer [show up|arrive] in the {area}.
o The connector to {system} [reports|loops with] {error} and [retries for ever|gives up].
d The queue [has grown to|shows] {many} [waiting|pending] items.
d Last [good|complete] run [was|finished] {past} at {clock}.
d [Restarting|Re-saving] the connector [helped for an hour|changed nothing].
a Please [restart it on your side|find out why it hangs|get the sync going again].
a How do we [replay|catch up] the missed records?

== notifications-missing > Account Access 1
s no notifications[| from {area}]; mails from {product} not sent
o {product} [sends no|has stopped sending] [notification|reminder|status] mails {when}.
o [Nobody|None of us] in the {team} gets [alerts|notifications] from the {area} any more.
o Notifications [arrive {n} hours late|come twice|come without any text], {when}.
d Our mail server [logs no attempt|has seen nothing from you], so it is not the spam filter.
d The setting is on, [I switched it off and on|I checked it twice], [no change|same result].
d [Push|In-app] messages [work|do come], only mail [fails|does not].
a Can you see in your logs [whether they leave|what happens to them]?
a [Please repair|Please look into] the notifications.

== search-wrong > Compliance 1
s search finds nothing; wrong results in {area}
o The search in the {area} [finds nothing|returns the wrong records|ignores the filter] {when}.
o If I search for [{order}|{invoice}|a customer's name], [I get someone else's record|I get zero
  hits], though it [is there|exists].
o Filters in the {area} [show different counts|give different results] on each [reload|click].
d Sorting by date [brings it up|shows it], search [does not|never does].
d New records [are found only after {n} hours|are never found], old ones are.
d {who} sees the same on {device}.
a [Could the index be broken|Does the index need a rebuild]?
a Please [correct|fix] the search.

== layout-broken > Feature Request 0
s [layout broken|buttons missing] in {area}; display problem
o {when2} the {area} is [garbled|laid out wrong|half hidden] in {browser}.
o The [Save|Next|Confirm] button of the {area} is [off the screen|hidden behind the footer|gone].
o Text in the {area} [overlaps|is cut off|runs out of its box] [on {device}|at {percent} zoom].
d [A screenshot is attached|See the picture], the red [arrow|circle] shows it.
d In another browser it [looks right|is fine].
d It came with [the last release|version {version}], [I am sure|before that it was right].
a Please [put this right|correct the layout|pass it on to the developers].
a [Is it known|Has anyone else reported it]?

== import-fails > Account Access 1
s import [fails|stops at {percent}]; cannot import {file}
o The import of {file} [stops at {percent}|fails with {error}|reports success and brings in
  nothing].
o Importing [contacts|products|bookings] into the {area} [breaks|aborts] on [row {many}|umlauts and
  accents|the date column].
o Your importer [rejects|chokes on] a file [that it made itself|that it took {past}].
d The file has {many} rows, UTF-8, [semicolon|comma|tab] separated.
d With the first {n} rows [only|alone] it [works|goes through].
d The error [report|log] is [empty|of no use], it only says {error}.
a What is [wrong with|it that stops] [the import|this file]?
a Please [fix the importer|import it for us by hand].

== api-errors > Sales 2
s API answers 500; {error} from the API
o Calls to [{url}|the REST API|your API] [answer|fail with] {error} {when}.
o The API [returns 500|times out|sends half a JSON] for [about {percent}|one in {n}] of our
  requests.
o [POST|PUT|PATCH] to {url} [breaks|fails] since [your release|version {version}].
d The same [call|payload] with curl [gives the same|fails too], so it is not our client.
d [Token and rights are right|The key is valid], GET [works|is fine].
d The response [has no body|is HTML|contradicts the documentation].
a Is the API [down|unstable|changed], and [until when|where is that announced]?
a Please [check|look at] request [{trace}|id {trace}] in your logs.

== app-crash > Account Access 2
s app [closes at once|crashes] on {device}; mobile app
o The mobile app [closes at once|crashes|shows a black screen] on {device} {when}.
o After [the update|updating] to {version} the app [will not start|dies at the splash screen].
o The app [drains the battery|crashes whenever I open the {area}|freezes when offline].
d [Reinstalling|Clearing its data] [did not help|made no difference].
d Colleagues with {device2} have [no problem|the same problem].
d [I sent the crash report|Crash report {trace} was sent] from the phone.
a When [will there be|comes] a [corrected version|fix in the store]?
a How [can|do] I go back to the version [before|that worked]?

== duplicates > Billing 1
s duplicate records; everything [twice|double] in {area}
o Every [record|entry|contact] in the {area} [is there twice|has been doubled] {when}.
o {product} [creates|makes] [two|{n}] copies of [each order|each booking] [when I save once|by
  itself].
o A [single click|single upload] [makes|produces] duplicates in the {area}, [today {many}|all day].
d [IDs are different|They have different ids], all else is [the same|identical].
d If I delete one, [both go|the other goes too].
d The [log|history] shows two saves in the same second.
a Can you [stop this|find the cause] and [remove the copies|clean up]?
a Is there a [script|way] to [merge|remove] them [all|at once]?

== time-wrong > Feature Request 1
s wrong [time zone|dates] in {area}; off by one [hour|day]
o Times in the {area} are [off by one hour|{n} hours late|in the wrong time zone] {when}.
o Dates in the {area} [jump back by one day|swap day and month] [when saved|in exports].
o The scheduler [runs|starts] jobs [an hour early|on the wrong day] since the clocks changed.
d My profile [is set to|says] [our zone|{country}], the server shows something else.
d Entered {clock}, shown [one hour earlier|another hour].
d Only entries [made on the phone|from the API|before {date}] are wrong.
a Please [correct the times|fix the zone handling].
a Which [dates|entries] can we trust [now|until then]?

== attachments > Compliance 1
s cannot [upload|open] attachments; upload stops
o [Uploading|Attaching] a file in the {area} [stops at {percent}|fails with {error}|spins for ever].
o Attachments in the {area} [cannot be opened|are empty|belong to a different record] {when}.
o [Pictures|PDF files|Scans] [above {n} MB|of any size] are [refused|lost] on upload.
d [Drag and drop|The upload button] [fails too|is no better].
d The file is [small|{n} MB] and [has a plain name|opens on my computer].
d Old attachments [still open|are fine].
a What [is broken|went wrong] there?
a [Please repair|Please mend] the upload, [we need the scans|we work with it all day].

== invoice-page-broken > Billing 1
s invoice page [blank|does not load]; error on billing page
o The [invoice page|billing tab|payment history] [stays blank|throws {error}|loads for ever] in
  every browser {when}.
o Clicking [Download|View] next to an invoice in {product} [does nothing|opens an empty tab|ends in
  {error}].
o The total on the [invoice screen|billing page] [shows NaN|shows {error}|flickers], the PDF has
  the right one.
d The amounts [themselves are right|are not the question], [only the page|just the screen] is
  broken.
d The console [says|shows]: cannot read properties of undefined, [invoices.js|billing.js].
d For {who} with the same role [it works|the same error comes].
a Please [repair the page|fix the script], [no accounting question here|I have no issue with the
  bill].
a Is this page [known to be broken|under repair]?

== login-page-broken > Account Access 3
s login page [blank|broken] for everybody; [error|loop] at login screen
o The login [page|screen] [is blank|shows {error}|reloads in a loop] for [everybody|all {many} of
  us] {when}.
o {when2} the sign-in button [does nothing|is missing|cannot be clicked], [on any account|for all].
o After your [release|maintenance] the login page [has lost its style sheet|throws a script
  error|ends in {error}], passwords [are fine|are not the problem].
d Typing [the password|the code] is possible, [the form never submits|then the page just turns
  white].
d [Status page says all green|Your status page is green], [it is not|that is wrong].
d [Private window|Another browser|Another network], [same|no difference].
a [Roll back|Undo] the release[| please], or [repair|fix] the page.
a Do your [developers|engineers] know [already|about it]?

== webhook-silent > Account Access 1
s webhooks [not delivered|sent twice]; {area} webhook
o Webhooks for the {area} [are no longer delivered|arrive twice|come with an empty body] {when}.
o Our endpoint at {url} [gets nothing|gets only test events] from {product} [any more|{when}].
o The [signature|timestamp] of your webhooks [does not verify|is wrong] since {version}.
d The delivery log [shows|says] {error}, our server [saw no request|answered 200].
d Test events [come through|arrive], real ones [do not|never].
d About {many} events [are missing|were lost] so far.
a Can you [resend|redeliver] them and [find the cause|repair the webhook]?
a Did the [format|sender's address] change?

== wrong-total > Billing 1
s wrong totals in {area}; report does not add up
o The sum in the {area} [does not match its rows|is off by {amount}|counts refunds twice].
o {product} [rounds|adds up] [wrongly|differently] in the [report|PDF] than on the screen.
o Your tax calculation [for our own sales|in our shop's documents] is [off by a cent|wrong] since
  {version}.
d [Rows are right, the footer is wrong|Adding the rows by hand gives another result].
d It is the documents we make for our customers, not [your bill to us|what you charge us].
d [Only|Above all] with discounts [and returns|in foreign currency].
a Please [check|correct] the [formula|calculation] in the program.
a Which of the two [numbers|totals] is [right|to be trusted]?

== data-lost > Compliance 3
s [records|entries] gone; data lost after update
o All [entries|records|notes] [of {month}|made {past}] have [vanished|disappeared] from the {area}.
o After the [update|migration] to {version}, {many} [records|customers] are [missing|gone].
o The {area} [overwrote|wiped] our [settings|entries] [by itself|overnight].
d Nobody [here deleted|touched] anything, the history shows [no deletion|nothing].
d The bin is [empty|empty too].
d What I [enter now|save today] [is gone again|vanishes] after a reload.
a Can you [restore|bring back] the backup of {date}?
a Please [say|tell us] whether the data can be [saved|recovered].

== consent-banner-broken > Compliance 1
s [cookie|consent] banner cannot be closed; privacy page error
o The [cookie|consent] banner of {product} [cannot be closed|comes back on each click|covers the
  page].
o The [data deletion|privacy export] job in the {area} [ends in|fails with] {error} {when}.
o The audit log screen [does not load|shows {error}] {when}.
d It is [a plain fault|a software fault], [no legal question|nothing legal], the button does
  nothing.
d In version {version} [it worked|the same job ran through].
d The job log has [a stack trace|only {error}].
a Please [repair|fix] the [button|job|screen].
a [When is|Is] a fix [planned|on its way]?

== quote-builder-broken > Sales 1
s quote builder [error|hangs]; price list does not load
o The quote builder in {product} [does not open|freezes at step {n}|ends in {error}] {when}.
o The price list in the {area} [does not load|shows every price as 0|shows {error}].
o Our sales people [cannot print|cannot save] quotes to their customers, {product} [hangs|shows
  {error}].
d The same quote [opened fine|worked] {past}.
d Deleting a line [brings it back to life|helps for a minute].
d [It hits|This hits] [all|{n}] of our [sales people|representatives].
a [Please fix|Please repair] the [builder|module].
a Is there a way around this [fault|bug]?
""",
)

ASKS = bank("""\
[Please fix this|Please look into it|Could a developer look at this], [thanks|it has gone on
  {when3}].
[Is this a known bug|Is this known]? [What is the workaround|When will it be repaired]?
[Let me know|Tell me] what [logs|details] you need to reproduce it.
""")
