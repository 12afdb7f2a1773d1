#!/usr/bin/python3
"""The crash ledger: kill -9 of the api, the supervisor, workers and builds at random moments while clients write.

Everything that was answered is noted; at the end the server must agree with the notes: no answered write is lost, no
accepted execution is lost, none ran twice, and what was answered as finished stays as it was. Functions report each run
to this program directly, so a second run is seen even if the server forgot the first. A run of this program in which too
little happened to prove that (fewer kills than wanted, a kind of victim never met, functions that did not run) has failed.

    ledger.py [--kills N] [--seconds N] [--seed N]
"""
import argparse
import collections
import http.server
import os
import random
import signal
import sys
import threading
import time
import urllib.parse
import harness

REPORTS = harness.node('''
    const id = req.headers['x-appwrite-execution-id'];
    await fetch('http://127.0.0.1:' + process.env.LEDGER_PORT + '/' + id, { method: 'POST' });
    await new Promise((done) => setTimeout(done, Math.random() * 60));
    return res.text(id);''')
UNSURE = object()               # no answer: the write may or may not have happened


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.functions, self.variables, self.deleted = {}, {}, set()
        self.accepted, self.answered, self.runs = [], {}, collections.Counter()
        self.uploads, self.problems, self.refused = {}, [], collections.Counter()

    def note(self, change):
        with self.lock:
            change(self)

    def counts(self):
        return (f'{len(self.functions)} functions, {len(self.variables)} variables, {len(self.accepted)} accepted and '
                f'{len(self.answered)} answered executions, {len(self.uploads)} uploads, {sum(self.runs.values())} runs')


class RunReports(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, ledger):
        self.ledger = ledger
        super().__init__(('127.0.0.1', 0), RunReport)


