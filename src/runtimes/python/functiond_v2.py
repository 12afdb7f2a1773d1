# The contract of functions made for servers before 1.4: main(req, res), answered by res.send or res.json. The request is
# variables, payload and an empty set of headers; what is printed is the log.
import io
import json
import sys

from functiond_v5 import ERROR, LOG, load_main, parse_headers, trace_text

INTERNAL = ("OPEN_RUNTIMES_", "INTERNAL_RUNTIME_", "INERNAL_")


class Request:
    def __init__(self, variables, payload):
        self.variables = variables
        self.headers = {}
        self.payload = payload


class Response:
    """The first answer counts."""

    def __init__(self):
        self.status = None
        self.body = b""

    def send(self, body, status=200):
        if self.status is None:
            self.status = int(status)
            self.body = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode("utf-8")

    def json(self, obj, status=200):
        self.send(json.dumps(obj, separators=(",", ":")), status)


class Contract:
    def __init__(self, channel, code, entrypoint, environment):
        self.channel = channel
        self.code = code
        self.entrypoint = entrypoint
        self.main = None
        self.variables = {name: value for name, value in environment.items()
                          if name != "CI" and not name.startswith(INTERNAL)}

    def variables_of(self, call, payload):
        headers = parse_headers(call, {})
        trigger = headers.get("x-appwrite-trigger", "")
        return {
            "APPWRITE_FUNCTION_TRIGGER": trigger,
            "APPWRITE_FUNCTION_DATA": payload,
            "APPWRITE_FUNCTION_EVENT": headers.get("x-appwrite-event", ""),
            "APPWRITE_FUNCTION_EVENT_DATA": payload if trigger == "event" else "",
            "APPWRITE_FUNCTION_USER_ID": headers.get("x-appwrite-user-id", ""),
            "APPWRITE_FUNCTION_JWT": headers.get("x-appwrite-user-jwt", ""),
            **self.variables,
        }

    def too_large(self, call):
        self.channel.answer(call.id, 413, b"", b"")

    def run(self, call):
        res = Response()
        stdout, stderr = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = printed, complained = io.StringIO(), io.StringIO()
        try:
            if self.main is None:
                self.main = load_main(self.code, self.entrypoint)
            payload = call.body.decode("utf-8", "replace")
            self.main(Request(self.variables_of(call, payload), payload), res)
            if res.status is None:
                print("The function ended without an answer.", file=complained)
        except Exception as error:
            print(trace_text(error), file=complained)
            res.status, res.body = 500, b""
        finally:
            sys.stdout, sys.stderr = stdout, stderr
            if call.logging:
                self.channel.write(LOG, call.id, printed.getvalue())
                self.channel.write(ERROR, call.id, complained.getvalue())
        self.channel.answer(call.id, res.status or 500, b"", res.body)
