"""What only the python bootstrap promises."""

import json
import os
import signal
import sys
import tempfile
import time
import types

from common_cases import Case
from worker import RUNTIMES


class PythonCases(Case):
    def test_what_is_printed_follows_everything_else(self):
        notice = "Native logs detected. Use context.log() or context.error() for better experience."
        answer = self.call("nativeLogs")
        self.assertEqual(answer.logs, "first\nlast\n" + notice + "native\ncomplaint\n")
        self.assertEqual(answer.error, b"")

    def test_a_value_that_json_cannot_hold_raises(self):
        answer = self.call("logCycle")
        self.assertEqual(answer.status, 500)
        self.assertIn("ValueError", answer.errors)

    def test_relative_imports(self):
        self.assertEqual(self.call("greeting").text, "from a relative import")

    def test_wrong_values_log_a_traceback(self):
        self.assertIn("Traceback", self.call("valueFromBody", body=b'"text"').errors)

    def test_tracebacks_begin_in_the_users_code(self):
        errors = self.call("errorTest").errors
        self.assertIn("main.py", errors)
        self.assertNotIn("functiond_v5", errors)

    def test_blocking_code_is_interrupted(self):
        start = time.monotonic()
        answer = self.call("wait", body=b"3", timeout_ms=200)
        self.assertEqual((answer.status, answer.errors), (500, "Execution timed out.\n"))
        self.assertEqual(answer.logs, "Blocking start.\n")
        answer = self.call("asyncBlocking", timeout_ms=200)
        self.assertEqual((answer.status, answer.errors), (500, "Execution timed out.\n"))
        self.assertLess(time.monotonic() - start, 2)

    def test_a_handler_that_ignores_its_cancellation(self):
        start = time.monotonic()
        answer = self.call("stubborn", timeout_ms=200)
        self.assertEqual((answer.status, answer.errors), (500, "Execution timed out.\n"))
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(self.call("plaintextResponse").status, 200)

    def test_a_handler_is_one_task_from_its_first_line(self):
        if tuple(map(int, self.worker.version.split(".")[:2])) < (3, 11):
            self.skipTest("asyncio.timeout is younger")
        for _ in range(2):
            self.assertEqual(json.loads(self.call("oneTask").text), ["unset", "set", True, True, 1])

    def test_a_handler_that_never_waits_leaves_nothing_to_the_next(self):
        if tuple(map(int, self.worker.version.split(".")[:2])) < (3, 11):
            self.skipTest("its first step is not taken outside of the event loop")
        for trace in (b"set", b"cancel", b"nothing", b"set"):
            self.assertEqual(self.call("noWait", body=trace).text, "unset")
        self.assertEqual(self.call("noWait", body=b"cancel").text, "unset")
        self.assertEqual(json.loads(self.call("oneTask").text)[:4], ["unset", "set", True, True])

    def test_each_handler_has_its_own_timeout(self):
        self.assertEqual(self.call("plaintextResponse", timeout_ms=300).status, 200)
        self.assertEqual(self.call("wait", body=b"0.6", timeout_ms=5000).text, "waited")
        start = time.monotonic()
        self.assertEqual(self.call("wait", body=b"3", timeout_ms=200).status, 500)
        self.assertLess(time.monotonic() - start, 1)
        self.assertEqual(self.call("plaintextResponse", timeout_ms=100).status, 200)
        time.sleep(0.3)
        self.assertEqual(self.call("plaintextResponse", timeout_ms=0).status, 200)
        self.assertEqual(self.call("wait", body=b"0.3", timeout_ms=0).text, "waited")
        self.assertEqual(self.call("wait", body=b"3", timeout_ms=200).status, 500)

    def test_a_timer_that_ends_just_as_a_handler_begins(self):
        sys.path.insert(0, os.path.join(RUNTIMES, "python"))
        self.addCleanup(sys.path.remove, sys.path[0])
        from functiond_v5 import Contract
        self.addCleanup(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        for name in ("alarm", "setitimer"):
            self.addCleanup(setattr, signal, name, getattr(signal, name))
        contract = Contract(None, "", "", {})
        timer = []
        contract.set_timer = lambda _timer, seconds, *_: timer.append(seconds)

        class Ending(float):
            """A time at which a signal comes right after it was seen to be ahead."""

            def __le__(self, other):
                contract.interrupt(None, None)
                return float.__le__(self, other)

        now = time.monotonic()
        contract.armed = Ending(now + 1)
        contract.limit(types.SimpleNamespace(started=now, timeout=5000))
        self.assertGreater(timer[-1], 4, "nothing would end the handler")

    def test_handlers_that_use_the_timer_themselves(self):
        for use in (b"alarm", b"setitimer"):
            self.assertEqual(self.call("ownTimer", body=use, timeout_ms=1000).text, use.decode())
            start = time.monotonic()
            self.assertEqual(self.call("wait", body=b"3", timeout_ms=1000).status, 500)
            self.assertLess(time.monotonic() - start, 2)

    def test_headers_that_are_equal_to_python_but_not_alike(self):
        for value, text in (("1", "1"), (1, "1"), (True, "True"), (1.0, "1.0"), ("1", "1"), (["a", "b"], "a, b")):
            body = json.dumps({"body": "", "headers": {"x-value": value}}).encode()
            self.assertEqual(self.call("valueFromBody", body=body).header("x-value"), text)

    def test_tasks_go_on_between_requests(self):
        self.assertEqual(self.call("background").text, "started")
        time.sleep(0.3)
        self.assertIn("BACKGROUND", json.loads(self.call("envVars").text)["names"])


class PythonPackages(Case):
    """What the build leaves in runtime-env is found, and so are the code's own files."""

    def test_the_virtual_environment_of_the_build(self):
        with tempfile.TemporaryDirectory() as code:
            version = ".".join(self.worker.version.split(".")[:2])
            packages = os.path.join(code, "runtime-env", "lib", "python" + version, "site-packages")
            files = {
                os.path.join(packages, "installed.py"): "NAME = 'installed'\n",
                os.path.join(packages, "more.pth"): os.path.join(code, "elsewhere") + "\n",
                os.path.join(code, "elsewhere", "linked.py"): "NAME = 'linked'\n",
                os.path.join(code, "__init__.py"): "ROOT = 'root'\n",
                os.path.join(code, "src", "helper.py"): "NAME = 'helper'\n",
                os.path.join(code, "src", "main-file.py"):
                    "import installed, linked, helper, function\n"
                    "from . import helper as relative\n"
                    "from function.src.helper import NAME\n"
                    "def main(context):\n"
                    "    return context.res.json([installed.NAME, linked.NAME, helper.NAME, relative.NAME, NAME,\n"
                    "                             function.ROOT])\n",
            }
            for path, text in files.items():
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as file:
                    file.write(text)
            worker = self.open(code=code, entrypoint="src/main-file.py")
            self.addCleanup(worker.close)
            answer = worker.call(**self.request())
            self.assertEqual(answer.status, 200, answer.errors)
            self.assertEqual(json.loads(answer.text), ["installed", "linked", "helper", "helper", "helper", "root"])


class PythonLoading(Case):
    function = "broken"

    def errors(self, entry):
        worker = self.open(entrypoint=entry)
        self.addCleanup(worker.close)
        answer = worker.call(**self.request())
        self.assertEqual(answer.status, 503)
        return answer.errors

    def test_an_exception_while_loading(self):
        worker = self.open(entrypoint="hangs.py")
        self.addCleanup(worker.close)
        answer = worker.call(**self.request(timeout_ms=200))
        self.assertEqual((answer.status, answer.errors), (500, "Execution timed out.\n"))
        errors = self.errors("throws.py")
        self.assertTrue(errors.startswith("Failed to load module: Traceback"), errors)
        self.assertIn("ValueError: broken at load", errors)
        self.assertIn("no_such_attribute", self.errors("attribute.py"))
        self.assertEqual(self.errors("missing.py"), "Module not found: no_such_package\n")


CASES = [PythonCases, PythonPackages, PythonLoading]
