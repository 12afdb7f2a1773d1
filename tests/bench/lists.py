"""What listing executions costs over HTTP when a function has very many of them: fills the store of a stopped daemon with
SQL, starts the daemon on it and asks for pages over one kept connection. Run it by `tests/bench/run lists`.
"""
import argparse
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import statistics
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'system'))
import harness  # noqa: E402 pylint: disable=wrong-import-position

FUNCTION, STEP_US, ROWS_A_TRANSACTION = 'many', 1000, 500_000
NEWEST = {'method': 'orderDesc', 'attribute': '$createdAt'}
PAGE = {'method': 'limit', 'values': [25]}

# Numbers first..last; seq is that of number 0. Three of a hundred failed, one was scheduled, every fourth has a line of logs.
NUMBERS = 'WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) '
FILL = NUMBERS + f'''
INSERT INTO executions (seq, function_seq, id, deployment_id, user_id, trigger, status, request_method, request_path,
                        request_headers, response_status, response_headers, duration, scheduled_at, updated_at)
SELECT :seq + i * {STEP_US}, :function,
       printf('%08x%05x%07x', (:seq + i * {STEP_US}) / 1000000, (:seq + i * {STEP_US}) % 1000000, random() & 0xfffffff),
       '66f0c0ffee0123456789', '', iif(i % 100 = 7, 'schedule', 'http'), iif(i % 33 = 5, 'failed', 'completed'), 'POST',
       '/orders?page=' || (i % 50), '[{{"name":"content-type","value":"application/json"}}]', iif(i % 33 = 5, 500, 200),
       '[{{"name":"content-type","value":"text/plain"}}]', 0.003, 0, :seq + i * {STEP_US} + 3000 FROM n'''
FILL_LOGS = NUMBERS + f'''
INSERT INTO execution_logs (seq, logs, errors) SELECT :seq + i * {STEP_US}, 'POST /orders?page=' || (i % 50), '' FROM n
WHERE i % 4 = 0'''


