"""What only the node bootstrap promises: many requests at once, and JavaScript's own values."""

import json

import worker as workers
from common_cases import Case


class NodeAnswers(Case):
    def test_undefined_header_is_a_500(self):
        answer = self.call("undefinedHeader")
        self.assertEqual((answer.status, answer.body, answer.headers), (500, b"", []))
        self.assertNotEqual(answer.error, b"")

    def test_objects_numbers_and_streams_can_be_sent(self):
        answer = self.call("sendObject")
        self.assertEqual((answer.text, answer.header("content-type")), ('{"a":[1]}', "text/plain; charset=utf-8"))
        self.assertEqual(self.call("streamResponse").text, "abc")

    def test_wrong_values_log_nothing(self):
        self.assertEqual(self.call("valueFromBody", body=b'"text"').error, b"")

    def test_a_thenable_is_awaited(self):
        self.assertEqual(self.call("promiseLike").text, "thenable")


class NodeLogs(Case):
    def test_values_lose_nothing(self):
        log = self.call("logValues").logs
        lines = log.split("\n")
        seen = json.loads(lines[0])
        self.assertEqual(seen["date"], "1970-01-01T00:00:00.000Z")
        self.assertEqual((seen["set"], seen["map"], seen["typed"]), ([1, 2, 3], [["k", "v"]], [1, 2, 3]))
        self.assertEqual((seen["low"], seen["high"]), ("-9223372036854775808", "9223372036854775807"))
        self.assertEqual((seen["url"], seen["cycle"]), ("https://example.com/x", {"name": "c", "self": None}))
        self.assertEqual((seen["nothing"], seen["none"], seen["nan"]), (None, None, "NaN"))
        self.assertNotIn("f", seen)
        self.assertTrue(lines[1].startswith('null null "NaN" "1"   Error: shown'), lines[1])
        self.assertIn("line one\nline two\n", log)

    def test_console_is_live_and_noticed_once(self):
        notice = "Native logs detected. Use context.log() or context.error() for better experience.\n"
        answer = self.call("nativeLogs")
        self.assertEqual(answer.logs, "first\n" + notice + 'native {"a":1}\nafter await\nlast\n')
        self.assertEqual(answer.error, b"")

    def test_parallel_requests_keep_their_output_apart(self):
        self.call("nativeLogs")
        ids = {name: self.worker.start(**self.request("namedLogs", body=name.encode())) for name in ("a", "b", "c")}
        for name, id in ids.items():
            answer = self.worker.finish(id)
            lines = answer.logs.splitlines()[1:]
            self.assertEqual(lines, [f"native {name}", f"own {name}"] * 3)

    def test_logs_after_the_answer_are_dropped(self):
        self.assertEqual(self.call("lateLog").log, b"")
        self.assertEqual(self.call("wait", body=b"30").log, b"")


class NodeFailures(Case):
    def test_what_was_thrown_is_shown(self):
        self.assertIn("Error: Rejected!", self.call("rejects").errors)
        self.assertEqual(self.call("throwsText").errors, "only text\n")
        self.assertEqual(self.call("throwsObject").errors, '{"code":7}\n')
        self.assertEqual(self.call("throwsNull").status, 500)

    def test_an_unhandled_rejection_ends_the_worker(self):
        if self.major() < 15:
            self.skipTest("a warning there")
        worker = self.open()
        try:
            self.assertIsNone(worker.call(**self.request("unhandled")))
            self.assertNotEqual(worker.wait_exit(), 0)
            self.assertIn("nobody cares", worker.native_text())
        finally:
            worker.close()

    def test_requests_run_at_the_same_time(self):
        slow = self.worker.start(**self.request("wait", body=b"400"))
        self.assertEqual(self.call("plaintextResponse").status, 200)
        self.assertNotIn(slow, self.worker.done)
        self.assertEqual(self.worker.finish(slow).text, "waited")

    def test_a_busy_handler_does_not_hold_back_earlier_answers(self):
        self.call("busy", body=b"1")
        worker, ids, data = self.worker, [], b""
        for _ in range(5):
            worker.last_id += 1
            worker.answers[worker.last_id] = workers.Answer()
            data += workers.request_frames(worker.last_id, **self.request("busy", body=b"60"))
            ids.append(worker.last_id)
        start = workers.now()
        worker.send(data)
        worker.finish(ids[0])
        first = workers.now() - start
        for id in ids:
            self.assertEqual(worker.finish(id).text, "busy")
        self.assertLess(first, (workers.now() - start) / 2)

    def test_timeouts_of_different_length(self):
        long = self.worker.start(**self.request("wait", body=b"900", timeout_ms=600))
        short = self.worker.start(**self.request("wait", body=b"900", timeout_ms=100))
        self.assertEqual(self.worker.finish(short).errors, "Execution timed out.\n")
        self.assertNotIn(long, self.worker.done)
        self.assertEqual(self.worker.finish(long).errors, "Execution timed out.\n")


class NodeLoading(Case):
    function = "broken"

    def first(self, entry):
        worker = self.open(entrypoint=entry)
        self.addCleanup(worker.close)
        return worker.call(**self.request())

    def test_an_exception_while_loading(self):
        self.assertEqual(self.first("throws.js").errors, "Failed to load module: broken at load\n")
        answer = self.first("typeerror.js")
        self.assertEqual(answer.status, 503)
        self.assertTrue(answer.errors.startswith("Cannot read propert"), answer.errors)

    def test_top_level_await(self):
        answer = self.first("top-level-await.mjs")
        self.assertEqual((answer.status, answer.text), (200, "awaited"))
        self.assertIn("before the wait", answer.logs)


CASES = [NodeAnswers, NodeLogs, NodeFailures, NodeLoading]
