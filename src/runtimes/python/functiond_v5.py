# The function contract in python: what a handler is given, and what becomes of what it returns, raises and prints.
import io
import os
import sys
from time import monotonic as clock
from types import ModuleType
from _collections_abc import Coroutine    # collections.abc, which takes longer to import

LOG, ERROR = 19, 20
LINE = 8000                     # characters of one log call
CUT = "... Log truncated due to size limit (8000 characters)"
NOTICE = "Native logs detected. Use context.log() or context.error() for better experience."
MISSING = "Return statement missing. return context.res.empty() if no response is expected."
SIGNATURE = "Function signature invalid. Did you forget to export a 'main' function?"
TIMED_OUT = "Execution timed out."
TOO_LARGE = b"Maximum request body size 20971520 exceeded"
PATIENCE_SECONDS = 0.02         # lines of a handler that runs longer are sent as they come
CANCEL_SECONDS = 0.1            # for a cancelled handler to clean up
TICK_SECONDS = 0.001            # the shortest time the timer is set to: 0 would stop it
BLOCKED_SECONDS = 0.2           # after its timeout, when an async handler that blocks is interrupted
OURS = ("content-length", "transfer-encoding", "connection", "keep-alive", "trailer", "upgrade")
PLAIN = b"content-type: text/plain; charset=utf-8\r\n"
KNOWN_MOST = 256
KNOWN_BYTES = 1024


class TimedOut(BaseException):
    """Raised in a handler that blocks beyond its timeout; no `except Exception` stops it."""


class LoadError(Exception):
    """A failure to load, with the sentence for the user."""


# ---- what the handler is given ----------------------------------------------------------------------------------------

def parse_headers(call, enforced):
    headers = {}
    for line in call.block.decode("utf-8", "surrogateescape").split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon and name not in headers and not name.startswith("x-open-runtimes-"):
            headers[name] = value
    headers.update(enforced)
    return headers


def decode(text, plus):
    if "%" not in text and not (plus and "+" in text):
        return text
    from urllib.parse import unquote, unquote_plus
    return unquote_plus(text) if plus else unquote(text)


def make_target(req):
    return req._call.target.decode("utf-8", "surrogateescape").partition("#")[0]


def make_query(req):
    query = {}
    for part in req.query_string.split("&"):
        name, _, value = part.partition("=")
        if name:
            query[name] = value
    return query


def make_authority(req):
    given = req.headers.get("host", "")
    bracket = given.rfind("]") + 1
    name, _, port = given[bracket:].partition(":")
    standard = 443 if req.scheme == "https" else 80
    return given[:bracket] + name, int(port) if port.isdigit() else standard, standard


def make_url(req):
    host, port, standard = req._authority
    url = req.scheme + "://" + host + ("" if port == standard else ":%d" % port) + req.path
    return url + "?" + req.query_string if req.query_string else url


def make_json(req):
    import json
    return json.loads(req.body_text)


def make_body(req):
    if req.headers.get("content-type", "text/plain").lower().startswith("application/json"):
        return req.body_json if req.body_binary else {}
    return req.body_text


MEMBERS = {
    "method": lambda req: req._call.method.decode(),
    "headers": lambda req: parse_headers(req._call, req._enforced),
    "_target": make_target,
    "path": lambda req: decode(req._target.partition("?")[0], False),
    "query_string": lambda req: decode(req._target.partition("?")[2], True),
    "query": make_query,
    "scheme": lambda req: req.headers.get("x-forwarded-proto") or "http",
    "_authority": make_authority,
    "host": lambda req: req._authority[0],
    "port": lambda req: req._authority[1],
    "url": make_url,
    "body_binary": lambda req: req._call.body,
    "body_text": lambda req: req._call.body.decode("utf-8"),
    "body_raw": lambda req: req.body_text,
    "body_json": make_json,
    "body": make_body,
}


class Request:
    """Members are made when they are asked for, once."""

    def __init__(self, call, enforced):
        self._call = call
        self._enforced = enforced

    def __getattr__(self, name):
        make = MEMBERS.get(name)
        if make is None:
            raise AttributeError("'Request' object has no attribute '%s'" % name)
        value = self.__dict__[name] = make(self)
        return value


encode = None


def compact_json(value):
    """json.dumps() would make an encoder for each call."""
    global encode
    if encode is None:
        from json import JSONEncoder
        encode = JSONEncoder(separators=(",", ":")).encode
    return encode(value)


def with_header(headers, name, value):
    result = {key: one for key, one in (headers or {}).items() if str(key).lower() != name}
    result[name] = value
    return result