class RunReport(http.server.BaseHTTPRequestHandler):
    def do_POST(self):                                  # pylint: disable=invalid-name
        name = urllib.parse.unquote(self.path[1:])
        self.server.ledger.note(lambda ledger: ledger.runs.update([name]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Clients:
    """Threads that write until told to stop."""

    def __init__(self, api, ledger, rng):
        self.api, self.ledger, self.over = api, ledger, threading.Event()
        self.threads = [threading.Thread(target=self.loop, args=(work, random.Random(rng.random())))
                        for work in (self.make_function, self.set_variable, self.run_later, self.run_later, self.run_now,
                                     self.upload)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def loop(self, work, rng):
        number = 0
        while not self.over.is_set():
            number += 1
            try:
                work(number, rng)
            except Exception as problem:                # pylint: disable=broad-except
                self.ledger.note(lambda ledger, text=f'{work.__name__}: {problem!r}': ledger.problems.append(text))
            self.over.wait(rng.random() * 0.05)

    def ask(self, *arguments, **more):
        """An answer, or UNSURE when there was none or the server failed."""
        try:
            answer = self.api.ask(*arguments, timeout=45, **more)
        except (OSError, harness.http.client.HTTPException):
            self.over.wait(0.05)
            return UNSURE
        if answer.status >= 500:
            self.ledger.note(lambda ledger: ledger.refused.update([answer.status]))
            return UNSURE
        return answer

    def expect(self, answer, status, what):
        if answer is UNSURE:
            return False
        if answer.status == status:
            return True
        self.ledger.note(lambda ledger: ledger.problems.append(f'{what}: {answer}'))
        return False

    def make_function(self, number, rng):
        name = f'made-{number}'
        data = {'functionId': name, 'name': f'name {rng.random()}', 'runtime': harness.NODE, 'entrypoint': 'main.js'}
        if not self.expect(self.ask('POST', '/functions', data), 201, f'create {name}'):
            return
        self.ledger.note(lambda ledger: ledger.functions.update({name: data['name']}))
        if number % 7 != 0:
            return
        self.ledger.note(lambda ledger: ledger.functions.pop(name))
        if self.expect(self.ask('DELETE', f'/functions/{name}'), 204, f'delete {name}'):
            self.ledger.note(lambda ledger: ledger.deleted.add(name))

    def set_variable(self, number, rng):
        """A new one, then a new value for it; a value is sure only if its answer came."""
        if number > 900:
            self.over.wait(0.2)
            return
        name, values = f'v{number}', [str(rng.random()), str(rng.random())]
        path = '/functions/variables/variables'
        if not self.expect(self.ask('POST', path, {'variableId': name, 'key': f'KEY_{number}', 'value': values[0],
                                                   'secret': False}), 201, f'variable {name}'):
            return
        self.ledger.note(lambda ledger: ledger.variables.update({name: {values[0], values[1]}}))
        if self.expect(self.ask('PUT', f'{path}/{name}', {'value': values[1]}), 200, f'change of {name}'):
            self.ledger.note(lambda ledger: ledger.variables.update({name: {values[1]}}))

    def run_later(self, _number, _rng):
        answer = self.ask('POST', '/functions/reports/executions', {'async': True})
        if self.expect(answer, 202, 'asynchronous execution'):
            self.ledger.note(lambda ledger: ledger.accepted.append(answer.json['$id']))

    def run_now(self, _number, _rng):
        answer = self.ask('POST', '/functions/reports/executions', {})
        if answer is UNSURE or answer.status == 408:
            return
        if self.expect(answer, 201, 'synchronous execution'):
            seen = answer.json
            self.ledger.note(lambda ledger: ledger.answered.update({seen['$id']: (time.monotonic(), seen['status'])}))

    def upload(self, number, _rng):
        """In pieces; every piece without an answer is sent again, none with one."""
        code = harness.package({**harness.node(f"return res.text('{number}');"), 'data': os.urandom(150_000)})
        first, *rest = [(at, min(at + 40_000, len(code))) for at in range(0, len(code), 40_000)]
        answer = self.part(code, first, None)
        if answer is None:
            return
        made = answer.json['$id']
        while rest and not self.over.is_set():
            if self.part(code, rest[-1], made) is not None:
                rest.pop()
        if not rest:
            self.ledger.note(lambda ledger: ledger.uploads.update({made: code}))
        self.over.wait(1)

    def part(self, code, part, made):
        try:
            answer = self.api.upload_part('uploads', code, *part, made)
        except (OSError, harness.http.client.HTTPException):
            self.over.wait(0.05)
            return None
        if answer.status == 202:
            return answer
        if answer.status < 500:
            self.ledger.note(lambda ledger: ledger.problems.append(f'piece of an upload: {answer}'))
        return None


class Killer:
    KINDS = {'api': 40, 'supervisor': 20, 'worker': 25, 'build': 15}        # of a hundred

    def __init__(self, daemon, rng):
        self.daemon, self.rng, self.done = daemon, rng, collections.Counter()

    def victims(self, kind):
        main = self.daemon.process.pid
        children = self.daemon.children()
        if kind == 'supervisor':
            return [main]
        if kind == 'api':
            return [pid for pid, name in children.items() if name == 'functiond-api']
        below = harness.descendants(main) - {pid for pid, name in children.items() if name == 'functiond-api'}
        seen = harness.processes()
        builds = {pid for pid in below if pid in seen and seen[pid][1] in ('sh', 'sleep', 'unpack', 'pack')}
        return sorted(builds if kind == 'build' else below - builds)

    def strike(self):
        kind = self.rng.choices(list(self.KINDS), list(self.KINDS.values()))[0]
        victims = self.victims(kind)
        wait_until = time.monotonic() + 3
        while not victims and time.monotonic() < wait_until:        # no build just now: one comes
            time.sleep(self.rng.random() * 0.02)
            victims = self.victims(kind)
        if not victims:
            kind, victims = 'api', self.victims('api')
        if not victims:
            return
        try:
            os.kill(self.rng.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.done[kind] += 1
        if kind == 'supervisor':
            self.daemon.process.wait()
            self.daemon.start(wait=False)

    def run(self, kills, seconds):
        end = time.monotonic() + seconds
        while sum(self.done.values()) < kills and time.monotonic() < end:
            time.sleep(self.rng.random() * self.rng.choice((0.1, 1.0, 2.5)))
            before = time.monotonic()
            self.strike()
            if self.rng.random() < 0.8:         # else the next one comes while it starts
                self.daemon.wait_ready()
            if time.monotonic() - before > 30:
                raise AssertionError('after a kill the server took more than 30 s to answer')


def prepare(daemon, port):
    api = daemon.api()
    api.function('reports', timeout=10)
    api.post('/functions/reports/variables', {'variableId': 'port', 'key': 'LEDGER_PORT', 'value': str(port)})
    api.deploy('reports', REPORTS)
    api.function('variables')
    api.function('uploads', commands='sleep 0.3')
    return api


def settle(api):
    """Until nothing waits any more."""
    def quiet():
        for status in ('waiting', 'processing'):
            query = {'method': 'equal', 'attribute': 'status', 'values': [status]}
            if api.list('/functions/reports/executions', query)['total'] > 0:
                return False
        return True
    harness.wait_for(quiet, 'end of all executions', 180, 0.5)


def judge_enough(ledger, done, kills, statuses, wrong):
    """What must have happened for the rest to prove anything."""
    if sum(done.values()) < kills:
        wrong(f'only {sum(done.values())} of {kills} kills in the time given (--seconds)')
    for kind in Killer.KINDS:
        if kills >= 50 and not done[kind]:
            wrong(f'no {kind} was killed')
    for what, least in (('accepted', kills), ('answered', max(1, kills // 10))):
        if statuses[what]['completed'] < least:
            wrong(f'of the {what} executions less than {least} are completed: {dict(statuses[what])}')
    if not ledger.uploads:
        wrong('no upload was completed')


def judge(api, ledger, wrong):
    """-> how many of the accepted executions ended how."""
    ends = collections.Counter()
    for name, text in ledger.functions.items():
        answer = api.ask('GET', f'/functions/{name}')
        if answer.status != 200 or answer.json['name'] != text:
            wrong(f'function {name} was answered 201 and is {answer}')
    for name in ledger.deleted:
        if api.ask('GET', f'/functions/{name}').status != 404:
            wrong(f'function {name} was deleted and is there')
    for name, values in ledger.variables.items():
        answer = api.ask('GET', f'/functions/variables/variables/{name}')
        if answer.status != 200 or answer.json['value'] not in values:
            wrong(f'variable {name} should be one of {values} and is {answer}')
    for name in ledger.accepted:
        answer = api.ask('GET', f'/functions/reports/executions/{name}')
        if answer.status != 200:
            wrong(f'execution {name} was answered 202 and is {answer}')
            continue
        ends[answer.json['status']] += 1
        if answer.json['status'] == 'completed' and ledger.runs[name] != 1:
            wrong(f'execution {name} is completed and ran {ledger.runs[name]} times')
    for name, count in ledger.runs.items():
        if count > 1:
            wrong(f'execution {name} ran {count} times')
    return ends


def judge_answered(api, ledger, wrong, kills):
    """A synchronous execution's record may be lost only if the machine dies within milliseconds of the answer."""
    lost = 0
    for name, (_, status) in ledger.answered.items():
        answer = api.ask('GET', f'/functions/reports/executions/{name}')
        if answer.status == 404:
            lost += 1
        elif answer.json['status'] != status:
            wrong(f'execution {name} was answered as {status} and is {answer.json["status"]}')
        if status == 'completed' and ledger.runs[name] != 1:
            wrong(f'execution {name} was answered as completed and ran {ledger.runs[name]} times')
    if lost > kills:
        wrong(f'{lost} records of answered synchronous executions are lost, more than one a kill')
    return lost


def judge_uploads(api, ledger, wrong):
    for name, code in ledger.uploads.items():
        def ended(deployment=name):
            seen = api.ask('GET', f'/functions/uploads/deployments/{deployment}')
            return seen if seen.status != 200 or seen.json['status'] in ('ready', 'failed') else None
        answer = harness.wait_for(ended, f'end of the build of {name}', 240, 0.2)
        if answer.status != 200:
            wrong(f'upload {name} was complete and is {answer}')
            continue
        if answer.json['status'] == 'failed' and not answer.json['buildLogs'].strip():
            wrong(f'build {name} failed without a reason')
        if api.ask('GET', f'/functions/uploads/deployments/{name}/download').body != code:
            wrong(f'the source of {name} is not what was uploaded')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--seconds', type=int, default=240)
    parser.add_argument('--log-level', default='info')
    parser.add_argument('--log-lines', type=int, default=80)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    options = parser.parse_args()
    if not os.access(harness.PROGRAM, os.X_OK):
        print(f'skipped: {harness.PROGRAM} is not built')
        sys.exit(77)
    print(f'seed {options.seed}')
    rng, ledger, found = random.Random(options.seed), Ledger(), []
    reports = RunReports(ledger)
    threading.Thread(target=reports.serve_forever, daemon=True).start()
    with harness.Daemon(egress_private='true', log_level=options.log_level) as daemon:
        api = prepare(daemon, reports.server_address[1])
        clients, killer = Clients(api, ledger, rng), Killer(daemon, rng)
        try:
            killer.run(options.kills, options.seconds)
        finally:
            clients.stop()
        daemon.wait_ready()
        settle(api)
        kills = sum(killer.done.values())
        statuses = {'accepted': judge(api, ledger, found.append),
                    'answered': collections.Counter(status for _, status in ledger.answered.values())}
        judge_enough(ledger, killer.done, options.kills, statuses, found.append)
        judge_uploads(api, ledger, found.append)
        lost = judge_answered(api, ledger, found.append, kills)
        print(f'{kills} kills ({", ".join(f"{count} {kind}" for kind, count in sorted(killer.done.items()))})')
        print(f'{ledger.counts()}; {lost} records of synchronous calls not on disk; answered 5xx: {dict(ledger.refused)}')
        print(f'accepted ended {dict(statuses["accepted"])}, answered {dict(statuses["answered"])}')
        found += ledger.problems
        for text in found[:40]:
            print(f'wrong: {text}')
        if found:
            print(daemon.log_tail(options.log_lines))
    reports.shutdown()
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
