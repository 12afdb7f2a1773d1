#!/usr/bin/python3
"""Hostile clients against the real daemon over raw sockets: heads, framing and bodies that are none, and floods of
connections that sit, drip or stall. What is in a request's values is tested in tests/api/test_hostile*.c.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time
import harness

LIMIT_SECONDS = 20              # for any answer, on a busy machine and with sanitizers
HOST = b'Host: localhost\r\n'


class Raw(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api_pid = cls.daemon_api()
        cls.key_lines = ''.join(f'{name}: {value}\r\n' for name, value in cls.api.headers.items()).encode()

    @classmethod
    def daemon_api(cls):
        found = [pid for pid in cls.daemon.children()
                 if b'\0api\0' in pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().join((b'\0', b'\0'))]
        assert len(found) == 1, found
        return found[0]

    def tearDown(self):
        self.assertTrue(self.daemon.answers())
        self.assertEqual(self.daemon_api(), self.api_pid, 'the api has died')

    def connect(self):
        connection = socket.create_connection(('127.0.0.1', self.daemon.port), LIMIT_SECONDS)
        self.addCleanup(connection.close)
        return connection

    def exchange(self, *pieces, ends=True):
        """Sends, says that nothing more comes, and takes all that is answered until the server closes."""
        connection = self.connect()
        try:
            for piece in pieces:
                connection.sendall(piece)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass                                        # refused while it was being sent
        seen = b''
        try:
            while got := connection.recv(65536):
                seen += got
        except ConnectionResetError:
            pass
        connection.close()
        return seen

    def exchanges(self, requests):
        """Each on a connection of its own, many at a time: the server may look only now and then who has gone."""
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            return list(pool.map(self.exchange, requests))

    def statuses(self, seen):
        return [int(status) for status in re.findall(rb'HTTP/1\.1 (\d{3}) ', seen)]

    def is_envelope(self, seen, status):
        head, body = seen.split(b'\r\n\r\n', 1)
        self.assertTrue(head.startswith(b'HTTP/1.1 %d ' % status), seen)
        self.assertIn(b'\r\nContent-Length: %d' % len(body), head, seen)
        said = json.loads(body)
        self.assertEqual(said['code'], status, seen)
        self.assertTrue(said['message'] and said['type'] and said['version'], seen)
        return said


# What is sent, and which statuses may come; an empty list of them: none, just a close.
HEADS = [
    (b'GET /v1/ping HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\tfolded\r\n\r\n', (200, 400, 404)),
    (b'GET /v1/ping HTTP/1.1\r\nHost: a\r\nX-A: \0\r\n\r\n', (400, 404)),
    (b'GET /v1/ping HTTP/1.1\r\nHost: a\r\nX\0A: 1\r\n\r\n', (400,)),
    (b'GET /v1/\0ping HTTP/1.1\r\nHost: a\r\n\r\n', (400, 404)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\nX-A: 1\rX-B: 2\r\n\r\n', (200, 400)),
    (b'GET /v1/health/version HTTP/1.1\nHost: a\n\n', (200, 400)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n', (400,)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n: nothing\r\n\r\n', (200, 400)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n first: folded\r\n\r\n', (200, 400)),
    (b'GET /v1/health/version HTTP/1.1\r\n\r\n', (400,)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', (200, 400)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n', (200, 400)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: ' + b'a' * 10000 + b'\r\n\r\n', (200, 400, 404)),
    (b'GET /v1/health/version\r\n\r\n', (200, 400)),
    (b'GET /v1/health/version HTTP/9.9\r\nHost: a\r\n\r\n', (200, 400, 505)),
    (b'GET /v1/health/version FTP/1.1\r\nHost: a\r\n\r\n', (400, 505)),
    (b'get /v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (400, 404)),
    (b'BREW /v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'TRACE /v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'CONNECT evil.test:80 HTTP/1.1\r\nHost: evil.test:80\r\n\r\n', (400, 404)),
    (b'GET http://evil.test/v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (400, 404)),
    (b'GET * HTTP/1.1\r\nHost: a\r\n\r\n', (400, 404)),
    (b'GET  HTTP/1.1\r\nHost: a\r\n\r\n', (400, 404)),
    (b'GET /v1//health/version HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET //v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET /v1/../v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET /v1/%2e%2e/v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET /v1%2Fhealth%2Fversion HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET /v1/health/version%00 HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET \\v1\\health\\version HTTP/1.1\r\nHost: a\r\n\r\n', (400, 404)),
    (b'GET /../../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n', (404,)),
    (b'GET /v1/' + b'a' * 15000 + b' HTTP/1.1\r\nHost: a\r\n\r\n', (404, 414)),
    (b'GET /v1/' + b'a' * 1000000 + b' HTTP/1.1\r\nHost: a\r\n\r\n', (414,)),
    (b'GET /v1/health/version?' + b''.join(b'a%d=1&' % i for i in range(100000)) + b' HTTP/1.1\r\nHost: a\r\n\r\n', (414,)),
    (b'A' * 1000000 + b' / HTTP/1.1\r\nHost: a\r\n\r\n', (400, 413, 414, 431)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\nX-A: ' + b'a' * 1000000 + b'\r\n\r\n', (431,)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n' + b'a' * 1000000 + b': 1\r\n\r\n', (431,)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n' + b'a:\r\n' * 100000 + b'\r\n', (431,)),
    (b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n' + b'a:\r\n' * 200 + b'\r\n', (431,)),
    (b'\r\n' * 100000, (400, 413, 414, 431)),
    (b'\0' * 100000, (400, 413, 414, 431)),
    (bytes(range(256)) * 500, (400, 413, 414, 431)),
    (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' * 5000, (400, 413, 414, 431)),
    (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (400, 404, 505)),
]

SMUGGLED = b'GET /v1/health/version HTTP/1.1\r\nHost: smuggled\r\n\r\n'
CHUNKED = b'Transfer-Encoding: chunked\r\n'
# Framing that two readers may understand differently: 400, once, and the connection ends.
FRAMINGS = [
    b'Content-Length: 4\r\n' + CHUNKED, CHUNKED + b'Content-Length: 4\r\n', b'Content-Length: 4\r\nContent-Length: 5\r\n',
    b'Content-Length: 4\r\nContent-Length: 4\r\n', b'Content-Length: 4, 4\r\n', b'Content-Length: -1\r\n',
    b'Content-Length: +4\r\n', b'Content-Length: 0x4\r\n', b'Content-Length: 4 5\r\n', b'Content-Length: 1e3\r\n',
    b'Content-Length: 4.0\r\n', b'Content-Length: \r\n', CHUNKED + CHUNKED, b'Transfer-Encoding: xchunked\r\n',
    b'Transfer-Encoding: chunked, identity\r\n', b'Transfer-Encoding: identity, chunked\r\n',
    b'Transfer-Encoding: "chunked"\r\n', b'Transfer-Encoding: chunked;a=b\r\n', b'Transfer-Encoding: \x0bchunked\r\n',
    b'Transfer-Encoding\r\n : chunked\r\n', b'Content-Length: 4\r\nTransfer-Encoding: identity\r\n',
]
# Bodies of a chunked request that are none.
CHUNKS = [
    b'xyz\r\n', b'-1\r\n', b'ffffffffffffffffff\r\n', b'10000000000000000\r\n', b' 4\r\nabcd\r\n0\r\n\r\n', b'0x4\r\nabcd\r\n0\r\n\r\n',
    b'4\r\nabcdefgh\r\n0\r\n\r\n', b'4\r\nab', b'4', b'', b'\r\n\r\n', b'4;' + b'a' * 100000 + b'\r\nabcd\r\n0\r\n\r\n',
    b'0' * 100000 + b'4\r\nabcd\r\n0\r\n\r\n', b'0\r\n' + b'a: b\r\n' * 100000 + b'\r\n', b'0\r\nContent-Length: 4\r\n\r\n',
    b'2\r\n{}\r\n0\r\n', b'\0\r\n', b'4\r\n{"a"\r\n0\r\n\r\n',
]


class Bytes(Raw):
    def test_heads_that_are_none_are_refused(self):
        refused = 0
        for (head, allowed), seen in zip(HEADS, self.exchanges(head for head, _ in HEADS)):
            statuses = self.statuses(seen)
            self.assertLessEqual(len(statuses), 1, head[:200])
            self.assertTrue(not statuses or statuses[0] in allowed, f'{head[:120]!r}: {seen}')
            if statuses and statuses[0] >= 400:
                self.is_envelope(seen, statuses[0])
                refused += 1
        self.assertGreater(refused, len(HEADS) // 2)

    def test_a_refused_head_says_which_setting_it_exceeds(self):
        for head, status, kind in [(b'GET /v1/' + b'a' * 30000, 414, 'general_uri_too_long'),
                                   (b'GET / HTTP/1.1\r\nHost: a\r\nX-A: ' + b'a' * 30000, 431, 'general_too_many_headers')]:
            said = self.is_envelope(self.exchange(head), status)
            self.assertEqual(said['type'], kind)
            self.assertIn('request_head_bytes', said['message'])
        said = self.is_envelope(self.exchange(b'GET / HTTP/2.0\r\nHost: a\r\n\r\n'), 505)
        self.assertEqual(said['type'], 'general_http_version_unsupported')

    def test_a_header_cannot_bring_another_into_the_answer(self):
        requests = [b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n' + name + b': ' + value + b'\r\n\r\n'
                    for value in (b'https://a\rSet-Cookie: x=1', b'https://a\nSet-Cookie: x=1', b'https://a%0d%0aSet-Cookie: x=1')
                    for name in (b'Origin', b'X-Appwrite-Response-Format', b'Host', b'X-Forwarded-Host')]
        for seen in self.exchanges(requests):
            for line in seen.split(b'\r\n\r\n')[0].replace(b'\r', b'\n').split(b'\n'):
                self.assertFalse(line.lower().startswith(b'set-cookie'), seen)

    def test_framing_that_contradicts_itself_smuggles_nothing(self):
        requests = [b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines + framing + b'\r\n0\r\n\r\n' + SMUGGLED
                    for framing in FRAMINGS]
        for framing, seen in zip(FRAMINGS, self.exchanges(requests)):
            self.assertEqual(self.statuses(seen), [400], f'{framing!r}: {seen[:300]!r}')
            self.is_envelope(seen, 400)

    def test_lengths_beyond_every_number_are_refused(self):
        for length in (b'99999999999999999999', b'18446744073709551616', b'9' * 1000):
            seen = self.exchange(b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines +
                                 b'Content-Length: ' + length + b'\r\n\r\n{}' + SMUGGLED)
            self.is_envelope(seen, 413)

    def test_chunks_that_are_none_are_refused(self):
        requests = [b'POST ' + path + b' HTTP/1.1\r\n' + HOST + self.key_lines + b'Content-Type: ' + kind + b'\r\n' + CHUNKED +
                    b'\r\n' + chunks
                    for chunks in CHUNKS
                    for path in (b'/v1/functions', b'/v1/functions/none/deployments', b'/v1/graphql')
                    for kind in (b'application/json', b'multipart/form-data; boundary=B')]
        for request, seen in zip(requests, self.exchanges(requests)):
            statuses = self.statuses(seen)
            self.assertTrue(set(statuses) <= {400, 404, 413, 431, 200}, f'{request[:600]!r}: {seen[:300]!r}')
            if len(statuses) == 1 and statuses[0] >= 400:
                self.is_envelope(seen, statuses[0])
            self.assertTrue(b' 200 ' not in seen[:20] or b'/v1/graphql' in request, f'{request[:600]!r}: {seen[:300]!r}')

    def test_bodies_that_are_cut_off_leave_nothing(self):
        whole = b'{"functionId":"half","name":"half","runtime":"node-22"}'
        head = b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines + b'Content-Type: application/json\r\n'
        framings = (b'Content-Length: %d\r\n\r\n' % len(whole), CHUNKED + b'\r\n%x\r\n' % len(whole))
        self.exchanges(head + framing + whole[:cut] for cut in range(0, len(whole), 7) for framing in framings)
        kind, body = harness.multipart({'activate': 'true'}, {'code': ('code.tar.gz', b'x' * 5000)})
        self.api.function('target')
        self.exchanges(b'POST /v1/functions/target/deployments HTTP/1.1\r\n' + HOST + self.key_lines +
                          f'Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n'.encode() + body[:cut]
                       for cut in (0, 1, 100, 300, 5000, len(body) - 1))
        self.assertEqual([one['$id'] for one in self.api.list('/functions')['functions']], ['target'])
        self.assertEqual(self.api.list('/functions/target/deployments')['total'], 0)


    def processor_seconds(self):
        fields = pathlib.Path(f'/proc/{self.api_pid}/stat').read_text(encoding='utf-8').rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def test_clients_that_stop_anywhere_keep_no_processor_busy(self):
        post = b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines + b'Content-Type: application/json\r\n'
        for said in (b'', b'GET /v1/', b'GET /v1/ping HTTP/1.1\r\nHost: a\r\nX-A: ' + b'a' * 10000, post + b'Content-Length: 9\r\n\r\n{',
                     post + CHUNKED + b'\r\n4', post + CHUNKED + b'\r\n4;' + b'a' * 100000, post + CHUNKED + b'\r\n' + b'0' * 100000,
                     post + CHUNKED + b'\r\n0\r\nA: ' + b'a' * 100000, post + CHUNKED + b'\r\n0\r\nA: ',
                     post + b'Content-Length: 100000000\r\n\r\n' + b'a' * 2000000,
                     (b'GET /v1/locale/countries/phones HTTP/1.1\r\n' + HOST + self.key_lines + b'\r\n') * 200):
            connection = self.connect()
            connection.settimeout(1)
            try:
                connection.sendall(said)
            except OSError:
                pass
            time.sleep(2)                               # what there is to do is done
            before = self.processor_seconds()
            time.sleep(1)
            self.assertLess(self.processor_seconds() - before, 0.3, said[-200:])
            connection.close()


class Sizes(Raw):
    def operations(self):
        """(method, path, body kinds) of every operation there is: printed from the endpoint rows."""
        described = json.loads(self.daemon.run('docs', 'openapi', data=False).stdout)
        for path, methods in described['paths'].items():
            for method, operation in methods.items():
                kinds = operation.get('requestBody', {}).get('content', {})
                yield method.upper(), path, kinds

    def target(self, path):
        parts = ['none' if part.startswith('{') else part for part in path.split('/')]
        path = '/'.join(parts)
        return (path if path.startswith('/v1') else '/v1' + path).encode()

    def test_every_endpoint_refuses_a_body_beyond_its_limit_at_once(self):
        count = 0
        for method, path, _ in self.operations():
            if method == 'GET':
                continue
            for more in (b'', b'Expect: 100-continue\r\n'):
                seen = self.exchange(method.encode() + b' ' + self.target(path) + b' HTTP/1.1\r\n' + HOST + self.key_lines +
                                     b'Content-Type: application/json\r\n' + more + b'Content-Length: 100000000000\r\n\r\n{',
                                     ends=False)
                if b' 401 ' in seen[:20]:       # the account's: a key is none of its callers
                    self.is_envelope(seen, 401)
                    continue
                self.assertEqual(self.statuses(seen), [413], f'{method} {path}: {seen[:300]!r}')
                said = self.is_envelope(seen, 413)
                self.assertEqual(said['type'], 'general_payload_too_large')
                self.assertRegex(said['message'], r'\d+ bytes( \(setting (api_body_bytes|package_size)\))?\.$')
            count += 1
        print(f'{count} endpoints refuse a body that is too large')
        self.assertGreater(count, 25)

    def test_a_chunked_body_beyond_the_limit_is_refused(self):
        seen = self.exchange(b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines + b'Content-Type: application/json\r\n' +
                             CHUNKED + b'Connection: close\r\n\r\n', *[b'10000\r\n' + b' ' * 65536 + b'\r\n'] * 40, b'0\r\n\r\n', ends=False)
        self.assertEqual(self.statuses(seen), [413])
        self.is_envelope(seen, 413)

    def test_a_hundred_thousand_parameters_are_too_many(self):
        form = '&'.join(f'a{i}=1' for i in range(100000)).encode()
        answer = self.api.ask('POST', '/functions', body=form, headers={'Content-Type': 'application/x-www-form-urlencoded'})
        self.refused(answer, 400, 'general_argument_invalid')
        answer = self.api.ask('GET', '/functions?' + '&'.join(f'a{i}' for i in range(2500)))
        self.refused(answer, 400, 'general_argument_invalid')

    def test_memory_stays_bounded(self):
        if b'__asan_init' in pathlib.Path(harness.PROGRAM).read_bytes():
            self.skipTest('a sanitized program keeps what it has freed')
        body = b'[' + b'{"a":[' * 150000
        for _ in range(20):
            harness.in_parallel(lambda _: self.api.ask('POST', '/functions', body=body,
                                                       headers={'Content-Type': 'application/json'}), range(8))
        status = pathlib.Path(f'/proc/{self.api_pid}/status').read_text(encoding='utf-8')
        peak = int(re.search(r'VmHWM:\s+(\d+)', status)[1])
        self.assertLess(peak, 300_000, 'KiB')


class Flood:
    """Connections that send a byte a second, of what follows `head`; none when there is nothing to send."""
    def __init__(self, port, count, head, drip=b'x'):
        self.connections, self.ended = [], threading.Event()
        for _ in range(count):
            connection = socket.create_connection(('127.0.0.1', port), LIMIT_SECONDS)
            connection.sendall(head)
            connection.setblocking(False)
            self.connections.append(connection)
        self.drip = drip
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.wait(1):
            for connection in self.connections:
                try:
                    connection.send(self.drip)
                except OSError:
                    pass

    def stop(self):
        self.ended.set()
        self.thread.join()
        for connection in self.connections:
            connection.close()


class Floods(Raw):
    settings = {'connections': 64, 'connection_idle_seconds': 60, 'body_memory_bytes': 1 << 20}

    def flooded(self, count, head, drip=b'x', bound=5):
        """Another client is served while the flood goes on: each time on a new connection, and on one it keeps."""
        flood = Flood(self.daemon.port, count, head, drip)
        self.addCleanup(flood.stop)
        slowest, end = 0, time.monotonic() + 8
        while time.monotonic() < end:
            begun = time.monotonic()
            self.api.get('/functions')
            self.api.call('PUT', '/functions/none', {'name': 'x' * 100}, expect=404)
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.1)
        self.assertLess(slowest, bound)

    def test_silent_connections(self):
        self.flooded(300, b'', b'')

    def test_heads_that_never_end(self):
        self.flooded(300, b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\nX-Slow: ')

    def test_idle_connections_after_a_request(self):
        self.flooded(300, b'GET /v1/health/version HTTP/1.1\r\nHost: a\r\n\r\n', b'')

    def test_a_flood_that_ends_at_once(self):
        """When all go in one turn of the loop, the server listens again."""
        for _ in range(5):
            flood = Flood(self.daemon.port, 300, b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines +
                          b'Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{', b'')
            time.sleep(0.5)                             # as many as may are in
            os.kill(self.api_pid, signal.SIGSTOP)
            flood.stop()
            os.kill(self.api_pid, signal.SIGCONT)
            self.assertTrue(self.daemon.answers())

    def test_bodies_that_hardly_move(self):
        self.flooded(200, b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines +
                     b'Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{', b' ', bound=LIMIT_SECONDS)

    def test_bodies_that_hold_the_memory_of_others(self):
        self.flooded(16, b'POST /v1/functions HTTP/1.1\r\n' + HOST + self.key_lines +
                     b'Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n{' + b' ' * 70000, b' ', bound=LIMIT_SECONDS)

    def test_answers_that_are_not_read(self):
        self.flooded(50, (b'GET /v1/locale/countries/phones HTTP/1.1\r\n' + HOST + self.key_lines + b'\r\n') * 100, b'',
                     bound=LIMIT_SECONDS)


del Raw                         # itself no test

if __name__ == '__main__':
    harness.main()
