"""Pasted logs, as people paste them: whole, cut off, and not always to the point."""

from __future__ import annotations

from train.starter.grammar import Speaker, words
from train.starter.slots import documentation_ip, trace

MODULES = words(
    "billing invoice auth session export sync search quote pricing consent audit users api report "
    "storage mail webhook import scheduler tenant payment login privacy cache"
)
VERBS = words("load save fetch render resolve check submit parse apply open merge send flush")
REASONS = (
    "timeout after 30000 ms",
    "unexpected end of input",
    "connection refused",
    "value out of range",
    "no such element",
    "permission denied",
    "deadlock detected",
    "token expired",
    "invalid state",
    "duplicate key",
    "cannot read properties of undefined",
    "payment required",
    "null reference",
)
PATHS = words("invoices login export users quotes audit orders sso/callback plans")


def _name(s: Speaker) -> str:
    return s.pick(MODULES) + s.pick(("Service", "Handler", "Client", "Store", "Job", "Controller"))


def _stamp(s: Speaker) -> str:
    day, second = s.below(28) + 1, s.below(86_400)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{s.fill('year')}-{s.below(12) + 1:02}-{day:02}T{clock}"


def python_trace(s: Speaker, lines: int) -> list[str]:
    """A Python traceback of about ``lines`` lines."""
    out = ["Traceback (most recent call last):"]
    for _ in range(max(1, lines // 2)):
        place = f'"/srv/app/{s.pick(MODULES)}/{s.pick(VERBS)}.py", line {s.below(900) + 1}'
        out.append(f"  File {place}, in {s.pick(VERBS)}")
        out.append(f"    return self.{s.pick(MODULES)}.{s.pick(VERBS)}({s.pick(MODULES)})")
    kind = s.pick(
        ("ValueError", "KeyError", "TimeoutError", "OSError", "RuntimeError", "TypeError")
    )
    return [*out, f"{kind}: {s.pick(REASONS)}"]


def java_trace(s: Speaker, lines: int) -> list[str]:
    """A Java stack trace of about ``lines`` lines."""
    kind = s.pick(("IllegalState", "NullPointer", "Timeout", "Sql", "Security"))
    out = [f"com.example.{s.pick(MODULES)}.{kind}Exception: {s.pick(REASONS)}"]
    for _ in range(lines):
        name = _name(s).capitalize()
        where = f"com.example.{s.pick(MODULES)}.{name}.{s.pick(VERBS)}"
        out.append(f"\tat {where}({name}.java:{s.below(800) + 1})")
    return [*out, f"Caused by: java.io.IOException: {s.pick(REASONS)}"]


def node_trace(s: Speaker, lines: int) -> list[str]:
    """A Node.js or browser stack trace."""
    out = [f"{s.pick(('TypeError', 'Error', 'RangeError'))}: {s.pick(REASONS)}"]
    for _ in range(lines):
        place = f"/app/dist/{s.pick(MODULES)}.js:{s.below(4000) + 1}:{s.below(80) + 1}"
        out.append(f"    at async {_name(s)}.{s.pick(VERBS)} ({place})")
    return out


def dotnet_trace(s: Speaker, lines: int) -> list[str]:
    """A .NET stack trace."""
    kind = s.pick(("InvalidOperation", "NullReference", "Timeout"))
    out = [f"Unhandled exception. System.{kind}Exception: {s.pick(REASONS)}"]
    for _ in range(lines):
        name = f"Norvane.{s.pick(MODULES).title()}.{s.pick(VERBS).title()}Async"
        out.append(f"   at {name}() in D:\\src\\{s.pick(MODULES)}.cs:line {s.below(900) + 1}")
    return out


def go_trace(s: Speaker, lines: int) -> list[str]:
    """A Go panic."""
    out = [
        f"panic: runtime error: {s.pick(REASONS)}",
        "",
        f"goroutine {s.below(400) + 1} [running]:",
    ]
    for _ in range(max(1, lines // 2)):
        module, verb = s.pick(MODULES), s.pick(VERBS)
        out.append(f"example.com/{module}.(*{_name(s)}).{verb}(0xc000{trace(s)[:6]})")
        out.append(f"\t/build/{module}/{verb}.go:{s.below(700) + 1} +0x{trace(s)[:3]}")
    return out


def syslog(s: Speaker, lines: int) -> list[str]:
    """Lines of a syslog."""
    month, day = s.pick(("Jan", "Mar", "Jun", "Sep", "Nov")), s.below(28) + 1
    host = s.pick(("web", "db", "auth", "mx", "app")) + str(s.below(9) + 1)
    return [
        f"{month} {day:2} {_stamp(s)[11:]} {host} {s.pick(MODULES)}[{s.below(30_000)}]: "
        f"{s.pick(('error', 'warn', 'info', 'notice'))}: {s.pick(VERBS)} {s.pick(MODULES)}: "
        f"{s.pick(REASONS)}"
        for _ in range(lines)
    ]


def json_log(s: Speaker, lines: int) -> list[str]:
    """Lines of a log in JSON."""
    return [
        f'{{"ts":"{_stamp(s)}Z","level":"{s.pick(("error", "warn", "info"))}",'
        f'"svc":"{s.pick(MODULES)}","op":"{s.pick(VERBS)}","msg":"{s.pick(REASONS)}",'
        f'"trace":"{trace(s)}","ms":{s.below(30_000)}}}'
        for _ in range(lines)
    ]


def nginx(s: Speaker, lines: int) -> list[str]:
    """Lines of an nginx access log, or of its error log."""
    if s.chance(0.3):
        return [
            f"{_stamp(s).replace('T', ' ').replace('-', '/')} [error] {s.below(99)}#0: "
            f"upstream: {s.pick(REASONS)}, client: {documentation_ip(s)}, "
            f'request: "GET /{s.pick(PATHS)} HTTP/1.1"'
            for _ in range(lines)
        ]
    day = f"{s.below(28) + 1:02}/Jun/{s.fill('year')}"
    return [
        f"{documentation_ip(s)} - - [{day}:{_stamp(s)[11:]} +0000] "
        f'"{s.pick(("GET", "POST", "PUT"))} /{s.pick(PATHS)}/{s.below(9999)} HTTP/1.1" '
        f"{s.pick((200, 302, 401, 403, 404, 500, 502, 504))} {s.below(50_000)}"
        for _ in range(lines)
    ]


KINDS = (
    python_trace,
    java_trace,
    node_trace,
    dotnet_trace,
    go_trace,
    syslog,
    json_log,
    nginx,
)


def paste(s: Speaker, size: int) -> str:
    """A log of at most about ``size`` words, of one kind."""
    kind = s.pick(KINDS)
    lines = kind(s, max(2, min(40, size // 8)))
    room, out = size, list[str]()
    for line in lines:
        room -= len(line.split())
        if room < 0 and out:
            break
        out.append(line)
    return "\n".join(out)
