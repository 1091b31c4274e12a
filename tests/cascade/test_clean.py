"""What cleaning does to a ticket, one behaviour a test."""

from __future__ import annotations

import pytest

from cascade.clean import MAX_LOOKED_AT, STEPS, TOKENS, clean

REQUEST = (
    "The nightly export to our accounting system has stopped working since the last update "
    "and nobody in the team can download the monthly report any more."
)


def test_plain_text_passes_unchanged() -> None:
    text = "hello i would like to know when my parcel arrives"
    assert clean(text) == text


def test_case_is_kept_and_paragraphs_are_lines() -> None:
    assert (
        clean("  Hello   World \r\n\r\n\r\n second\tparagraph ") == "Hello World\nsecond paragraph"
    )


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("of\ufb01ce", "office"),
        ("non\u00a0breaking\u2003space", "non breaking space"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07 nul\x00byte", "bell nul byte"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("cafÃ© dÃ©jÃ\xa0 vu, canâ€™t", "café déjà vu, can’t"),
        ("Help!!!!!!! ========", "Help!!! ==="),
    ],
)
def test_characters(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


class TestMail:
    def test_a_reply_keeps_the_words_of_its_writer_only(self) -> None:
        mail = (
            f"RE: export\n\nHi,\n\n{REQUEST}\n\nBest regards,\nJane Doe\nHead of Finance\n"
            "Tel: +1 202 555 0100\n\n"
            "CONFIDENTIALITY NOTICE: this e-mail is intended solely for the addressee.\n\n"
            "On Mon, Jan 1, 2024 at 10:00 AM Support Desk\n<support@example.com> wrote:\n"
            "> Dear Jane,\n> please reset your password.\n>\n>> older words\n"
        )
        assert clean(mail) == f"RE: export\nHi,\n{REQUEST}"

    def test_words_below_an_answered_quote_stay(self) -> None:
        mail = f"RE: export\n\nOn Monday Bob wrote:\n> Does it work?\n\n{REQUEST}"
        assert clean(mail) == f"RE: export\n{REQUEST}"

    @pytest.mark.parametrize(
        "header",
        [
            "-----Original Message-----\nFrom: Bob\nSent: Monday\nTo: Jane\nSubject: invoice",
            "From: Bob <bob@example.com>\nSent: Monday\nTo: Jane\nCc: Al\nSubject: invoice",
            "________________________________\nFrom: Bob\nDate: Monday\nTo: Jane\nSubject: invoice",
            "On 1/2/2024 9:00, Bob wrote:",
            "Am 01.02.2024 um 10:00 schrieb Bob <bob@example.com>:",
        ],
    )
    def test_everything_below_the_header_of_an_answered_mail_goes(self, header: str) -> None:
        cleaned = clean(f"{REQUEST}\n\n{header}\n\nPlease pay the invoice.")
        assert cleaned.startswith(REQUEST)
        assert "invoice" not in cleaned

    def test_a_mail_that_is_only_a_quote_keeps_the_quote(self) -> None:
        assert clean("> my printer\n> > is broken") == "my printer\nis broken"

    def test_few_own_words_keep_the_quoted_request(self) -> None:
        mail = f"RE: export\n\nAny news?\n\nOn Monday Jane wrote:\n> {REQUEST}"
        assert clean(mail) == f"RE: export\nAny news?\n{REQUEST}"

    def test_a_forwarded_mail_is_the_request(self) -> None:
        mail = (
            "FW: export\n\nPlease take care of this one, as the customer has been waiting for days "
            "now and is not amused.\n\n-- \nBob\n\n---------- Forwarded message ---------\n"
            f"From: Jane\nDate: Monday\nTo: Bob\nSubject: export\n\n{REQUEST}"
        )
        cleaned = clean(mail)
        assert cleaned.endswith(REQUEST)
        assert "amused" in cleaned
        assert "Bob" not in cleaned
        assert "Subject" not in cleaned

    @pytest.mark.parametrize(
        "ending",
        [
            "-- \nJane Doe\nACME Ltd.\nwww.acme.example",
            "Thanks,\njane",
            "Kind regards\n\nJane Doe\nACME Ltd.",
            "Thank you for your help\nJane\nSales | ACME Ltd.\njane@example.com | 202-555-0100",
            "Sent from my iPhone",
            "Get Outlook for Android",
            "This message and its attachments are confidential and intended only for the named\n\
recipient. Any other use is forbidden.",
            "Please consider the environment before printing this e-mail.",
        ],
    )
    def test_what_closes_a_mail_goes(self, ending: str) -> None:
        assert clean(f"{REQUEST}\n\n{ending}") == REQUEST

    def test_a_postscript_stays(self) -> None:
        text = f"{REQUEST}\n\nThanks!\nCould you also send me a copy of the contract, please?"
        assert clean(text).endswith("copy of the contract, please?")

    def test_a_text_that_is_only_a_signature_stays(self) -> None:
        assert clean("Best regards,\nJane Doe") == "Best regards,\nJane Doe"

    def test_a_python_prompt_is_no_quote(self) -> None:
        assert clean(f"{REQUEST}\n>>> import billing") == f"{REQUEST}\n>>> import billing"


class TestHtml:
    def test_a_mail_becomes_its_text(self) -> None:
        mail = (
            "<html><head><style>p {color: red}</style></head><body><p>Dear&nbsp;team,</p>"
            "<!-- hidden --><div>the <b>printer</b> is &lt; 1 year old &amp; broken.<br>See "
            '<a href="https://www.shop.example.com/p?id=1">the shop</a>.</div>'
            "<script>track()</script></body></html>"
        )
        assert clean(mail) == (
            "Dear team,\nthe printer is < 1 year old & broken.\n"
            "See <url> shop.example.com the shop."
        )

    def test_a_tag_that_a_sentence_names_is_no_html(self) -> None:
        assert clean("the <input> and the <style> field") == "the <input> and the <style> field"

    def test_an_unclosed_script_does_not_swallow_the_ticket(self) -> None:
        assert clean("<p>the <style> tag</p>is broken") == "the tag\nis broken"

    def test_entities_that_were_escaped_again_and_again(self) -> None:
        assert clean("a &amp;amp;amp;lt; b") == "a < b"

    def test_cells_and_generics(self) -> None:
        assert clean("<table><tr><td>a</td><td>b</td></tr></table>") == "a b"
        assert clean("a List<String> and a < b > c") == "a List<String> and a < b > c"


class TestLogs:
    def test_a_python_traceback_keeps_ends_and_exception(self) -> None:
        frames = "".join(
            f'  File "/app/mod{i}.py", line {i}, in f{i}\n    call_{i}()\n' for i in range(9)
        )
        trace = f"It crashed:\nTraceback (most recent call last):\n{frames}KeyError: 'x'\nHelp me"
        assert clean(trace).split("\n") == [
            "It crashed:",
            "Traceback (most recent call last):",
            'File "/app/mod0.py", line 0, in f0',
            'File "/app/mod8.py", line 8, in f8',
            "KeyError: 'x'",
            "Help me",
        ]

    def test_a_java_trace_keeps_its_causes(self) -> None:
        def frames(name: str) -> str:
            return "".join(f"\tat org.example.{name}.m{i}({name}.java:{i})\n" for i in range(5))

        trace = (
            f"java.lang.IllegalStateException: no session\n{frames('Web')}"
            f"Caused by: java.net.ConnectException: Connection refused\n{frames('Db')}"
            "\t... 23 more\n"
        )
        assert clean(trace).split("\n") == [
            "java.lang.IllegalStateException: no session",
            "at org.example.Web.m0(Web.java:0)",
            "at org.example.Web.m4(Web.java:4)",
            "Caused by: java.net.ConnectException: Connection refused",
            "at org.example.Db.m0(Db.java:0)",
            "at org.example.Db.m4(Db.java:4)",
        ]

    @pytest.mark.parametrize(
        "frame",
        [
            "    at load (webpack:///./src/app{}.js:10:5)",
            "   at Example.Shop.Cart{}.Add(String item) in C:\\src\\Cart.cs:line 7",
            "#{} /var/www/shop.php(12): pay()",
            "#{}  0x00007f3a in malloc () from libc.so",
            "\tfrom app.rb:{}:in `run'",
        ],
    )
    def test_frames_of_other_languages(self, frame: str) -> None:
        lines = [frame.format(number) for number in range(8)]
        cleaned = clean("\n".join(["TypeError: x", *lines, "after"])).split("\n")
        assert len(cleaned) == 4
        assert (cleaned[0], cleaned[-1]) == ("TypeError: x", "after")

    def test_a_go_panic(self) -> None:
        calls = "".join(f"main.f{i}(0xc000, 0x1)\n\t/src/main.go:{i}2 +0x1d\n" for i in range(6))
        cleaned = clean(f"panic: nil map\n\ngoroutine 1 [running]:\n{calls}exit status 2").split(
            "\n"
        )
        assert cleaned[0] == "panic: nil map"
        assert cleaned[2:] == ["main.f0(0xc000, 0x1)", "/src/main.go:52 +0x1d", "exit status 2"]

    def test_two_sentences_with_at_are_no_trace(self) -> None:
        assert clean("at noon it stops\nat one it starts") == "at noon it stops\nat one it starts"

    def test_log_lines_lose_stamps_and_repeats(self) -> None:
        log = "".join(
            f"2024-05-06 07:08:{i:02d},123 ERROR [pool-1] retry {i} of 30 failed\n"
            for i in range(30)
        )
        assert clean(f"see:\n{log}thanks for help") == (
            "see:\nERROR [pool-1] retry 0 of 30 failed\nthanks for help"
        )

    def test_of_a_long_log_the_severe_lines_stay(self) -> None:
        words = ["started", "loaded", "bound", "listening", "ready", "warm", "idle", "stopped"]
        log = [f"Nov  3 10:00:0{i} web01 shop[42]: info {word}" for i, word in enumerate(words)]
        log.insert(4, "Nov  3 10:00:09 web01 shop[42]: error: disk full")
        assert clean("\n".join(log)).split("\n") == [
            "web01 shop: info started",
            "web01 shop: error: disk full",
            "web01 shop: info stopped",
        ]

    def test_a_json_record_leaves_level_and_message(self) -> None:
        log = (
            '{"time": "2024-05-06T07:08:09Z", "level": "error", "msg": "cannot \\"bind\\"", '
            '"pid": 7, "error": "address in use"}'
        )
        assert clean(log) == "ERROR cannot bind address in use"

    def test_an_access_log_keeps_request_and_status(self) -> None:
        log = '192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] "GET /cart HTTP/1.1" 502 150 "-" "curl"'
        assert clean(log) == '"GET /cart HTTP/1.1" 502'

    def test_a_date_in_prose_is_no_log(self) -> None:
        text = "2024-05-06 10:00 I called you and waited"
        assert clean(text) == text


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("order #12345 is late", "order #<order_id> is late"),
        ("Order number: AB-1234", "Order number: <order_id>"),
        ("invoice INV-2024-0012", "invoice <invoice_id>"),
        ("invoice no. 4711", "invoice no. <invoice_id>"),
        ("incident INC0012345", "incident <ticket_id>"),
        ("my account 00123456", "my account <id>"),
        ("see #123456 and NV-123456", "see <id> and <id>"),
        ("go to https://www.Example.com:8080/a?b=c#d now", "go to <url> example.com now"),
        ("(https://user:secret@example.org/x)", "(<url> example.org)"),
        ("www.example.com", "<url> example.com"),
        ("http://192.0.2.1/x", "<url> <ip>"),
        ("mail jane.doe+x@mail.example.com.", "mail <email>."),
        ("Jane <jane@example.com>", "Jane <email>"),
        ("from 192.0.2.15:8080 and 2001:db8::1", "from <ip> and <ip>"),
        ("commit da39a3ee5e6b4b0d3255bfef95601890afd80709", "commit <hash>"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <hash>"),
        ("at 0x00007fff5fbff8c0", "at <hash>"),
        ("mac 00:1A:2b:3c:4d:5e", "mac <hash>"),
        ("call +44 20 7946 0958 today", "call <phone> today"),
        ("call (202) 555-0100 today", "call <phone> today"),
        ("card 4111 1111 1111 1111.", "card <card>."),
        ("card 378282246310005", "card <card>"),
        ("number 4111111111111112", "number <number>"),
        ("order number 4111111111111112", "order number <order_id>"),
        ("reading 123456789", "reading <number>"),
    ],
)
def test_identifiers_become_typed_tokens(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3 and v10.0.19045.1 and version 1.2.3.4",
        "it costs $49.99, 1,250.00 EUR or $1000000",
        "ERR_CONNECTION_RESET, HTTP 403, error 1603 and 0x80070005",
        "exit code -2147467259",
        "order 2 licences for 2024 on 12/05/2024 at 10:30:00",
        "std::vector and 24/7 support, 100% of UTF-8 and ISO-27001, CVE-2024-12345",
        "in case 100% fail, request 5 more",
    ],
)
def test_what_carries_meaning_survives(text: str) -> None:
    assert clean(text) == text


def test_tokens_are_the_ones_that_are_announced() -> None:
    assert clean(" ".join(TOKENS)) == " ".join(TOKENS)


def test_a_gigantic_text_keeps_its_head_and_tail() -> None:
    cleaned = clean("first words " + "middle " * 100_000 + "last words")
    assert cleaned.startswith("first words")
    assert cleaned.endswith("last words")
    assert len(cleaned) <= MAX_LOOKED_AT


def test_each_step_can_be_left_out() -> None:
    assert clean("a <b>c</b>", without=frozenset({"html"})) == "a <b>c</b>"
    assert clean(" \x00Ａ ", without=frozenset(STEPS)) == " \x00Ａ "
    with pytest.raises(ValueError, match="no such cleaning step: spelling"):
        clean("", without=frozenset({"spelling"}))
