# The python worker: boots before it has any user code, says hello, is given code and environment by LOAD, then serves one
# request after the other over descriptor 3 (docs/worker-protocol.md). Nothing is imported here that is not needed to do so:
# a waiting worker has time to import the rest, a worker started for a request has not.
import os
import sys
from struct import Struct

CHANNEL = 3
PAYLOAD = 65536
PROTOCOL = 1
LOAD, REQUEST, BODY, CANCEL, STOP = 1, 2, 3, 4, 5
HELLO, ANSWER, ANSWER_BODY, LOG, ERROR = 16, 17, 18, 19, 20
MORE = 1

READ_BYTES = 65536
READ_LARGE = 1048576            # while a large body is coming
OUT_MOST = 262144               # gathered bytes, then they are written at once
QUICK_SECONDS = 0.0005          # handlers quicker than this have their answers gathered
BODY_MOST = 20971520            # the contract's limit of a request body
WARM_SECONDS = 0.1              # without a LOAD for so long this is a spare
WARM = ("asyncio", "json", "traceback", "urllib.request", "http.client", "ssl", "datetime", "logging", "hashlib", "base64",
        "re", "typing", "inspect", "functools", "collections", "uuid", "decimal", "dataclasses", "email.utils")
KEPT = ("PATH", "HOME", "TMPDIR", "LANG")

HEAD = Struct("<IBBHI")
REQUEST_HEAD = Struct("<IBBHIIQ")
ANSWER_FRAME = Struct("<IBBHIHHIQ")     # head of the frame and head of the answer

BOOT = os.path.dirname(os.path.abspath(__file__))


class Call:
    """One request, undecoded."""

    __slots__ = ("id", "timeout", "logging", "method", "target", "block", "body", "size", "started")


class Channel:
    """Frames in and out. Answers and log lines are gathered and written with one system call."""

    def __init__(self):
        self.out = []
        self.gathered = 0
        self.pause = None               # waits for input in another way: see Channel.read()
        os.set_blocking(CHANNEL, True)
        os.set_inheritable(CHANNEL, False)      # not for the processes that handlers start

    def flush(self):
        if not self.out:
            return
        data = self.out[0] if len(self.out) == 1 else b"".join(self.out)
        self.out = []
        self.gathered = 0
        try:
            sent = os.write(CHANNEL, data)
            while sent < len(data):
                sent += os.write(CHANNEL, memoryview(data)[sent:])
        except OSError:
            os._exit(0)                 # nobody reads any more

    def read(self, size):
        if self.pause is not None:
            self.pause()
        try:
            return os.read(CHANNEL, size)
        except ConnectionError:
            return b""

    def close(self):
        """What is ready goes out, and the reader sees at once that there is no more."""
        self.flush()
        os.close(CHANNEL)

    def add(self, data):
        self.out.append(data)
        self.gathered += len(data)
        if self.gathered > OUT_MOST:
            self.flush()

    def hello(self):
        version = "%d.%d.%d" % sys.version_info[:3]
        payload = PROTOCOL.to_bytes(4, "little") + version.encode()
        self.add(HEAD.pack(len(payload), HELLO, 0, 0, 0) + payload)
        self.flush()

    def write(self, kind, id, text):
        """Text of an execution's logs (LOG) or errors (ERROR)."""
        data = text.encode("utf-8", "replace")
        for at in range(0, len(data), PAYLOAD):
            part = data[at:at + PAYLOAD]
            self.add(HEAD.pack(len(part), kind, 0, 0, id) + part)

    def answer(self, id, status, block, body):
        size = 16 + len(block) + len(body)
        if size <= PAYLOAD:
            self.add(ANSWER_FRAME.pack(size, ANSWER, 0, 0, id, status, 0, len(block), len(body)) + block + body)
        else:
            self.answer_large(id, status, block, body)

    def answer_large(self, id, status, block, body):
        """The header block may span frames, then the body follows in its own."""
        part = block[:PAYLOAD - 16]
        block = block[len(part):]
        first = b"" if block else body[:PAYLOAD - 16 - len(part)]
        total = len(part) + len(block)
        self.add(ANSWER_FRAME.pack(16 + len(part) + len(first), ANSWER, MORE if block else 0, 0, id, status, 0, total,
                                   len(body)) + part + first)
        while block:
            part = block[:PAYLOAD]
            block = block[PAYLOAD:]
            first = b"" if block else body[:PAYLOAD - len(part)]
            self.add(HEAD.pack(len(part) + len(first), ANSWER, MORE if block else 0, 0, id) + part + first)
        for at in range(len(first), len(body), PAYLOAD):
            part = body[at:at + PAYLOAD]
            self.add(HEAD.pack(len(part), ANSWER_BODY, 0, 0, id) + part)