class Response:
    def binary(self, bytes, statusCode=200, headers=None):
        return {"body": bytes, "statusCode": statusCode, "headers": {} if headers is None else headers}

    def text(self, body, statusCode=200, headers=None):
        return self.binary(body.encode("utf-8"), statusCode, headers)

    def send(self, body, statusCode=200, headers=None):
        return self.binary(body, statusCode, headers)

    def json(self, obj, statusCode=200, headers=None):
        return self.text(compact_json(obj), statusCode, with_header(headers, "content-type", "application/json"))

    def empty(self):
        return self.text("", 204, {})

    def redirect(self, url, statusCode=301, headers=None):
        return self.text("", statusCode, with_header(headers, "location", url))


def log_text(value):
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict, tuple)):
        return compact_json(value)
    return str(value)


def log_line(values):
    line = " ".join([log_text(value) for value in values])
    return (line[:LINE] + CUT if len(line) > LINE else line) + "\n"


class Context:
    def __init__(self, call, contract):
        self.req = Request(call, contract.enforced)
        self.res = Response()
        self._call = call
        self._contract = contract

    def log(self, *messages):
        self._contract.record(self._call, LOG, log_line(messages))

    def error(self, *messages):
        self._contract.record(self._call, ERROR, log_line(messages))


# ---- from what it returned to a frame -----------------------------------------------------------------------------------

def content_type(given):
    lower = given.lower()
    if lower.startswith("multipart/"):
        return given
    return lower if "charset=" in lower else lower + "; charset=utf-8"


def header_line(name, value):
    text = name + ": " + (value if isinstance(value, str) else str(value))
    if (value is None or not name or not name.isascii() or ":" in name or " " in name
            or "\r" in text or "\n" in text or "\0" in text):
        raise ValueError("Invalid header: %r" % name)
    return text + "\r\n"


def header_block(headers):
    lower = {}
    for key, value in headers.items():
        name = str(key).lower()
        if not name.startswith("x-open-runtimes-") and name not in OURS:
            lower[name] = value
    lower["content-type"] = content_type(str(lower.get("content-type") or "text/plain"))
    lines = []
    for name, value in lower.items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            lines.append(header_line(name, one))
    return "".join(lines).encode("utf-8", "surrogateescape")


known = {}                      # names and values, all of them str -> their block: most functions answer with the same


def block_of(headers):
    if not headers:
        return PLAIN
    pairs = tuple(headers.items())
    try:
        block = known.get(pairs)
    except TypeError:                   # a list of values
        return header_block(headers)
    if block is None:
        block = header_block(headers)
        if len(block) <= KNOWN_BYTES and all(type(text) is str for pair in pairs for text in pair):
            if len(known) >= KNOWN_MOST:
                known.clear()
            known[pairs] = block
    return block


def body_of(body):
    if isinstance(body, bytes):
        return body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    raise TypeError("the body must be str or bytes, not %s" % type(body).__name__)


def status_of(given):
    status = 200 if given is None else int(given)
    if not 100 <= status <= 999:
        raise ValueError("Invalid status code: %d" % status)
    return status


# ---- loading -----------------------------------------------------------------------------------------------------------

def make_package(code):
    """The code directory as the package `function`, so that `from .x import y` works in the entrypoint."""
    if "function" in sys.modules:
        return
    start = os.path.join(code, "__init__.py")
    if not os.path.isfile(start):
        package = ModuleType("function")
        package.__path__ = [code]
        sys.modules["function"] = package
        return
    from importlib.util import module_from_spec, spec_from_file_location
    spec = spec_from_file_location("function", start, submodule_search_locations=[code])
    package = sys.modules["function"] = module_from_spec(spec)
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules["function"]
        raise


def load_main(code, entrypoint):
    if not entrypoint or not os.path.isfile(os.path.join(code, entrypoint)):
        raise LoadError("Failed to load entrypoint, file %s does not exist." % entrypoint)
    name = entrypoint[:-3] if entrypoint.endswith(".py") else entrypoint
    name = ".".join(part for part in name.split("/") if part not in ("", "."))
    make_package(code)
    from importlib import import_module
    main = getattr(import_module("function." + name), "main", None)
    if not callable(main):
        raise LoadError(SIGNATURE)
    return main


def strip(trace):
    """Without the frames of this program and of the importer before those of the user."""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not (name.startswith(os.path.dirname(__file__)) or "importlib" in name or "/asyncio/" in name):
            return trace
        trace = trace.tb_next
    return None


def trace_text(error):
    import traceback
    trace = strip(error.__traceback__) or error.__traceback__
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")


def explain(error):
    if isinstance(error, LoadError):
        return str(error)
    if isinstance(error, SyntaxError):
        return "Syntax error in %s:%s: %s" % (error.filename, error.lineno, error.msg)
    if isinstance(error, ModuleNotFoundError):
        return "Module not found: %s" % error.name
    if isinstance(error, AttributeError):
        return str(error)
    return "Failed to load module: " + trace_text(error)


# ---- running ------------------------------------------------------------------------------------------------------------

