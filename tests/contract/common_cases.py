"""The cases that every language must pass, whatever its bootstrap. A subject names the differences."""

import hashlib
import json
import time
import unittest

import worker as workers

MAIN_ENV = {
    "CUSTOM_ENV_VAR": "customValue",
    "OPEN_RUNTIMES_HEADERS": '{"x-custom":"value","X-CUSTOM-UPPERCASE":"Value2","x-open-runtimes-custom":248}',
    "CI": "true",
}


class Case(unittest.TestCase):
    """A worker shared by the tests of a class; started again after a test that ends it."""

    subject = None                      # set by the runner: argv(), function(name), entry(name)
    function = "contract"
    entrypoint = "main"
    contract = "v5"
    environment = MAIN_ENV
    shared = None

    @classmethod
    def open(cls, **options):
        arguments = dict(code=cls.subject.function(cls.function), entrypoint=cls.subject.entry(cls.entrypoint),
                         contract=cls.contract, env=cls.environment)
        arguments.update(options)
        return workers.Worker(cls.subject.argv(), **arguments)

    def setUp(self):
        if self.shared is not None and self.shared.process.poll() is not None:
            self.tearDownClass()
        if self.shared is None:
            type(self).shared = self.open()
        self.worker = self.shared

    @classmethod
    def tearDownClass(cls):
        if cls.shared is not None:
            cls.shared.close()
            cls.shared = None

    def only(self, *names):
        if self.subject.name not in names:
            self.skipTest("not in " + self.subject.name)

    def major(self):
        return int(self.worker.version.partition(".")[0])

    @staticmethod
    def request(action=None, headers=(), type="text/plain", **request):
        lines = [("host", "localhost:3000")]
        if type is not None:
            lines.append(("content-type", type))
        if action is not None:
            lines.append(("x-action", action))
        return dict(headers=lines + [pair for pair in headers if pair[0] != "host"]
                    if not any(pair[0] == "host" for pair in headers)
                    else list(headers) + lines[1:], **request)

    def call(self, action=None, **request):
        answer = self.worker.call(**self.request(action, **request))
        self.assertIsNotNone(answer, "the worker ended: " + self.worker.native_text())
        return answer


