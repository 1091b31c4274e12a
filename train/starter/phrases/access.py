"""What people write to Account Access about."""

from train.starter.grammar import bank, read_intents

INTENTS = read_intents(
    "Account Access",
    """\
== reset-mail > Technical Bug 2
s password reset [mail does not come|not possible]; forgot password
o I [forgot|lost] my password and the reset mail [never comes|does not arrive] at {mail}.
o The reset link [has expired|was used already|is refused] [when I click it|each time].
o I have asked for a new password {n} times [{when3}|today], [no mail|nothing comes].
d [Nothing in spam|Spam folder is empty], [colleagues get theirs|other mail arrives].
d My [user name|login] is {user}.
d I [changed computers|came back from leave] and [the saved one|the password] is gone.
a Please [send me a new password link|reset it by hand].
a Can you [set|give me] a temporary password?

== locked-out > Technical Bug 2
s account locked; locked out after [{n}|too many] attempts
o My account [is locked|has been blocked] [after too many attempts|since this morning|{when}].
o It says [my user is blocked|"account disabled"|"too many attempts"], [I need to get in|let me in].
o {who}'s account ({user}) is locked, [and cannot be unlocked by us|our admin cannot unlock it].
d The waiting time of {tens} minutes [is over|passed], still locked.
d I [only mistyped|got it wrong] {n} times.
d The admin of our {team} [is on leave|cannot do it].
a Please unlock [it|{user}|the account].
a How long [does the lock last|am I shut out]?

== second-factor > Technical Bug 2
s lost phone, no [code|second factor]; 2FA reset
o I have a new phone and [no codes|the authenticator is empty], so I cannot [sign in|log in].
o [My phone was stolen|I lost my phone], [with it the second factor|and the codes with it].
o The [six-digit|SMS] code is [always refused|never sent] [when I sign in|to my number].
d The recovery codes [are lost|were never shown to me|are used up].
d The number on file ends in [0123|0147|0168], [I no longer have it|that one is dead].
d I can [prove|confirm] who I am, [staff card|by a call to my manager].
a Please [reset|switch off] two-factor for {user}.
a How do I [register|enrol] the new phone?

== sso-one-user > Technical Bug 2
s SSO [refused|not working] for {who}; no account found
o Single sign-on [refuses|does not know] {user}, [all others get in|others can].
o After we changed [the identity provider|our mail domain|the certificate], [nobody is let
  in|logins by SSO are refused].
o SSO says "[user not assigned|no account found|not authorised]" [for me|for {who}].
d In our directory the user [is in the right group|looks right].
d The [certificate|metadata] was [renewed|exchanged] {past}.
d Login by password is [switched off|not allowed] for us.
a Please [link|map] the [account|identity] again.
a Can you [upload|enter] the new [certificate|metadata] for our tenant?

== invitation > Technical Bug 1
s invitation [expired|not received]; new colleague
o The invitation for {who} [has expired|never arrived|says it was used].
o [Our new colleague|A new starter] [cannot register|cannot join] with the invitation [sent
  {past}|we sent].
o [I was invited|I got an invitation] to {product}, [the link is dead|the link says invalid].
d The address is {mail}, [I checked it twice|spelt right].
d [Sending it again|A second one] [fails|says "already a member"].
d [Their first day|Day one] is {day}.
a Please [send|issue] a new invitation.
a Can you [add them|set up the user] by hand?

== permission > Feature Request 1
s no [rights|permission] for {area}; access denied
o I [have no access to|cannot open] the {area}, it says [permission denied|I lack the rights].
o [Since my move|Since I moved] to the {team} I [need|lack] [rights|access] to the {area}.
o {who} [should see|must be able to open] the {area} [and cannot|but has no permission].
d [Colleagues|Others] in the same role [can open it|have it].
d My role is [shown as|still] [viewer|guest|member].
d The [owner|manager] has agreed[|, see below].
a Please [give me|grant] the [role|rights].
a Who [may|can] [grant|approve] that?

== leaver > Compliance 1
s deactivate [user|access] of {who}; leaver
o {who} [has left|leaves us on {date}], please [close|deactivate] the [account|login].
o [Please remove|Please withdraw] all access of {user} [today|as of {date}|at once].
o A former [colleague|contractor] [can still log in|still has access].
d [Their items|Their tickets] [go|should go] to [{who2}|me].
d We have [no admin of our own|no rights to do it].
d [Phones|Tokens] and [sessions|API keys] too, please.
a Please confirm when the [account|login] is [closed|off].
a Can you also [end|kill] the open sessions?

== change-login > Billing 0
s change [login|e-mail] of my account; new name
o My [mail address|name] has changed, [I want to log in|my login should be] with {mail}.
o Please change the login of {user} to {mail}.
o [I cannot change|The profile does not let me change] my [login|user name] [myself|on my own].
d [I married|We have a new domain], the old mailbox [is closed|goes away {day}].
d The old one was {user}.
d History and [items|settings] [should stay|must be kept].
a Please [make the change|change it], or tell me how.
a Will I [stay|be] logged in?

== merge-accounts > Billing 0
s two accounts for [one person|me]; merge logins
o I have two accounts, {mail} and {mail2}, [please merge them|and always land in the wrong one].
o [By mistake|It seems] I [registered|was registered] twice, [with two logins|under two names].
o After signing in I [see an empty workspace|land in somebody else's team], mine is under the other
  login.
d The [right|main] one is [the older|the first].
d [One came with SSO|One was made by SSO], the other [by invitation|by hand].
d Nothing in the [second|newer] one is [needed|worth keeping].
a Please [merge|join] them.
a Which login [should|shall] I use?

== admin-gone > Compliance 2
s admin has left, nobody can [get in|manage users]; transfer ownership
o Our only admin [left the company|is ill for long], [nobody can manage users|no one has the
  rights].
o Please [transfer|hand over] ownership of our [workspace|tenant] to {who}.
o [I took over|I have taken over] from {who} and need [admin rights|the owner role].
d [The old admin's mailbox|That mailbox] [is gone|no longer exists].
d Customer number {account}, [company|name] {company}.
d We can [send|provide] [a letter|proof on letterhead].
a What [do you need|must we send] to make me admin?
a Please [make|appoint] {user} [owner|administrator].

== logged-out > Technical Bug 1
s logged out [all the time|every {n} minutes]; session expires
o I [am|get] logged out of {product} [every {n} minutes|several times an hour|in mid-work].
o [My session|The session of {user}] [ends|expires] [at once|after {n} minutes] and I must sign in
  again.
o "Your session was ended by another login" [comes|appears] [again and again|daily], I am the only
  user.
d "Stay signed in" is [ticked|on].
d Only my login [has that|is affected], {who} [stays in|is fine].
d [The policy of our tenant|Our own policy] says {n} hours.
a Please [check|look at] the sessions of my account.
a Can the [time limit|policy] for {user} be [raised|put right]?

== api-key > Technical Bug 2
s new API [key|token] needed; key [revoked|expired]
o Our API key [was revoked|has expired|is lost], [we need a new one|please issue another].
o The [token|service account] for {system} [is refused since it expired|was tied to a colleague who
  left].
o I [cannot see|am not allowed to see] the [API keys|tokens] of our tenant any more.
d The API answers 401, [rightly|as it should], the key [ran out|ended] on {date}.
d The old key [began with|starts] "nv_{n}".
d It was [created|made] by {who}, [who has left|no longer here].
a Please [issue|activate] a new [key|token].
a Who [may|can] [make|renew] keys [with us|in our account]?

== strange-login > Compliance 3
s someone else in my account?; login from unknown [country|place]
o I got [a mail|an alert] about a login from {country} [that was not me|at {clock}], [{ip}|please
  lock it].
o [I think|I fear] someone [has my password|is using my account].
o My [password|mail address] was changed [{past}|overnight], [not by me|I did not do that], and now
  I am [shut out|locked out].
d The session list [shows|has] {ip}, [I was in bed|we have nobody there].
d I [clicked on|fell for] a [false|fake] login page {past}.
d The same password [was used|I used] elsewhere, [sadly|I admit].
a Please [lock|freeze] the account and [end all sessions|let me set a new password].
a How do I [get it back|take back my account]?

== suspended > Billing 2
s "account suspended" at login; cannot get in though [paid|all is paid]
o [At login|When signing in] I read "account suspended", [billing says all is paid|our invoices are
  all paid].
o [Accounts|Your billing] confirmed the payment [{past}|yesterday], [but the login|and yet the
  login] stays [blocked|suspended].
o We paid, the invoice shows as settled, but [the suspension|the block] [of our users|on {user}]
  [was not lifted|is still on].
d It is only the [flag|lock] on the [account|tenant] that [has to go|is left].
d Your colleague from billing [sent us to you|said you can lift it].
d {many} users [wait|cannot get in].
a Please [lift|remove] the [suspension|block].
a When [can we|will we be able to] log in [again|]?

== group-mapping > Feature Request 1
s users in the wrong [group|role] after sync; provisioning
o [SCIM|The directory sync] [puts|has put] {many} users in the [wrong group|guest role].
o [New users|New staff] from our directory [get no seat|get no role|come in without rights].
o [The group|The team] "{team}" [is not mapped|maps to the wrong role], [so nobody there gets
  in|please correct].
d In the directory all is [right|in order].
d It should be [editor|member|agent].
d We [renamed|moved] the group {past}.
a Please [correct the mapping|set the role] for us.
a Where [do I|can we] set [which group gets which role|the mapping]?

== ip-allow-list > Technical Bug 2
s locked out by IP [rule|allow-list]; new office address
o We [moved offices|changed provider] and [now the IP allow-list shuts us out|our new address is
  not allowed].
o "Your network is not allowed": [I am|we are] [locked out|refused] from {ip}.
o I [set|entered] the wrong range in the IP rules and [locked myself out|now no admin gets in].
d The new range is {ip}/29.
d [From home|By phone network] it is [refused too|the same].
d [The old line|Our old address] [is cut off|was given back].
a Please [add|allow] the address [or clear the list|so that we get in].
a Can you [switch off|suspend] the rule [for an hour|till we are in]?

== auditor-login > Compliance 0
s guest login for [our auditor|a visitor]; read-only access
o [Our auditor|An outside accountant] needs [a read-only login|guest access] [until {date}|for {n}
  days].
o Please [set up|create] a [guest|temporary] user for {mail}.
o [The login|The guest user] we [made|ordered] for the auditor [sees nothing|has expired|is
  refused].
d They should see the {area} [only|and nothing more].
d No [seat|licence] is [free|left], [maybe that is why|I believe].
d [They come|The audit is] on {date}.
a Please [create|extend] the [user|access].
a Which role is [right|read-only]?
""",
)

ASKS = bank("""\
[Please let me back in|Please help me get in], [I cannot work like this|{day} is the latest].
How do I [get|regain] access?
[My user name is|Login:] {user}, [call me|ring me] at {phone} to [verify|check] who I am.
""")