class Rest(Coroutine):
    """What is left of a coroutine whose first step was taken outside of its task and gave `first`, which it waits for."""

    def __init__(self):
        self.coroutine, self.first, self.begun = None, None, False

    def __await__(self):
        return self

    def send(self, value):
        if self.begun:
            return self.coroutine.send(value)
        self.begun = True
        return self.first

    def throw(self, *error):
        self.begun = True
        return self.coroutine.throw(*error)

    def close(self):
        self.coroutine.close()


class FirstStep:
    """A task for a handler's first step, with its context. If no variable was set and nothing cancelled, it is as good as new
    for the next handler."""

    __slots__ = ("rest", "context", "task", "start")

    def __init__(self, loop, context):
        self.rest = Rest()
        self.context = context
        self.task = loop.asyncio.Task(self.rest, loop=loop.loop, context=context)
        self.task._log_destroy_pending = False
        self.start = loop.ready.pop()   # the task's own first step, which is due only if there is a rest


class Loop:
    """The event loop of async handlers: one for the worker's life, running only while a handler does or tasks remain."""

    def __init__(self, channel):
        import asyncio
        self.asyncio = asyncio
        self.channel = channel
        from contextvars import copy_context
        self.copy_context = copy_context
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(self.make_task)
        asyncio.set_event_loop(self.loop)
        # What is due in the loop; None where a first step cannot be taken outside of it.
        self.ready = getattr(self.loop, "_ready", None) if sys.version_info >= (3, 11) else None
        if self.ready is not None:      # as run_forever() does
            sys.set_asyncgen_hooks(firstiter=self.loop._asyncgen_firstiter_hook,
                                   finalizer=self.loop._asyncgen_finalizer_hook)
        self.enter_task, self.leave_task = asyncio.tasks._enter_task, asyncio.tasks._leave_task
        self.set_running = asyncio._set_running_loop
        self.first = None               # the FirstStep of a handler that needed no other
        self.task = None                # the handler's
        self.expired = False
        self.spawned = False            # the user's code made tasks of its own

    def make_task(self, loop, coroutine, **options):
        self.spawned = True
        return self.asyncio.Task(coroutine, loop=loop, **options)

    def run(self, awaitable):
        self.expired = False
        self.channel.pause = None
        if not self.asyncio.iscoroutine(awaitable):
            awaitable = self.adopt(awaitable)
        try:
            if self.ready is None:
                self.task = self.asyncio.Task(awaitable, loop=self.loop)
            else:
                done, result = self.begin(awaitable)
                if done:
                    return result
            result = self.loop.run_until_complete(self.task)
        except (self.asyncio.CancelledError, RuntimeError):
            if self.expired:
                raise TimedOut from None
            raise
        finally:
            self.task = None
            if self.spawned:
                self.channel.pause = self.pause
        if self.expired:
            raise TimedOut
        return result

    def begin(self, coroutine):
        """Runs up to the first thing it must wait for: most never wait, and turning the event loop costs several times what
        such a handler does. -> done, result; if not done, self.task does the rest."""
        context = self.copy_context()
        first, self.first = self.first, None
        if first is None or first.context or context or first.task.cancelling():
            first = FirstStep(self, context)
        rest, task = first.rest, first.task
        rest.coroutine = coroutine
        self.task = task
        self.set_running(self.loop)
        self.enter_task(self.loop, task)
        try:
            rest.first = first.context.run(coroutine.send, None)
        except StopIteration as stop:
            if self.expired:
                raise TimedOut from None
            self.first = first
            return True, stop.value
        finally:
            self.leave_task(self.loop, task)
            self.set_running(None)
        task._log_destroy_pending = True
        self.ready.append(first.start)
        return False, None

    async def adopt(self, awaitable):
        return await awaitable

    def expire(self):
        """Called by the timer's signal, anywhere: true if the code that runs must be interrupted."""
        if self.task is None or self.task.done():
            return False
        if self.expired:
            return self.asyncio.current_task(self.loop) is not None
        self.expired = True
        self.loop.call_soon_threadsafe(self.cancel, self.task)
        return False

    def cancel(self, task):
        if task is not self.task:
            return                      # it ended before the loop could say so
        task.cancel()
        self.loop.call_later(CANCEL_SECONDS, self.give_up, task)

    def give_up(self, task):
        if task is self.task and not task.done():
            self.loop.stop()            # it ignores its cancellation

    def pause(self):
        """Lets tasks that outlived their request go on until there is something to read."""
        self.first = None               # its task would count as one that goes on
        self.spawned = bool(self.asyncio.all_tasks(self.loop))
        if not self.spawned:
            self.channel.pause = None
            return
        self.loop.add_reader(3, self.loop.stop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.remove_reader(3)


class Contract:
    def __init__(self, channel, code, entrypoint, environment):
        import signal
        self.channel = channel
        self.code = code
        self.entrypoint = entrypoint
        self.main = None
        self.loop = None
        self.enforced = self.read_enforced(environment.get("OPEN_RUNTIMES_HEADERS", ""))
        self.native = io.StringIO()
        self.set_timer = signal.setitimer
        self.timer = signal.ITIMER_REAL
        self.alarm = signal.SIGALRM
        signal.signal(signal.SIGALRM, self.interrupt)
        self.limited = False            # a handler with a timeout is running,
        self.due = 0.0                  # which ends then
        self.armed = 0.0                # when the timer's next signal comes; 0: nothing is known of it
        signal.alarm, signal.setitimer = self.noticed(signal.alarm), self.noticed(signal.setitimer)

    def noticed(self, set_timer):
        """For the user's code, which may stop or set the timer that handlers share: the next one sets it anew."""
        def set_and_forget(*given):
            before = set_timer(*given)
            self.armed = 0.0
            return before
        set_and_forget.__name__, set_and_forget.__doc__ = set_timer.__name__, set_timer.__doc__
        return set_and_forget

    @staticmethod
    def read_enforced(text):
        if text in ("", "{}"):
            return {}
        import json
        try:
            given = json.loads(text)
            return {name.lower(): value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
        except (ValueError, AttributeError):
            return {}

    def record(self, call, kind, text):
        if call.logging and call is self.current:
            self.channel.write(kind, call.id, text)
            if clock() - call.started > PATIENCE_SECONDS:
                self.channel.flush()        # it may run for long yet, or not come back

    current = None

    def limit(self, call):
        """Most handlers end long before their timeout: the timer runs on from one to the next, and is set anew when its
        signal comes too early."""
        self.due = call.started + call.timeout / 1000
        self.limited = True             # from here on a signal sets the timer anew instead of stopping it
        if not call.started < self.armed <= self.due:
            self.arm(call.started)

    def arm(self, now):
        self.armed = self.due
        self.set_timer(self.timer, max(self.due - now, TICK_SECONDS), BLOCKED_SECONDS)

    def interrupt(self, _signal, _frame):
        if not self.limited:
            self.armed = 0.0
            self.set_timer(self.timer, 0)
            return
        now = clock()
        if now < self.due:
            self.arm(now)
        elif self.loop is None or self.loop.task is None or self.loop.expire():
            raise TimedOut

    def too_large(self, call):
        self.channel.answer(call.id, 413, PLAIN, TOO_LARGE)

    def run(self, call):
        """One request from first to last. What is printed is gathered and follows everything else."""
        stdout, stderr = sys.stdout, sys.stderr
        self.current = call
        if self.native.tell():
            self.take_native(stderr)            # from threads, between requests
        sys.stdout = sys.stderr = self.native
        try:
            status, block, body = self.outcome(call)
        finally:
            sys.stdout, sys.stderr = stdout, stderr
            self.limited = False
            if self.native.tell():
                self.report_native(call, stderr)
        self.current = None
        if status in (204, 304) or call.method == b"HEAD":
            body = b""
        self.channel.answer(call.id, status, block, body)

    def take_native(self, to):
        text = self.native.getvalue()
        self.native.seek(0)
        self.native.truncate()
        if to is not None:
            to.write(text)
        return text

    def report_native(self, call, _stderr):
        text = self.take_native(None)
        if call.logging:
            self.channel.write(LOG, call.id, NOTICE + text + ("" if text.endswith("\n") else "\n"))

    def outcome(self, call):
        if not call.timeout:
            return self.answer(call)
        try:
            self.limit(call)
            return self.answer(call)
        except TimedOut:
            return self.timed_out(call)
        finally:
            self.limited = False

    def timed_out(self, call):
        self.limited = False
        self.record(call, ERROR, TIMED_OUT + "\n")
        return 500, PLAIN, b""

    def answer(self, call):
        try:
            if self.main is None:
                self.main = load_main(self.code, self.entrypoint)
        except (SystemExit, TimedOut):
            raise
        except BaseException as error:
            self.limited = False
            self.record(call, ERROR, log_line((explain(error),)))
            return 503, PLAIN, b""
        try:
            return self.normalise(call, self.finish(self.main(Context(call, self))))
        except (SystemExit, TimedOut):
            raise
        except BaseException as error:
            self.limited = False
            self.record(call, ERROR, log_line((trace_text(error),)))
        return 500, PLAIN, b""

    def finish(self, output):
        if not hasattr(output, "__await__"):
            return output
        if self.loop is None:
            self.loop = Loop(self.channel)
        return self.loop.run(output)

    def normalise(self, call, output):
        if output is None:
            self.record(call, ERROR, MISSING + "\n")
            return 500, PLAIN, b""
        return status_of(output.get("statusCode")), block_of(output.get("headers")), body_of(output.get("body"))