class Answers(Case):
    def test_text_is_answered_with_charset(self):
        answer = self.call("plaintextResponse")
        self.assertEqual((answer.status, answer.text), (200, "Hello World 👋"))
        self.assertEqual(answer.header("content-type"), "text/plain; charset=utf-8")
        self.assertEqual((answer.log, answer.error), (b"", b""))

    def test_json_is_compact_and_typed(self):
        answer = self.call("jsonResponse")
        self.assertEqual(json.loads(answer.text), {"json": True, "message": "Developers are awesome."})
        self.assertEqual(answer.header("content-type"), "application/json; charset=utf-8")
        body = '{"name":"OpenRntimes","version":3.5,"published":true,"nested":[{"object":1}]}'
        self.assertEqual(self.call("requestBodyJson", body=body.encode()).text, body)

    def test_content_types_get_a_charset_unless_they_have_one(self):
        answer = self.call("customCharsetResponse")
        self.assertEqual(answer.header("content-type"), "text/plain; charset=iso-8859-1")
        self.assertEqual(answer.text, "ÅÆ")
        self.assertEqual(self.call("uppercaseCharsetResponse").header("content-type"), "text/plain; charset=utf-8")
        self.assertEqual(self.call("multipartResponse").header("content-type"), "multipart/form-data; boundary=12345")
        answer = self.call("otherCaseResponse")
        self.assertEqual(answer.header("content-type"), "text/html; charset=utf-8")
        self.assertEqual(answer.header("x-other"), "Kept")
        self.assertEqual(len(answer.headers), 2)

    def test_redirect_and_empty(self):
        answer = self.call("redirectResponse")
        self.assertEqual((answer.status, answer.body, answer.header("location")), (301, b"", "https://github.com/"))
        answer = self.call("emptyResponse")
        self.assertEqual((answer.status, answer.body), (204, b""))

    def test_only_the_returned_value_counts(self):
        answer = self.call("noResponse")
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertIn("Return statement missing. return context.res.empty() if no response is expected.", answer.errors)
        answer = self.call("doubleResponse")
        self.assertEqual((answer.status, answer.text), (200, "This should be returned."))

    def test_headers_pass_but_for_reserved_ones(self):
        cookie = "cookieName=cookieValue; cookie2=value2; cookie3=value=3; cookie4=val:ue4; cookie5=value5"
        answer = self.call("headersResponse",
                           headers=[("x-open-runtimes-custom-in-header", "notMissing"), ("cookie", cookie)])
        self.assertEqual((answer.status, answer.text), (200, "OK"))
        self.assertEqual(answer.header("first-header"), "first-value")
        self.assertEqual(answer.header("second-header"), "missing")
        self.assertEqual(answer.header("cookie"), cookie)
        self.assertIsNone(answer.header("x-open-runtimes-custom-out-header"))

    def test_several_cookies_are_several_headers(self):
        actions = ["setCookie"] + (["setCookie2"] if self.subject.family == "node" and self.major() >= 18 else [])
        for action in actions:
            answer = self.call(action)
            cookies = [value for name, value in answer.headers if name == "set-cookie"]
            self.assertEqual(cookies, ["a=1; Path=/", "b=2; Path=/"], action)
            self.assertEqual(answer.header("some-header"), "some-value")

    def test_a_header_that_cannot_be_sent_is_a_500(self):
        answer = self.call("badHeader")
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertNotEqual(answer.error, b"")

    def test_status_codes(self):
        answer = self.call("statusResponse")
        self.assertEqual((answer.status, answer.text), (404, "FAIL"))
        for given, expected in (("201", 201), ('"202"', 202), ("999", 999), ("1000", 500), ("0", 500), ("99", 500)):
            self.assertEqual(self.call("statusFromBody", body=given.encode()).status, expected, given)

    def test_values_that_are_no_answer(self):
        for given in ("5", '"text"', "true"):
            answer = self.call("valueFromBody", body=given.encode())
            self.assertEqual((answer.status, answer.body), (500, b""), given)
        answer = self.call("valueFromBody", body=b"{}")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.call("valueFromBody", body=b"null").status, 500)

    def test_head_drops_the_body(self):
        answer = self.call("plaintextResponse", method="HEAD")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_send(self):
        for type, body in (("text/plain", "text"), ("application/json", '{"a":1}'), ("application/unknown", '{"a":1}')):
            self.assertEqual(self.call("deprecatedMethods", type=type, body=body.encode()).text, body)
        self.assertEqual(self.call("deprecatedMethodsUntypedBody").text, "50")
        image = bytes(range(256)) * 4
        answer = self.call("deprecatedMethodsBytesBody", body=image)
        self.assertTrue(answer.header("content-type").startswith("image/png"))
        self.assertEqual(answer.body, image)

    def test_binary_answers(self):
        for number in range(1, 6):
            self.assertEqual(self.call(f"binaryResponse{number}").body, bytes([0, 10, 255]), number)

    def test_large_bodies_both_ways(self):
        for size, method in ((65000, "POST"), (70000, "PUT"), (17000000, "PUT"), (17000000, "POST")):
            body = bytes(i * 7 % 251 for i in range(1000)) * (size // 1000)
            answer = self.call("binaryResponseLarge", method=method, body=body)
            self.assertEqual((answer.status, answer.text), (200, hashlib.md5(body).hexdigest()), answer.errors)
            self.assertEqual(answer.header("x-method"), method)
        for size in (0, 1, 65000, 65480, 65520, 65536, 131072, 3000000):
            answer = self.call("largeResponse", body=str(size).encode())
            self.assertEqual((answer.status, len(answer.body)), (200, size))
        for size in (60000, 65470, 65536, 200000):
            answer = self.call("largeHeaders", body=str(size).encode())
            self.assertEqual((len(answer.header("x-large")), answer.text), (size, "body"))

    def test_a_body_above_the_limit_is_refused(self):
        answer = self.call("plaintextResponse", body=b"x" * 23000000)
        self.assertIn(answer.status, (413, 500))
        self.assertEqual(self.call("plaintextResponse", body=b"").status, 200)


class Requests(Case):
    def url(self, path, **request):
        return json.loads(self.call("requestUrl", path=path, **request).text)

    def test_methods(self):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            self.assertEqual(self.call("requestMethod", method=method).text, method)

    def test_url_pieces(self):
        seen = self.url("/")
        self.assertEqual((seen["port"], seen["path"], seen["queryString"], seen["scheme"]), (3000, "/", "", "http"))
        self.assertEqual((seen["host"], seen["url"], seen["query"]), ("localhost", "http://localhost:3000/", {}))
        seen = self.url("/a/b?c=d&e=f#something",
                        headers=[("host", "www.mydomain.com:3001"), ("x-forwarded-proto", "https")])
        self.assertEqual(seen, {"port": 3001, "path": "/a/b", "query": {"c": "d", "e": "f"}, "queryString": "c=d&e=f",
                                "scheme": "https", "host": "www.mydomain.com",
                                "url": "https://www.mydomain.com:3001/a/b?c=d&e=f"})

    def test_default_ports_are_not_shown(self):
        for host, scheme, url, port in (("www.mydomain.com:80", "http", "http://www.mydomain.com/", 80),
                                        ("myapp.com", "https", "https://myapp.com/", 443),
                                        ("myapp.com:443", "https", "https://myapp.com/", 443),
                                        ("myapp.com:80", "https", "https://myapp.com:80/", 80),
                                        ("myapp.com:80", "http", "http://myapp.com/", 80)):
            seen = self.url("/", headers=[("host", host), ("x-forwarded-proto", scheme)])
            self.assertEqual((seen["url"], seen["port"]), (url, port))

    def test_query_is_split_at_the_first_equals(self):
        seen = self.url("/?a=b&c==d&e=f=g=&h&i=j&&k")
        self.assertEqual(seen["query"], {"a": "b", "c": "=d", "e": "f=g=", "h": "", "i": "j", "k": ""})
        self.assertEqual(self.url("/?a=1&a=2")["query"], {"a": "2"})

    def test_encoded_query(self):
        seen = self.url("/%41?x=%20a+b")
        if self.subject.name == "python":
            self.assertEqual((seen["path"], seen["queryString"], seen["query"]), ("/A", "x= a b", {"x": " a b"}))
        else:
            self.assertEqual((seen["path"], seen["queryString"]), ("/%41", "x=%20a+b"))
            self.assertEqual(seen["query"], {"x": "%20a+b"})

    def test_request_headers(self):
        answer = self.call("requestHeaders", headers=[("x-first-header", "first-value"),
                                                      ("x-open-runtimes-custom-header", "hidden")])
        seen = json.loads(answer.text)
        self.assertEqual((seen["x-action"], seen["x-first-header"]), ("requestHeaders", "first-value"))
        self.assertNotIn("x-open-runtimes-custom-header", seen)

    def test_repeated_headers(self):
        answer = self.call("requestHeaders", headers=[("x-two", "1"), ("x-two", "2"), ("cookie", "a=1"),
                                                      ("cookie", "b=2"), ("authorization", "x"),
                                                      ("authorization", "y")])
        seen = json.loads(answer.text)
        if self.subject.name == "python":
            self.assertEqual((seen["x-two"], seen["cookie"]), ("1", "a=1"))
        else:
            self.assertEqual((seen["x-two"], seen["cookie"]), ("1, 2", "a=1; b=2"))
        self.assertEqual(seen["authorization"], "x")

    def test_enforced_headers_win(self):
        expected = {"x-custom": "value", "x-custom-uppercase": "Value2", "x-open-runtimes-custom": "248"}
        self.assertEqual(json.loads(self.call("enforcedHeaders").text), expected)
        answer = self.call("enforcedHeaders", headers=[(name, "IS_IGNORED") for name in expected])
        self.assertEqual(json.loads(answer.text), expected)

    def test_body_as_text(self):
        self.assertEqual(self.call("requestBodyText", body="Hello 👋".encode()).text, "Hello 👋")
        self.assertEqual(self.call("requestBodyText").text, "")
        for type in (None, "application/xhtml+xml", "not-application/json", "not-video/mp4", "application/octet-stream",
                     "audio/mpeg", "font/ttf", "image/png", "video/mp4"):
            body = '{"key1":"OK 👋"}'
            self.assertEqual(self.call("requestBodyTextAuto", type=type, body=body.encode()).text, body, type)

    def test_body_as_json(self):
        body = '{"key1":"OK 👋","key2":true,"key3":3}'
        for type in ("application/json", "text/plain"):
            self.assertEqual(json.loads(self.call("requestBodyJson", type=type, body=body.encode()).text),
                             json.loads(body))
        for type in ("application/json", "ApPlIcAtIoN/JSON", "application/json-patch+json"):
            self.assertEqual(json.loads(self.call("requestBodyJsonAuto", type=type, body=body.encode()).text),
                             json.loads(body))
        self.assertEqual(self.call("requestBodyJsonAuto", type="application/json").text, "{}")
        self.assertEqual(self.call("requestBodyJson", type="application/json", body=b"{}").text, "{}")

    def test_bad_json_fails_where_it_is_read(self):
        answer = self.call("requestBodyJson", type="application/json", body=b'{"invaludJson:true}')
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertIn("json", answer.errors.lower())
        self.assertEqual(self.call("requestBodyJson", type="application/json").status, 500)
        self.assertEqual(self.call("plaintextResponse", type="application/json", body=b"{").status, 200)

    def test_binary_bodies(self):
        for body in (bytes.fromhex("0123456789abcdef"), bytes([0, 10, 255])):
            for type in ("application/octet-stream", "text/plain"):
                self.assertEqual(self.call("requestBodyBinary", type=type, body=body).body, body)

    def test_environment_is_the_one_of_the_load(self):
        worker = self.open(start_env={"LEFT_OVER": "from the start"})
        try:
            seen = json.loads(worker.call(**self.request("envVars")).text)
        finally:
            worker.close()
        self.assertEqual((seen["var"], seen["emptyVar"]), ("customValue", None))
        self.assertNotIn("LEFT_OVER", seen["names"])
        for name in ("PATH", "HOME", "CUSTOM_ENV_VAR", "CI"):
            self.assertIn(name, seen["names"])

    def test_working_directory_is_the_code(self):
        seen = json.loads(self.call("directory").text)
        self.assertEqual(seen["cwd"], seen["dir"])

    def test_globals_live_as_long_as_the_worker(self):
        first = int(self.call("count").text)
        self.assertEqual(int(self.call("count").text), first + 1)


class Failures(Case):
    def test_unknown_action_throws(self):
        answer = self.call("nonsense")
        self.assertEqual((answer.status, answer.body, answer.log), (500, b"", b""))
        self.assertEqual(answer.header("content-type"), "text/plain; charset=utf-8")
        self.assertIn("Unknown action", answer.errors)
        self.assertIn(self.subject.entry("main"), answer.errors)

    def test_logs_before_an_error_are_kept(self):
        answer = self.call("errorTest")
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertIn("Before error...", answer.logs)
        self.assertIn("Error!", answer.errors)

    def test_timeout(self):
        start = time.monotonic()
        answer = self.call("timeout", timeout_ms=300)
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertEqual(answer.errors, "Execution timed out.\n")
        self.assertIn("Timeout start.", answer.logs)
        self.assertNotIn("Timeout end.", answer.logs)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(self.call("plaintextResponse").status, 200)

    def test_no_timeout_when_in_time(self):
        answer = self.call("timeout", timeout_ms=5000)
        self.assertEqual((answer.status, answer.text), (200, "Successful response."))
        self.assertEqual(answer.logs, "Timeout start.\nTimeout end.\n")

    def test_exit_ends_the_worker(self):
        worker = self.open()
        try:
            self.assertEqual(worker.call(**self.request("plaintextResponse")).status, 200)
            self.assertIsNone(worker.call(**self.request("exit")))
            self.assertEqual(worker.wait_exit(), 1)
        finally:
            worker.close()


class Logs(Case):
    def test_logs_and_errors(self):
        answer = self.call("logs")
        self.assertEqual((answer.status, answer.body), (200, b""))
        cut = "... Log truncated due to size limit (8000 characters)\n"
        for text in ("Native log", "Native logs detected.", "Debug log\n", "Log+With+Plus+Symbol\n", "42\n", "4.2\n",
                     "true\n" if self.subject.name != "python" else "True\n", '{"objectKey":"objectValue"}\n',
                     '["arrayValue"]\n', "A" * 8000 + cut):
            self.assertIn(text, answer.logs)
        self.assertNotIn("A" * 8001, answer.logs)
        self.assertGreaterEqual(len(answer.logs.splitlines()), 9)
        self.assertEqual(answer.errors, "Error log\n" + "B" * 8000 + cut)

    def test_nothing_is_sent_when_no_log_is_wanted(self):
        for action in ("logs", "errorTest", "nonsense", "noResponse"):
            answer = self.call(action, logging=False)
            self.assertEqual((answer.log, answer.error), (b"", b""), action)

    def test_arguments_are_joined_by_one_space(self):
        answer = self.call("spreadOperatorLogs")
        self.assertEqual((answer.logs, answer.errors), ("engine: open-runtimes\n", "engine: open-runtimes\n"))

    def test_many_lines_arrive_whole(self):
        answer = self.call("manyLogs", body=b"5")
        self.assertEqual(len(answer.log), 5242880)


class Protocol(Case):
    def test_hello_comes_before_any_load(self):
        worker = self.open(code=None)
        try:
            self.assertRegex(worker.version, r"^[0-9]+\.[0-9]+\.[0-9]+$")
            time.sleep(0.3)             # it becomes a spare that has warmed up
            worker.send(workers.load_frames(self.subject.function("contract"), self.subject.entry("main")))
            self.assertEqual(worker.call(**self.request("plaintextResponse")).status, 200)
        finally:
            worker.close()

    def test_the_end_of_the_channel_ends_an_idle_worker(self):
        for code in (None, self.subject.function("contract")):
            worker = self.open(code=code)
            if code is not None:
                worker.call(**self.request("plaintextResponse"))
            worker.socket.close()
            self.assertEqual(worker.wait_exit(), 0)
            worker.close()

    def test_stop_finishes_what_runs(self):
        worker = self.open()
        try:
            id = worker.start(**self.request("wait", body=b"0.2" if self.subject.name == "python" else b"200"))
            worker.send(workers.frame(workers.STOP))
            self.assertEqual(worker.finish(id).text, "waited")
            self.assertEqual(worker.wait_exit(), 0)
        finally:
            worker.close()

    def test_many_requests_in_one_write_are_all_answered(self):
        worker = self.worker
        first = worker.last_id + 1
        data = b""
        for id in range(first, first + 200):
            worker.answers[id] = workers.Answer()
            data += workers.request_frames(id, **self.request("requestBodyText", body=b"body %d" % id))
        worker.last_id = first + 199
        worker.send(data)
        for id in range(first, first + 200):
            self.assertEqual(worker.finish(id).text, f"body {id}")

    def test_frames_in_pieces(self):
        worker = self.worker
        for piece in (1, 5, 11, 13, 29):
            worker.last_id += 1
            worker.answers[worker.last_id] = workers.Answer()
            data = workers.request_frames(worker.last_id, **self.request("requestBodyText", body=b"in pieces"))
            for at in range(0, len(data), piece):
                worker.send(data[at:at + piece])
                if at % (piece * 8) == 0:
                    time.sleep(0.0005)
            self.assertEqual(worker.finish(worker.last_id).text, "in pieces")

    def test_a_head_may_span_frames(self):
        long = "v" * 70000
        answer = self.call("requestHeaders", headers=[("x-long", long), ("x-last", "here")], body=b"b" * 70000)
        seen = json.loads(answer.text)
        self.assertEqual((seen["x-long"], seen["x-last"]), (long, "here"))

    def test_bodies_of_several_requests_may_be_mixed(self):
        worker = self.worker
        ids, frames = [], []
        for fill in (b"a", b"b"):
            worker.last_id += 1
            worker.answers[worker.last_id] = workers.Answer()
            data = workers.request_frames(worker.last_id, **self.request("requestBodyText", body=fill * 200000))
            cut, at = [], 0
            while at < len(data):
                size = workers.HEAD.unpack_from(data, at)[0] + 12
                cut.append(data[at:at + size])
                at += size
            ids.append(worker.last_id)
            frames.append(cut)
        for pair in zip(*frames):
            for one in pair:
                worker.send(one)
        self.assertEqual([worker.finish(id).text for id in ids], ["a" * 200000, "b" * 200000])

    def test_a_cancelled_upload_is_answered_and_forgotten(self):
        worker = self.worker
        worker.last_id += 1
        worker.answers[worker.last_id] = workers.Answer()
        data = workers.request_frames(worker.last_id, **self.request("requestBodyText", body=b"c" * 200000))
        worker.send(data[:65536 + 12])
        worker.send(workers.frame(workers.CANCEL, worker.last_id))
        self.assertIsNotNone(worker.finish(worker.last_id))
        self.assertEqual(self.call("plaintextResponse").status, 200)


class Loading(Case):
    function = "broken"

    def first(self, entry, **options):
        worker = self.open(entrypoint=entry, **options)
        self.addCleanup(worker.close)
        answer = worker.call(**self.request())
        self.assertIsNotNone(answer, worker.native_text())
        return answer, worker

    def refused(self, entry, *texts):
        answer, _ = self.first(self.subject.entry(entry))
        self.assertEqual((answer.status, answer.body), (503, b""))
        for text in texts:
            self.assertIn(text, answer.errors)
        return answer

    def test_no_such_file(self):
        file = self.subject.entry("absent")
        self.refused("absent", f"Failed to load entrypoint, file {file} does not exist.\n")

    def test_nothing_callable(self):
        name = "no_export" if self.subject.name == "python" else "no-export"
        answer = self.refused(name, "Function signature invalid. Did you forget to export a 'main' function?\n")
        self.assertIn("printed while loading", answer.logs)
        self.assertIn("Native logs detected.", answer.logs)

    def test_syntax_error(self):
        self.refused("syntax", "Syntax error in ", self.subject.entry("syntax"))

    def test_missing_package(self):
        name = "no_such_package" if self.subject.name == "python" else "no-such-package"
        self.refused("missing", "Module not found: " if self.subject.name == "python" else "Failed to load module: ",
                     name)

    def test_a_failed_load_is_tried_again(self):
        name = "second_try" if self.subject.name == "python" else "second-try"
        answer, worker = self.first(self.subject.entry(name))
        self.assertEqual(answer.status, 503)
        answer = worker.call(**self.request())
        self.assertEqual((answer.status, answer.text), (200, "loaded"))


class Legacy(Case):
    function = "legacy"
    contract = "v2"
    environment = {"MINE": "1", "APPWRITE_FUNCTION_ID": "f", "OPEN_RUNTIMES_ENV": "production", "CI": "true"}

    def test_json_answer_with_variables(self):
        answer = self.call(headers=[("x-appwrite-trigger", "event"), ("x-appwrite-event", "users.create")],
                           body=b"data")
        seen = json.loads(answer.text)
        self.assertEqual((answer.status, answer.headers), (200, []))
        self.assertEqual((seen["payload"], seen["headers"]), ("data", {}))
        variables = seen["variables"]
        self.assertEqual((variables["MINE"], variables["APPWRITE_FUNCTION_ID"]), ("1", "f"))
        self.assertEqual((variables["APPWRITE_FUNCTION_TRIGGER"], variables["APPWRITE_FUNCTION_EVENT"]),
                         ("event", "users.create"))
        self.assertEqual((variables["APPWRITE_FUNCTION_DATA"], variables["APPWRITE_FUNCTION_EVENT_DATA"]),
                         ("data", "data"))
        self.assertNotIn("OPEN_RUNTIMES_ENV", variables)
        self.assertIn("hello", answer.logs)
        self.assertEqual(answer.errors, "complaint\n")

    def test_text_answer_with_status(self):
        answer = self.call(body=b"text")
        self.assertEqual((answer.status, answer.text), (201, "plain"))

    def test_a_throw_is_a_500(self):
        answer = self.call(body=b"throw")
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertIn("legacy failure", answer.errors)


CASES = [Answers, Requests, Failures, Logs, Protocol, Loading, Legacy]