class Worker:
    """Takes frames apart and hands requests to the contract, one at a time."""

    def __init__(self, channel):
        self.channel = channel
        self.contract = None
        self.parts = {}                 # id -> payloads of a REQUEST head that spans frames; 0: of LOAD
        self.receiving = {}             # id -> (call, pieces, missing bytes)
        self.quick = False              # the last handler was

    def serve(self):
        channel = self.channel
        data = b""
        while True:
            chunk = channel.read(READ_LARGE if self.receiving else READ_BYTES)
            if not chunk:
                channel.flush()
                os._exit(0)
            data = self.take_all(data + chunk if data else chunk)
            channel.flush()

    def take_all(self, data):
        """Every whole frame; returns the rest."""
        at = 0
        size = len(data)
        while size - at >= 12:
            payload, kind, flags, _, id = HEAD.unpack_from(data, at)
            end = at + 12 + payload
            if end > size:
                break
            if kind == REQUEST and not flags and id not in self.parts:
                self.take_request(id, data, at + 12, end)
            else:
                self.take(kind, flags, id, data[at + 12:end])
            at = end
        return data[at:] if at else data

    def take(self, kind, flags, id, payload):
        if kind == BODY:
            self.take_body(id, payload)
        elif kind in (REQUEST, LOAD):
            pieces = self.parts.setdefault(id, [])
            pieces.append(payload)
            if not flags & MORE:
                del self.parts[id]
                whole = b"".join(pieces)
                if kind == LOAD:
                    self.load(whole)
                else:
                    self.take_request(id, whole, 0, len(whole))
        elif kind == CANCEL:
            if self.receiving.pop(id, None) is not None:
                self.channel.answer(id, 500, b"", b"")
        elif kind == STOP:
            sys.exit(0)
        else:
            sys.stderr.write("worker channel: unknown frame type %d\n" % kind)
            os._exit(70)

    def take_request(self, id, data, at, end):
        call = Call()
        call.timeout, wanted, method, _, target, block, size = REQUEST_HEAD.unpack_from(data, at)
        at += 24
        call.id = id
        call.logging = wanted == 1
        call.method = data[at:at + method]
        at += method
        call.target = data[at:at + target]
        at += target
        call.block = data[at:at + block]
        call.body = data[at + block:end]
        call.size = size
        if len(call.body) < size:
            self.receiving[id] = [call, [call.body], size - len(call.body)]
        else:
            self.run(call)

    def take_body(self, id, payload):
        entry = self.receiving.get(id)
        if entry is None:
            return
        call, pieces, _ = entry
        if call.size <= BODY_MOST:
            pieces.append(payload)
        entry[2] -= len(payload)
        if entry[2] <= 0:
            del self.receiving[id]
            call.body = b"".join(pieces)
            self.run(call)

    def run(self, call):
        channel = self.channel
        if channel.out and not self.quick:
            channel.flush()             # what is ready does not wait for a slow handler
        call.started = clock()
        if call.size > BODY_MOST:
            self.contract.too_large(call)
        else:
            self.contract.run(call)
        self.quick = clock() - call.started < QUICK_SECONDS

    def load(self, payload):
        texts = payload.decode("utf-8", "surrogateescape").split("\0")
        entries = dict(zip(texts[0:-1:2], texts[1::2]))
        environment = {name[4:]: value for name, value in entries.items() if name.startswith("env:")}
        replace_environment(environment)
        code = entries.get("code", "/")
        use_code(code, entries.get("entrypoint", ""))
        if entries.get("contract") == "v2":
            import functiond_v2 as contract
        else:
            import functiond_v5 as contract
        self.contract = contract.Contract(self.channel, code, entries.get("entrypoint", ""), environment)
        if BOOT in sys.path:
            sys.path.remove(BOOT)


def replace_environment(environment):
    for name in list(os.environ):
        if name not in KEPT:
            del os.environ[name]
    os.environ.update(environment)
    if "TZ" in environment:
        import time
        time.tzset()


def use_code(code, entrypoint):
    """Where imports come from: the virtual environment of the build, then the code's own directories, last."""
    try:
        os.chdir(code)
    except OSError:
        pass                            # the load of the entrypoint says what is missing
    virtual = os.path.join(code, "runtime-env")
    packages = os.path.join(virtual, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    if os.path.isdir(packages):
        import site
        site.addsitedir(packages)
        os.environ["VIRTUAL_ENV"] = virtual
        os.environ["PATH"] = os.path.join(virtual, "bin") + ":" + os.environ.get("PATH", "/usr/bin:/bin")
    for directory in (code, os.path.dirname(os.path.join(code, entrypoint))):
        if directory not in sys.path:
            sys.path.append(directory)


def add_builtins():
    """What the module site gives to interactive minds, and to functions that call exit()."""
    import builtins

    def leave(code=None):
        raise SystemExit(code)
    builtins.exit = builtins.quit = leave


def warm():
    """A spare has time: everything a function is likely to import is imported before it comes."""
    import gc
    for name in WARM + ("functiond_v5",):
        try:
            __import__(name)
        except ImportError:
            pass
    gc.collect()
    gc.freeze()


def main():
    global clock
    from time import monotonic as clock
    from select import select
    add_builtins()
    if BOOT not in sys.path:
        sys.path.insert(0, BOOT)
    channel = Channel()
    channel.hello()
    if not select([CHANNEL], [], [], WARM_SECONDS)[0]:
        warm()
    try:
        Worker(channel).serve()
    except SystemExit:
        channel.close()                 # before the interpreter waits for the handler's threads
        raise


main()
