"""What people write to Feature Request about."""

from train.starter.grammar import bank, read_intents

INTENTS = read_intents(
    "Feature Request",
    """\
== dark-mode > Technical Bug 0
s dark mode[| for {area}]; idea: [darker colours|larger type]
o [A dark mode|A high-contrast theme|A larger font] for the {area} would be [lovely|a blessing].
o [Could you|Would you] [add|offer] [dark colours|a dark theme|a compact view] in {product}?
o [We sit|Our night shift sits] before the {area} [all day|for hours], [please add|how about] a
  dark theme.
d [Other tools|Most programs] [have it|can do that].
d [The white page|The glare] [tires the eyes|is tiring].
d Even [a simple switch|a setting per user] would [do|be enough].
a [Is that|Is this] [planned|on the roadmap]?
a [Please consider|I would vote for] it.

== bulk-edit > Technical Bug 0
s edit many [records|rows] at once; bulk [edit|delete]
o [It would be great|It would save us hours] if one could [edit|close|delete] many rows of the
  {area} at once.
o [Please add|We miss] a bulk [edit|assign|delete] in the {area}.
o [At present|Today] we [change|click through] {many} records one by one, [a multi-select|a bulk
  action] would [help|save hours].
d [Tick several, change once|Select all, set a field], [that simple|that is all].
d We [do|repeat] this [every week|each month end].
d A [preview|confirmation] before it [runs|is saved] would be [wise|good].
a [Could that be|May I ask that this be] [added|put on the list]?
a [Is there a plan|Do you plan] for that?

== export-format > Billing 0
s export as [XML|JSON|ODS]; wish: more columns in export
o [Could the export|I wish the export] of the {area} [offer|came in] [JSON|XML|ODS|Parquet] too.
o [We would like|It would help] to choose [the columns|the order of columns] in the {area} export.
o [Please add|How about] an export [by schedule|to our file share|per customer] [from|in] the
  {area}.
d [Now we|At the moment we] [rename|cut] columns by hand[| each time].
d {system} [reads|takes] only that format.
d The present one [works well|is fine], [it is just not enough|I only want more].
a Would [that|this] be [possible|hard to do]?
a [Please pass it on|Please hand this] to the product team.

== passkeys > Account Access 0
s [passkeys|SSO] for login; wish for sign-in
o [Please support|It would be great to have] [passkeys|fingerprint login|hardware keys] at sign-in.
o [I wish|We wish] the login page [remembered the tenant|let us choose the identity
  provider|offered QR codes].
o [Could you add|Any plans for] [login by link|password-free login|a longer "stay signed in"]?
d Login works [today|fine], it [is just clumsy|could be smoother].
d [Our people|The {team}] [share a terminal|wear gloves], passwords are [no fun|a nuisance].
d [Others|Many services] [offer|have] it [by now|already].
a [When|Could you say when] [might it come|will you offer that]?
a [I would gladly|We would gladly] [test it|be beta testers].

== invoice-layout > Billing 0
s wish: [our logo|own text] on invoices in {product}; invoice template
o [It would be nice|We would love] to [put our logo on|change the layout of] the invoices that
  {product} [makes|prints].
o [Could you add|Please add] [recurring invoices|part payments|several tax rates] to the invoice
  module?
o [A yearly overview|A cost-centre split] on your bills [would be a nice addition|would be welcome
  in future].
d The amounts [are right|are fine], this is [a wish|an idea] for the [layout|program].
d [Our customers ask|Our accountant asks] for it.
d [A free text field|A template editor] would [do|suffice].
a [Can that be|Could it be] [built in|offered]?
a [Where can I vote|How can I vote] for it?

== api-endpoint > Technical Bug 0
s API for {area}; endpoint [wish|missing]
o The {area} [has no API yet|is not in the API], [could you add one|we would need one].
o [Please extend|It would help to extend] the API [by|with] [a bulk endpoint|webhooks|filters] for
  the {area}.
o [We would like|We want] to [read|write] the {area} from {system}, [an endpoint is missing|there
  is no call for it so far].
d [Now we|So far we] [scrape the page|export by hand], which is [ugly|slow].
d The [documentation|reference] lists [only|just] {n} calls[| for it].
d [GraphQL or REST|Either way], [we do not mind|both fine].
a [Is it|Is that] on the [roadmap|list]?
a [We would|We could] help with [testing|the specification].

== calendar > Technical Bug 0
s calendar [integration|view]; deadlines in our calendar
o [I would love|We would love] to see [deadlines|tasks|shifts] from the {area} in [our calendar|a
  month view].
o [Could {product} offer|How about] an iCal feed [of the {area}|for each team]?
o A [two-way link|connection] [to|with] our calendar [would be wonderful|is top of our wish list].
d [Now|Today] somebody [copies|types] the dates [by hand|every Monday].
d Read-only [would be fine|is enough] for a start.
d [Colour by team|Reminders] would be [the icing|a bonus].
a [Might|Could] this [come|be built]?
a Let me know if [others|other customers] [ask for|want] it too.

== custom-fields > Sales 0
s custom fields in {area}; more [field types|columns]
o We [would like|need] [custom fields|our own columns|a field for the {team}] in the {area}, [which
  does not exist yet|please consider].
o [Could one|It would be handy if one could] [add own fields|hide fields|reorder fields] in the
  {area}.
o [Please allow|Please make possible] [drop-down lists|formulas|required fields] in the {area}.
d [We now misuse|For now we misuse] the notes field.
d [Up to|About] {n} fields would [do|be enough].
d [Searchable|Exportable] would be [important|good].
a [Can you|Could you] [take this up|put it on the list]?
a Is it [planned for|coming in] {version}?

== shortcuts > Technical Bug 0
s keyboard shortcuts; faster [typing|work] in {area}
o [Keyboard shortcuts|Hot keys] [in|for] the {area} would [speed us up|save a lot of clicks].
o [Could you add|Please add] [a shortcut|Ctrl+S|arrow keys] [to|in] the {area}?
o I [suggest|propose] [type-ahead|auto-complete|tab order] in the {area}.
d [We enter|I enter] {many} [records|lines] a day.
d The mouse [slows us down|hurts after hours].
d [The old version had|An older tool had] [that|them].
a [Any chance|Is there a chance]?
a Thanks for [thinking about|considering] it.

== scheduled-reports > Billing 0
s reports by mail [each Monday|on schedule]; report idea
o [It would help|It would be useful] if reports from the {area} [came by mail|ran] [every Monday|on
  a schedule].
o [Could we get|We would welcome] [a dashboard|a chart|a month comparison] of the {area}?
o [Please add|I suggest adding] [totals by team|a trend line|a budget column] to the {area} report.
d [Now I|So far I] [run|build] it by hand [in a spreadsheet|each week].
d My [boss|manager] [asks for|likes] it on [paper|one page].
d PDF [and|or] [Excel|CSV] would both [do|be fine].
a Is [something like this|that] [planned|thinkable]?
a [I can send|Shall I send] a sketch?

== offline > Technical Bug 0
s offline [mode|use] of the app; app without network
o [Please let|It would be great to let] the app work [offline|without network], [we are often in
  cellars|our drivers need it].
o [Could the mobile app|Would it be possible that the app] [keep|store] the {area} for [offline
  use|use on the road]?
o [A tablet version|A widget|A scanner function] [of|in] the app would be [a real gain|great].
d [At customers'|In the basement] there is [no signal|hardly any net].
d [Reading|Just reading] would [do|be enough], [writing later|sync later].
d [Our {team} has|We have] {many} devices.
a Do you [plan|intend] [that|this]?
a [Whom|To whom] do I [send|give] such ideas?

== language > Sales 0
s {product} in [Polish|Dutch|Portuguese|Finnish]; translation
o [Is there|Will there be] a [Polish|Dutch|Portuguese|Finnish|Czech] version of the {area}? [Our
  people|The {team}] would [love|need] it.
o [Please translate|It would be kind to translate] the {area} into [Italian|Swedish|Greek|Spanish].
o [Could each user|We wish each user could] choose [the language|the date format|the number format].
d [{n} of our people|Half of the {team}] [read no|hardly read] English.
d [We would help|We could help] with the [wording|translation].
d [The help pages|Mails to customers] [too|first], [if possible|ideally].
a [Is that|Would that be] [coming|possible]?
a [When|In which version] [might|could] we [expect|see] it?

== audit-filter > Compliance 0
s more [filters|columns] in the audit log; retention setting wish
o [Could the audit log|I wish the audit log] [be filtered by user|show the old value|be exported by
  API].
o [It would be helpful|We would like] [an automatic deletion|a retention setting] [per field|per
  customer] in the {area}.
o [Please add|How about] a [consent field|GDPR tick box|masking option] to the {area}.
d [No legal duty|No auditor asks for it], [just handy|it would just ease our work].
d [Now we|So far we] [scroll|filter in Excel].
d A [simple|small] [version|switch] would [do|help].
a [Would you|Could you] [build|consider] that?
a [Is it|Is something like it] [on your list|planned]?

== saved-views > Technical Bug 0
s save my [filters|view]; shared views in {area}
o [I wish|We wish] one could [save|share|pin] filters in the {area}.
o [Please let us|Could you let us] [store|share] [views|column widths] of the {area} with the team.
o [A start page|A favourites list] with [my own|saved] [views|searches] would be [useful|fine].
d [Every morning|Each time] I set the same {n} filters [again|anew].
d [Per user|Per team] would both [help|be welcome].
d [It need not|It does not have to] be [pretty|perfect].
a [Could it|Might it] be added?
a [Consider it|Take it as] a [suggestion|vote].

== finer-roles > Account Access 0
s finer [roles|permissions]; role wish
o [We would like|It would be good to have] a role between [viewer and editor|member and admin],
  [which is not possible today|today there is none].
o [Could permissions|Would it be possible that permissions] be set [per field|per project|per
  customer]?
o [Please add|We suggest] [a deputy function|time-limited access|approval by two] for the {area}.
d [Our access works|All our logins work], we only want it [finer|more exact].
d [Now everyone|Today everybody] in the {team} is admin, [which is silly|not ideal].
d [Five|{n}] [more|new] roles would [do|cover it].
a [Is this|Is that] [on the roadmap|being thought of]?
a [How do others|How do other customers] solve it?

== price-rules > Sales 0
s price rules in the quote builder; wish for {area}
o [It would be great|We would like it] if the quote builder [knew tiered prices|offered
  templates|did discounts per customer].
o [Could you add|Please consider adding] [e-signature|a second price list|an expiry date] to the
  quotes our people write in {product}?
o [I suggest|We propose] [a margin column|an approval step] in the price list module.
d [We do not want to buy more|No upgrade wanted], [it is an idea for the program|only a function].
d Our [sales people|field staff] [ask|beg] for it.
d [Now it is done|At present that is done] in [Excel|a spreadsheet].
a [Could it|Might it] be [built|added]?
a [Please forward|Please hand] it to the [developers|product people].

== undo > Technical Bug 0
s undo [button|function]; [restore|bin] for {area}
o [An undo button|A recycle bin|A version history] in the {area} would [save us|be a relief].
o [Could you add|I would like] [autosave|a draft mode|a warning before closing] in the {area}?
o [It is easy|It is too easy] to delete a [row|record] by mistake, [please add|how about] an undo.
d [It was our own mistake|My own fault], [nothing is broken|no error of yours].
d [{n} steps|One step back] would [do|be plenty].
d [Word processors|Mail programs] have [had it for years|it].
a [Would that|Could that] [be possible|be done]?
a [I hope|We hope] to see it [some day|in {version}].
""",
)

ASKS = bank("""\
[I know it does not exist yet|I looked for it and it is not there], [would you consider it|could it
  be built]?
[Just an idea|Only a suggestion], [take your time|no answer needed].
[Please add my vote|Count us in] if [others want it|it is on the list] too.
""")
