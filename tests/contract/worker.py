"""Starts a bootstrap as the daemon does and speaks the worker protocol to it over descriptor 3."""

import os
import socket
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUNTIMES = os.path.join(HERE, "..", "..", "src", "runtimes")
FUNCTIONS = os.path.join(HERE, "..", "fixtures", "functions")

LOAD, REQUEST, BODY, CANCEL, STOP = 1, 2, 3, 4, 5
HELLO, ANSWER, ANSWER_BODY, LOG, ERROR = 16, 17, 18, 19, 20
MORE = 1
PAYLOAD = 65536
HEAD = struct.Struct("<IBBHI")
REQUEST_HEAD = struct.Struct("<IBBHIIQ")
ANSWER_HEAD = struct.Struct("<HHIQ")
SECONDS = 20


def frame(kind, id=0, payload=b"", flags=0):
    return HEAD.pack(len(payload), kind, flags, 0, id) + payload


def spanning(kind, id, structured, tail=b""):
    """The frames of a structured part that may be longer than one, and as much of the tail as fits behind it."""
    frames = []
    while len(structured) > PAYLOAD:
        frames.append(frame(kind, id, structured[:PAYLOAD], MORE))
        structured = structured[PAYLOAD:]
    first = tail[: PAYLOAD - len(structured)]
    frames.append(frame(kind, id, structured + first))
    return b"".join(frames), tail[len(first):]


def load_frames(code, entrypoint, contract="v5", env=None):
    entries = {"code": code, "entrypoint": entrypoint, "contract": contract}
    entries.update({"env:" + name: value for name, value in (env or {}).items()})
    payload = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in entries.items())
    return spanning(LOAD, 0, payload)[0]


def request_frames(id, method="POST", path="/", headers=(), body=b"", timeout_ms=0, logging=True):
    method, path = method.encode(), path.encode()
    block = b"".join(f"{k}: {v}\r\n".encode() for k, v in headers)
    head = REQUEST_HEAD.pack(timeout_ms, 1 if logging else 0, len(method), 0, len(path), len(block), len(body))
    text, rest = spanning(REQUEST, id, head + method + path + block, body)
    frames = [text]
    while rest:
        frames.append(frame(BODY, id, rest[:PAYLOAD]))
        rest = rest[PAYLOAD:]
    return b"".join(frames)


def give_channel(descriptor):
    """In the child: the channel becomes descriptor 3."""
    os.dup2(descriptor, 3)
    os.set_inheritable(3, True)


class Answer:
    def __init__(self):
        self.status = None
        self.headers = []
        self.body = b""
        self.expected = None
        self.log = b""
        self.error = b""
        self.head = b""

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode()

    @property
    def logs(self):
        return self.log.decode()

    @property
    def errors(self):
        return self.error.decode()


class Worker:
    """One worker process. argv: the interpreter with its bootstrap."""

    def __init__(self, argv, code=None, entrypoint="", contract="v5", env=None, start_env=None):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.socket.settimeout(SECONDS)
        self.home = tempfile.mkdtemp(prefix="worker-test-")
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": self.home,
                       "TMPDIR": self.home, **(start_env or {})}
        self.native = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.native, stderr=self.native, env=environment,
            close_fds=False, preexec_fn=lambda: give_channel(theirs.fileno()))
        theirs.close()
        self.buffer = bytearray()
        self.answers = {}
        self.done = []
        self.version = None
        self.last_id = 0
        self.wait_hello()
        if code is not None:
            self.send(load_frames(code, entrypoint, contract, env))

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """Handles what one read brings; False at the end of the channel."""
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            return False
        self.buffer += data
        while len(self.buffer) >= 12:
            size, kind, flags, zero, id = HEAD.unpack_from(self.buffer)
            assert size <= PAYLOAD and zero == 0, "broken frame head"
            if len(self.buffer) < 12 + size:
                break
            payload = bytes(self.buffer[12:12 + size])
            del self.buffer[:12 + size]
            self.take(kind, flags, id, payload)
        return True

    def take(self, kind, flags, id, payload):
        if kind == HELLO:
            assert self.version is None, "said hello twice"
            protocol, = struct.unpack_from("<I", payload)
            assert protocol == 1
            self.version = payload[4:].decode()
            return
        answer = self.answers[id]
        assert answer.expected is None or kind == ANSWER_BODY, "frame after the answer"
        if kind == LOG:
            answer.log += payload
        elif kind == ERROR:
            answer.error += payload
        elif kind == ANSWER:
            answer.head += payload
            if not flags & MORE:
                self.take_answer(answer)
        elif kind == ANSWER_BODY:
            answer.body += payload
        else:
            raise AssertionError(f"unknown frame type {kind}")
        if answer.expected is not None and len(answer.body) >= answer.expected:
            assert len(answer.body) == answer.expected, "body longer than announced"
            self.done.append(id)

    @staticmethod
    def take_answer(answer):
        status, zero, header_bytes, body_bytes = ANSWER_HEAD.unpack_from(answer.head)
        assert zero == 0
        block = answer.head[16:16 + header_bytes]
        assert block == b"" or block.endswith(b"\r\n")
        answer.status = status
        for line in block.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b": ")
            answer.headers.append((name.decode("latin-1"), value.decode("latin-1")))
        answer.body = answer.head[16 + header_bytes:]
        answer.expected = body_bytes

    def wait_hello(self):
        while self.version is None:
            if not self.receive():
                raise AssertionError("no hello: " + self.native_text())

    def start(self, **request):
        """Sends a request and returns its id."""
        self.last_id += 1
        self.answers[self.last_id] = Answer()
        self.send(request_frames(self.last_id, **request))
        return self.last_id

    def finish(self, id):
        """Waits for the answer; None if the worker ended without one."""
        while id not in self.done:
            if not self.receive():
                return None
        return self.answers[id]

    def call(self, **request):
        return self.finish(self.start(**request))

    def native_text(self):
        self.native.seek(0)
        return self.native.read().decode(errors="replace")

    def wait_exit(self):
        return self.process.wait(SECONDS)

    def close(self):
        self.socket.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.native.close()
        subprocess.run(["rm", "-rf", self.home], check=False)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9

    def memory_kb(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            lines = [line.split() for line in file]
        return {words[0].rstrip(":"): int(words[1]) for words in lines if words[0] in ("Rss:", "Pss:")}


def node_argv(interpreter="/usr/bin/node"):
    return [interpreter, "--max-old-space-size=384", os.path.join(RUNTIMES, "node", "bootstrap.cjs")]


def python_argv(interpreter="/usr/bin/python3"):
    return [interpreter, "-S", "-B", "-X", "utf8", os.path.join(RUNTIMES, "python", "bootstrap.py")]


def now():
    return time.monotonic()
