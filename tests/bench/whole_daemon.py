"""What a whole daemon does on this machine: requests a second beside a bare node:http server, cold starts, asynchronous
executions, memory. Run it by tests/bench/run, which builds and installs what is needed.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import resource
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / 'system'))
import harness  # noqa: E402 pylint: disable=wrong-import-position

SECTIONS = ['warm', 'cold', 'async', 'memory']
BODY = '{"name":"someone"}'
FOREIGN_MOST = 0.06              # share of the machine that others may use during a measurement
RUNTIMES = {'node': ('node-22', 'main.js'), 'python': ('python-3.11', 'main.py')}
LOGGING_ECHO = {
    'node': {'main.js': 'module.exports = async ({ req, res, log }) => {\n'
                        '  log(`${req.method} ${req.path}`);\n'
                        '  return res.binary(req.bodyBinary);\n};\n'},
}

# name, function, path ('domain' or 'executions'): what is measured warm
WARM = [
    ('domain, node', 'node', 'domain'),
    ('domain, node, a log line a call', 'node-line', 'domain'),
    ('domain, node, logging off', 'node-quiet', 'domain'),
    ('domain, python', 'python', 'domain'),
    ('domain, python, logging off', 'python-quiet', 'domain'),
    ('executions, node', 'node', 'executions'),
    ('executions, node, logging off', 'node-quiet', 'executions'),
    ('executions, python', 'python', 'executions'),
]


# ---- the machine and its processes ----------------------------------------------------------------

def machine():
    model = re.search(r'model name\s*: (.*)', pathlib.Path('/proc/cpuinfo').read_text())
    node = subprocess.run(['node', '--version'], capture_output=True, text=True, check=True).stdout.strip()
    return {'cpu': model.group(1) if model else platform.machine(), 'cores': os.cpu_count(),
            'kernel': platform.release(), 'node': node, 'load': round(os.getloadavg()[0], 2)}


def cpu_seconds(pids):
    """User and system time of living processes, in seconds."""
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


def busy_seconds():
    """Of all cores, whoever uses them."""
    fields = [int(text) for text in pathlib.Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf('SC_CLK_TCK')


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pss_kb(pid):
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    return int(re.search(r'^Pss:\s+(\d+)', text, re.M).group(1))


def tree(daemon):
    return {daemon.process.pid} | harness.descendants(daemon.process.pid)


def roles(daemon):
    """-> pid of the api, pids of the workers and spares."""
    api = next(pid for pid, name in daemon.children().items() if name.startswith('functiond-api'))
    names = harness.processes()
    workers = [pid for pid in harness.descendants(daemon.process.pid)       # some may be newer than names
               if pid in names and names[pid][1].startswith(('node', 'python'))]
    return api, workers


# ---- the load -------------------------------------------------------------------------------------

class Baseline:
    """node:http and nothing else."""

    def __enter__(self):
        self.port = harness.free_port()
        self.process = subprocess.Popen(['node', str(HERE / 'echo_http.js')], env={**os.environ, 'PORT': str(self.port)})
        harness.wait_for(self.answers, 'answer from node:http')
        return self

    def answers(self):
        try:
            return harness.send(self.port, 'GET', '/').status == 201
        except OSError:
            return False

    def __exit__(self, *ignored):
        self.process.terminate()
        self.process.wait()


class Target:
    """One URL with headers and a body, and the processes that serve it."""

    def __init__(self, port, path, headers, body, pids, directory):
        self.url, self.headers, self.pids = f'http://127.0.0.1:{port}{path}', headers, pids
        self.body = directory / f'body-{abs(hash(body))}'
        self.body.write_text(body)

    def measure(self, connections, seconds):
        start, busy, load, before = time.monotonic(), busy_seconds(), children_seconds(), cpu_seconds(self.pids())
        line = ['wrk', '-t', '1' if connections < 8 else '2', '-c', str(connections), '-d', f'{seconds}s',
                '--timeout', '30s', '-s', str(HERE / 'request.lua'), self.url, '--', 'POST', str(self.body)]
        line += [f'{name}: {value}' for name, value in self.headers.items()]
        text = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        cpu = cpu_seconds(self.pids()) - before
        foreign = busy_seconds() - busy - (children_seconds() - load) - cpu
        count, took_us, p50, p99, failures = map(int, re.search(r'NUMBERS (.*)', text).group(1).split())
        return {'rate': count * 1e6 / took_us, 'count': count, 'p50_us': p50, 'p99_us': p99, 'failures': failures,
                'cpu_us': cpu * 1e6 / max(count, 1),
                'foreign': foreign / (os.cpu_count() * (time.monotonic() - start))}


def target_of(daemon, api, function_id, way, directory, **execution):
    if way == 'domain':
        path, headers, body = '/', {'Host': f'{function_id}.functions.localhost'}, BODY
    else:
        path = f'/v1/functions/{function_id}/executions'
        headers, body = dict(api.headers), json.dumps({'body': BODY, **execution}, separators=(',', ':'))
    headers['Content-Type'] = 'application/json'
    return Target(daemon.port, path, headers, body, lambda: tree(daemon), directory)


def echo_of(language):
    entrypoint = RUNTIMES[language][1]
    source = REPOSITORY / 'tests/fixtures/functions/echo' / language / entrypoint
    return {entrypoint: source.read_text()}


def deploy(api, function_id, language, files=None, **more):
    runtime, entrypoint = RUNTIMES[language]
    api.function(function_id, runtime, entrypoint, **more)
    api.deploy(function_id, files or echo_of(language))


def daemon_with(**settings):
    return harness.Daemon(log_level='info', log_format='text', **settings)


# ---- sections -------------------------------------------------------------------------------------

def median(values):
    return statistics.median(values) if values else 0.0


def one_pair(ours, base, connections, seconds, swapped):
    if swapped:
        other = base.measure(connections, seconds)
        return ours.measure(connections, seconds), other
    return ours.measure(connections, seconds), base.measure(connections, seconds)


class Patience:
    """Measures again what others on the machine have disturbed, for so many seconds in all."""

    def __init__(self, seconds):
        self.left, self.disturbed = seconds, 0

    def measured(self, measure):
        while True:
            start = time.monotonic()
            results = measure()
            foreign = max(result['foreign'] for result in results)
            if foreign <= FOREIGN_MOST:
                return results
            if self.left <= 0:
                self.disturbed += 1
                return results
            time.sleep(1)
            self.left -= time.monotonic() - start


def warm_rows(options, daemon, report):
    api = daemon.api()
    deploy(api, 'node', 'node')
    deploy(api, 'node-line', 'node', LOGGING_ECHO['node'])
    deploy(api, 'node-quiet', 'node', logging=False)
    deploy(api, 'python', 'python')
    deploy(api, 'python-quiet', 'python', logging=False)
    targets = [(name, target_of(daemon, api, function_id, way, daemon.directory))
               for name, function_id, way in WARM if options.match in name]
    with Baseline() as baseline:
        base = Target(baseline.port, '/', {'Content-Type': 'application/json'}, BODY, lambda: {baseline.process.pid},
                      daemon.directory)
        for _, target in targets + [('', base)]:
            target.measure(8, 1)                                       # workers are up, code is compiled
        pairs = {}
        for turn in range(options.rounds):
            for connections in options.connections:
                for name, target in targets:
                    pair = options.patience.measured(
                        lambda: one_pair(target, base, connections, options.seconds, turn % 2 == 1))
                    pairs.setdefault((name, connections), []).append(pair)
    print(f'\n{"":34}{"c":>3} {"ours/s":>8} {"node/s":>8} {"ratio":>6} {"least-most":>11} {"p50 us":>7} '
          f'{"p99 us":>7} {"cpu us":>7} {"node":>6} {"failed":>6}')
    for name, _ in targets:
        for connections in options.connections:
            report('warm', warm_row(name, connections, pairs[name, connections]))


def warm_row(name, connections, pairs):
    ratios = [ours['rate'] / base['rate'] for ours, base in pairs]
    row = {'name': name, 'connections': connections, 'ratio': median(ratios), 'least': min(ratios), 'most': max(ratios),
           'node_rate': median([base['rate'] for _, base in pairs]), 'node_cpu_us': median([b['cpu_us'] for _, b in pairs]),
           'failures': sum(ours['failures'] for ours, _ in pairs)}
    for key in ('rate', 'p50_us', 'p99_us', 'cpu_us'):
        row[key] = median([ours[key] for ours, _ in pairs])
    spread = f'{row["least"]:.2f}-{row["most"]:.2f}'
    print(f'{name:34}{connections:3} {row["rate"]:8.0f} {row["node_rate"]:8.0f} {row["ratio"]:6.2f} {spread:>11} '
          f'{row["p50_us"]:7.0f} {row["p99_us"]:7.0f} {row["cpu_us"]:7.1f} {row["node_cpu_us"]:6.1f} {row["failures"]:6}')
    return row


def measure_warm(options, report):
    with daemon_with() as daemon:
        warm_rows(options, daemon, report)


def first_answer_ms(port, function_id):
    """On a connection that is open already: from the request's first byte to the answer's last."""
    with socket.create_connection(('127.0.0.1', port)) as connection:
        request = (f'POST / HTTP/1.1\r\nHost: {function_id}.functions.localhost\r\nContent-Length: {len(BODY)}\r\n\r\n'
                   f'{BODY}').encode()
        time.sleep(0.02)                                                # the daemon has accepted it
        start = time.perf_counter()
        connection.sendall(request)
        answer = b''
        while b'\r\n\r\n' not in answer or not answer.endswith(BODY.encode()):
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
        took = (time.perf_counter() - start) * 1000
    assert answer.startswith(b'HTTP/1.1 200'), answer
    return took


def cold_samples(options, language, spares):
    """Functions without a worker, one after the other; their workers end before they are asked again."""
    samples, functions = [], 10
    with daemon_with(spares=spares, worker_idle_seconds=1, worker_limit=256) as daemon:
        api = daemon.api()
        for index in range(functions):
            deploy(api, f'cold-{index}', language)
        while len(samples) < options.cold:
            harness.wait_for(lambda: len(roles(daemon)[1]) == spares * 2, 'quiet after the last call', pause=0.1)
            for index in range(functions):
                time.sleep(0.5)                                         # the next spare has booted
                samples.append(first_answer_ms(daemon.port, f'cold-{index}'))
    return samples


def measure_cold(options, report):
    print(f'\n{"cold start, ms":34}{"p50":>7} {"p90":>7} {"least":>7} {"samples":>8}')
    for language in RUNTIMES:
        for spares in (1, 0):
            samples = sorted(cold_samples(options, language, spares))
            row = {'name': f'{language}, ' + ('with a spare' if spares else 'without spares'), 'p50_ms': median(samples),
                   'p90_ms': samples[len(samples) * 9 // 10], 'least_ms': samples[0], 'samples': len(samples)}
            print(f'{row["name"]:34}{row["p50_ms"]:7.2f} {row["p90_ms"]:7.2f} {row["least_ms"]:7.2f} {row["samples"]:8}')
            report('cold', row)


def states(daemon):
    """status -> executions, from the store itself: lists of the API stop counting at 5000."""
    url = f'file:{urllib.parse.quote(str(daemon.data / "functiond.db"))}?mode=ro'
    with sqlite3.connect(url, uri=True, timeout=30) as database:
        return dict(database.execute('SELECT status, count(*) FROM executions GROUP BY status'))


def measure_async(options, report):
    print(f'\n{"asynchronous executions, c=64":34}{"202/s":>8} {"p50 us":>7} {"p99 us":>7} {"cpu us":>7} {"accepted":>9} '
          f'{"completed":>9} {"other":>6} {"after s":>8} {"failed":>6}')
    for language in RUNTIMES:
        with daemon_with() as daemon:
            api = daemon.api()
            deploy(api, language, language)
            api.execute(language, BODY)
            target = target_of(daemon, api, language, 'executions', daemon.directory, **{'async': True})
            runs = [target.measure(64, options.seconds) for _ in range(options.rounds)]
            end = time.monotonic()

            def settled():
                seen = states(daemon)
                return seen if not seen.get('waiting') and not seen.get('processing') else None
            seen = harness.wait_for(settled, 'end of the queue', seconds=600, pause=0.2)
            row = {'name': language, 'rate': median([run['rate'] for run in runs]),
                   'p50_us': median([run['p50_us'] for run in runs]), 'p99_us': median([run['p99_us'] for run in runs]),
                   'cpu_us': median([run['cpu_us'] for run in runs]), 'accepted': sum(run['count'] for run in runs),
                   'completed': seen.get('completed', 0) - 1, 'other': sum(seen.values()) - seen.get('completed', 0),
                   'after_seconds': time.monotonic() - end, 'failures': sum(run['failures'] for run in runs)}
            if row['completed'] < row['accepted'] - row['failures']:
                raise AssertionError(f'accepted executions were not run: {row}')
        print(f'{language:34}{row["rate"]:8.0f} {row["p50_us"]:7.0f} {row["p99_us"]:7.0f} {row["cpu_us"]:7.1f} '
              f'{row["accepted"]:9} {row["completed"]:9} {row["other"]:6} {row["after_seconds"]:8.1f} {row["failures"]:6}')
        report('async', row)


def measure_memory(_options, report):
    rows = []
    with daemon_with(spares=0) as daemon:
        api = daemon.api()
        rows.append(('supervisor and api, idle, new', pss_kb(daemon.process.pid) + pss_kb(roles(daemon)[0])))
        for language in RUNTIMES:
            deploy(api, language, language)
            for _ in range(20):
                api.domain(language, 'POST', body=BODY.encode())
            worker = next(pid for pid in roles(daemon)[1] if harness.processes()[pid][1].startswith(language))
            rows.append((f'warm {language} worker', pss_kb(worker)))
        rows.append(('supervisor and api after 40 calls', pss_kb(daemon.process.pid) + pss_kb(roles(daemon)[0])))
    print(f'\n{"memory, PSS":34}{"MiB":>7}')
    for name, kb in rows:
        print(f'{name:34}{kb / 1024:7.1f}')
        report('memory', {'name': name, 'pss_kb': kb})


def main():
    parser = argparse.ArgumentParser(prog='tests/bench/run', description=__doc__)
    parser.add_argument('--only', default=','.join(SECTIONS), help='comma list of: ' + ', '.join(SECTIONS))
    parser.add_argument('--match', default='', help='of the warm rows, only those whose name contains this')
    parser.add_argument('--connections', default='1,8,64', help='at once, in the warm rows (1,8,64)')
    parser.add_argument('--seconds', type=int, default=1, help='of each measurement (1)')
    parser.add_argument('--rounds', type=int, default=7, help='measurements of each row; medians are shown (7)')
    parser.add_argument('--cold', type=int, default=40, help='cold starts of each kind (40)')
    parser.add_argument('--patience', type=float, default=0,
                        help='seconds to spend on measuring again what other processes have disturbed (0)')
    parser.add_argument('--json', help='append the rows to this file, one JSON object a line')
    parser.add_argument('--program', help='measure this program instead of building the release')
    options = parser.parse_args()
    options.patience = Patience(options.patience)
    options.connections = [int(text) for text in options.connections.split(',')]
    sections = options.only.split(',')
    if unknown := [name for name in sections if name not in SECTIONS]:
        parser.error(f'no such section: {unknown[0]}')
    harness.PROGRAM = os.path.abspath(options.program or harness.PROGRAM)
    os.environ.pop('NODE_EXTRA_CA_CERTS', None)

    about = machine()
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    rows = [{'section': 'machine', **about}]
    for name in sections:
        globals()[f'measure_{name}'](options, lambda section, row: rows.append({'section': section, **row}))
        sys.stdout.flush()
    if options.patience.disturbed:
        print(f'\n{options.patience.disturbed} pairs were measured while others used more than {FOREIGN_MOST:.0%} of the machine')
    if options.json:
        with open(options.json, 'a', encoding='utf-8') as out:
            out.writelines(json.dumps(row) + '\n' for row in rows)


if __name__ == '__main__':
    main()