def fill(database, rows):
    """-> id of the execution in the middle."""
    start = time.monotonic()
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute('PRAGMA synchronous = OFF')
    connection.execute('PRAGMA cache_size = -400000')
    function_seq, = connection.execute('SELECT seq FROM functions WHERE id = ?', (FUNCTION,)).fetchone()
    first_seq = int(time.time() * 1e6) - rows * STEP_US
    for first in range(0, rows, ROWS_A_TRANSACTION):
        numbers = {'first': first, 'last': min(first + ROWS_A_TRANSACTION, rows) - 1, 'seq': first_seq, 'function': function_seq}
        connection.execute('BEGIN')
        connection.execute(FILL, numbers)
        connection.execute(FILL_LOGS, numbers)
        connection.execute('COMMIT')
        connection.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    middle, = connection.execute('SELECT id FROM executions WHERE seq = ?', (first_seq + rows // 2 * STEP_US,)).fetchone()
    connection.close()
    print(f'{rows} rows filled in {time.monotonic() - start:.0f} s, {database.stat().st_size / 1e6:.0f} MB', flush=True)
    return middle


def cases(middle):
    """name, queries, other parameters, total expected (None: whatever)"""
    failed = {'method': 'equal', 'attribute': 'status', 'values': ['failed']}
    waiting = {'method': 'equal', 'attribute': 'status', 'values': ['waiting']}
    after = {'method': 'cursorAfter', 'values': [middle]}
    before = {'method': 'cursorBefore', 'values': [middle]}
    one = {'method': 'equal', 'attribute': '$id', 'values': [middle]}
    return [
        ('newest 25, total', [NEWEST, PAGE], {}, 25),
        ('newest 25, total=false', [NEWEST, PAGE], {'total': 'false'}, 25),
        ('oldest 25 (no order), total', [PAGE], {}, 25),
        ('25 after the middle, total', [NEWEST, after, PAGE], {}, 25),
        ('25 after the middle, total=false', [NEWEST, after, PAGE], {'total': 'false'}, 25),
        ('25 before the middle, total=false', [NEWEST, before, PAGE], {'total': 'false'}, 25),
        ('newest 25 from the 1000th, total=false', [NEWEST, {'method': 'offset', 'values': [1000]}, PAGE], {'total': 'false'}, 25),
        ('newest 25 that failed, total', [failed, NEWEST, PAGE], {}, 25),
        ('newest 25 that failed, total=false', [failed, NEWEST, PAGE], {'total': 'false'}, 25),
        ('those that wait (none), total', [waiting, NEWEST, PAGE], {}, 0),
        ('one by its id, total', [one], {}, 1),
        ('search of an id, total', [PAGE], {'search': middle}, 1),
        ('search of what is not there, total', [PAGE], {'search': 'nowhere'}, 0),
    ]


class Asking:
    """One kept connection; the answer is read by its length and nothing else, so that the client costs little."""

    def __init__(self, api):
        self.socket = socket.create_connection(('127.0.0.1', api.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = ''.join(f'{name}: {value}\r\n' for name, value in api.headers.items())

    def request(self, queries, parameters):
        pairs = [(f'queries[{i}]', json.dumps(query)) for i, query in enumerate(queries)] + list(parameters.items())
        old = 'X-Appwrite-Response-Format: 1.6.0\r\n' if 'search' in parameters else ''    # gone since
        target = f'/v1/functions/{FUNCTION}/executions?{urllib.parse.urlencode(pairs)}'
        return f'GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self.headers}{old}\r\n'.encode()

    def send(self, request):
        self.socket.sendall(request)
        data = bytearray()
        while (end := data.find(b'\r\n\r\n')) < 0:
            data += self.socket.recv(262144)
        head = bytes(data[:end]).lower()
        size = int(head.split(b'content-length:', 1)[1].split(b'\r\n', 1)[0])
        while len(data) < end + 4 + size:
            data += self.socket.recv(262144)
        return int(head[9:12]), bytes(data[end + 4:])


def measure(api, row, most, seconds):
    """-> times in microseconds, sorted."""
    name, queries, parameters, expected = row
    asking = Asking(api)
    request = asking.request(queries, parameters)
    status, body = asking.send(request)
    if status != 200 or len(json.loads(body)['executions']) != expected:
        print(f'{name}: {status} {body[:200]!r}', file=sys.stderr)
        return [], None
    times, end = [], time.monotonic() + seconds
    while len(times) < most and (time.monotonic() < end or len(times) < 3):
        before = time.perf_counter_ns()
        asking.send(request)
        times.append((time.perf_counter_ns() - before) / 1000)
    asking.socket.close()
    return sorted(times), json.loads(body)['total']


def measure_size(rows, options):
    daemon = harness.Daemon(log_level='info', log_format='text', execution_retention_days=0)
    if options.directory:
        shutil.rmtree(daemon.directory)
        daemon.directory = pathlib.Path(options.directory) / str(rows)
        daemon.data, daemon.log_path = daemon.directory / 'data', daemon.directory / 'log'
        daemon.directory.mkdir(parents=True, exist_ok=True)
    note = daemon.directory / 'middle'
    try:
        if not note.exists():
            daemon.start()
            daemon.api().function(FUNCTION)
            daemon.stop()
            note.write_text(fill(daemon.data / 'functiond.db', rows))
        daemon.start()
        print(f'\n{f"{rows} executions":44}{"p50 us":>9}{"p99 us":>9}{"least":>9}{"asked":>7}{"total":>7}')
        for row in cases(note.read_text()):
            if options.match not in row[0]:
                continue
            times, total = measure(daemon.api(), row, options.most, options.seconds)
            if times:
                print(f'{row[0]:44}{statistics.median(times):9.0f}{times[len(times) * 99 // 100]:9.0f}{times[0]:9.0f}'
                      f'{len(times):7}{total:7}', flush=True)
    finally:
        if options.directory:
            daemon.stop()
        else:
            daemon.release()


def main():
    parser = argparse.ArgumentParser(prog='tests/bench/run lists', description=__doc__)
    parser.add_argument('--rows', default='1000000,10000000', help='comma list of table sizes (1000000,10000000)')
    parser.add_argument('--most', type=int, default=2000, help='requests of each kind (2000)')
    parser.add_argument('--seconds', type=float, default=5, help='or so long, whichever is less (5)')
    parser.add_argument('--match', default='', help='only the kinds whose name contains this')
    parser.add_argument('--directory', help='keep the filled stores here and use them again')
    parser.add_argument('--program', help='measure this program')
    options = parser.parse_args()
    harness.PROGRAM = os.path.abspath(options.program or harness.PROGRAM)
    os.environ.pop('NODE_EXTRA_CA_CERTS', None)
    for text in options.rows.split(','):
        measure_size(int(text), options)


if __name__ == '__main__':
    main()
