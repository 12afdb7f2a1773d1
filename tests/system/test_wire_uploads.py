#!/usr/bin/python3
"""Uploads byte by byte as libraries send them: boundaries, flags, pieces that lie about their end or carry everything,
pieces at once, chunked bodies, and what the answers to them say."""
import json
import os
import random
import socket
import harness

MIB = 1 << 20
PIECE = 5 * MIB


def form(parts, boundary):
    """parts: (name, file name or None, content type or None, bytes) in order -> the body."""
    out = b''
    for name, filename, kind, data in parts:
        filename = f'; filename="{filename}"' if filename else ''
        kind = f'Content-Type: {kind}\r\n' if kind else ''
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n{kind}\r\n'.encode() + data + b'\r\n'
    return out + f'--{boundary}--\r\n'.encode()


class Uploads(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.big = harness.package({**harness.ECHO, 'data.bin': os.urandom(12 * MIB)})
        cls.small = harness.package(harness.ECHO)

    def send(self, name, parts, boundary='----------------------------123456789012345678901234', **headers):
        headers = {key.replace('_', '-'): value for key, value in headers.items()}
        return self.api.ask('POST', f'/functions/{name}/deployments', body=form(parts, boundary),
                            headers={'Content-Type': f'multipart/form-data; boundary={boundary}', **headers})

    def accepted(self, answer):
        self.assertEqual(answer.status, 202, answer)
        self.assertTrue(answer.json['$id'])
        return answer.json

    def arrived(self, name, deployment_id, code):
        self.api.built(name, deployment_id)
        source = self.api.ask('GET', f'/functions/{name}/deployments/{deployment_id}/download?type=source')
        self.assertTrue(source.body == code, 'byte for byte')
        self.assertEqual(self.api.list(f'/functions/{name}/deployments')['total'], 1)

    def test_one_piece_in_every_librarys_form(self):
        code = ('code', 'code.tar.gz', 'application/gzip', self.small)
        plain = ('code', 'code.tar.gz', None, self.small)
        stream = ('code', 'code.tar.gz', 'application/octet-stream', self.small)
        entry, yes = ('entrypoint', None, None, b'main.js'), ('activate', None, None, b'true')
        one, empty = ('activate', None, None, b'1'), ('activate', None, None, b'')
        rows = (
            ('axios', '----------------------------123456789012345678901234', (entry, code, yes), True),
            ('undici', '----formdata-undici-012345678901', (stream, yes, entry), True),
            ('python', '0123456789abcdef0123456789abcdef', (entry, yes, plain), True),
            ('ruby', '----A30#3ad1', (entry, yes, code), True),
            ('go', '6f2e8c0d5c1b4ef48a9d0f3b2f1d7a11223344556677889900aabbccddee', (code, entry, yes), True),
            ('php', '------------------------0123456789abcdef', (('functionId', None, None, b'other'), entry, code, one), True),
            ('php-off', '------------------------0123456789abcdef', (entry, code, empty), False),
        )
        for name, boundary, parts, active in rows:
            with self.subTest(library=name):
                self.api.function(name)
                made = self.accepted(self.send(name, parts, boundary))
                self.arrived(name, made['$id'], self.small)
                self.assertEqual(self.api.get(f'/functions/{name}')['deploymentId'], made['$id'] if active else '')

    def test_a_boundary_in_quotes_and_a_key_without_project(self):
        self.api.function('quoted')
        body = form([('code', 'code.tar.gz', None, self.small), ('activate', None, None, b'1')], 'a b')
        answer = harness.send(self.daemon.port, 'POST', '/v1/functions/quoted/deployments', {
            'X-Appwrite-Key': self.daemon.key(), 'Content-Type': 'multipart/form-data; boundary="a b"', 'Connection': 'close',
            'Accept': 'application/json'}, body)
        self.arrived('quoted', self.accepted(answer)['$id'], self.small)

    def test_the_language_of_the_library_is_the_type_of_the_deployment(self):
        for language, kind in (('cli', 'cli'), ('nodejs', 'manual')):
            self.api.function('by-' + language)
            made = self.accepted(self.send('by-' + language, [('code', 'functions-x-code.tar.gz', None, self.small),
                                                              ('activate', None, None, b'true')], x_sdk_language=language))
            self.assertEqual(self.api.built('by-' + language, made['$id'])['type'], kind)

    def pieces(self, code):
        return [(start, min(start + PIECE, len(code))) for start in range(0, len(code), PIECE)]

    def test_a_file_of_exactly_one_piece_says_its_range(self):
        filler = PIECE - len(harness.package({**harness.ECHO, 'data.bin': b''})) - 4096
        code = harness.package({**harness.ECHO, 'data.bin': os.urandom(filler)})
        self.api.function('exact')
        made = self.accepted(self.send('exact', [('code', 'code.tar.gz', None, code), ('activate', None, None, b'true')],
                                       content_range=f'bytes 0-{len(code) - 1}/{len(code)}'))
        self.arrived('exact', made['$id'], code)

    def test_pieces_at_once_and_out_of_order(self):
        name, code = 'at-once', self.big
        self.api.function(name)

        def piece(part, deployment_id=None):
            headers = {'content_range': f'bytes {part[0]}-{part[1] - 1}/{len(code)}'}
            if deployment_id:
                headers['x_appwrite_id'] = deployment_id
            return self.accepted(self.send(name, [('code', 'code.tar.gz', 'application/octet-stream', code[slice(*part)]),
                                                  ('activate', None, None, b'true')], **headers))
        small = [(start, min(start + MIB, len(code))) for start in range(0, len(code), MIB)]
        first, *rest = small
        made = piece(first)
        random.Random(3).shuffle(rest)
        answers = harness.in_parallel(lambda part: piece(part, made['$id']), rest[::-1])
        self.assertEqual({one['$id'] for one in answers}, {made['$id']})
        self.arrived(name, made['$id'], code)
        again = piece(rest[0], made['$id'])
        self.assertEqual(again['$id'], made['$id'])
        self.arrived(name, made['$id'], code)

    def test_pieces_that_carry_the_whole_archive_as_well(self):
        name, code, made = 'whole', self.big, None
        self.api.function(name)
        for start, end in self.pieces(code):
            headers = {'x_appwrite_id': made['$id']} if made else {}
            made = self.accepted(self.send(name, [
                ('code', 'code.tar.gz', 'application/octet-stream', code), ('activate', None, None, b'true'),
                ('file', 'code.tar.gz', 'application/octet-stream', code[start:end])],
                content_range=f'bytes {start}-{end - 1}/{len(code)}', **headers))
        self.arrived(name, made['$id'], code)

    def test_chunked_bodies_whose_last_piece_ends_one_too_far(self):
        name, code, made = 'axios-chunks', self.big, None
        boundary = '----------------------------123456789012345678901234'
        self.api.function(name)
        for start, end in self.pieces(code):
            body = form([('entrypoint', None, None, b'main.js'), ('code', 'code.tar.gz', 'application/gzip', code[start:end]),
                         ('activate', None, None, b'true')], boundary)
            chunked = b''.join(b'%x\r\n%s\r\n' % (len(body[at:at + 65536]), body[at:at + 65536])
                               for at in range(0, len(body), 65536)) + b'0\r\n\r\n'
            last = end if end == len(code) else end - 1
            headers = {**self.api.headers, 'Content-Type': f'multipart/form-data; boundary={boundary}',
                       'Transfer-Encoding': 'chunked', 'content-range': f'bytes {start}-{last}/{len(code)}',
                       **({'x-appwrite-id': made['$id']} if made else {})}
            made = self.accepted(harness.send(self.daemon.port, 'POST', f'/v1/functions/{name}/deployments', headers, chunked))
        self.arrived(name, made['$id'], code)

    def test_a_piece_that_waits_for_100_is_asked_for_at_once(self):
        self.api.function('expect')
        body = form([('code', 'code.tar.gz', 'application/gzip', self.big), ('activate', None, None, b'1')], 'php')
        with socket.create_connection(('127.0.0.1', self.daemon.port), timeout=60) as link:
            head = ''.join(f'{name}: {value}\r\n' for name, value in self.api.headers.items())
            link.sendall((f'POST /v1/functions/expect/deployments HTTP/1.1\r\nHost: localhost\r\n{head}'
                          f'Content-Type: multipart/form-data; boundary=php\r\nContent-Length: {len(body)}\r\n'
                          'Connection: close\r\nExpect: 100-continue\r\n\r\n').encode())
            self.assertTrue(link.recv(100).startswith(b'HTTP/1.1 100'))
            link.sendall(body)
            answer = b''
            while data := link.recv(65536):
                answer += data
        self.assertTrue(answer.startswith(b'HTTP/1.1 202'), answer[:300])
        self.arrived('expect', json.loads(answer.partition(b'\r\n\r\n')[2])['$id'], self.big)

    def test_answers_tell_how_many_pieces_are_here_and_the_last_one_that_all_are(self):
        name, size, made = 'counted', len(self.big), {'$id': None}
        self.api.function(name)
        pieces = [(start, min(start + PIECE, size)) for start in range(0, size, PIECE)]
        self.assertEqual(len(pieces), 3)
        for count, (start, end) in enumerate((pieces[0], pieces[2], pieces[1], pieces[1]), 1):
            made = self.accepted(self.api.upload_part(name, self.big, start, end, made['$id']))
            self.assertEqual((made['chunksUploaded'], made['chunksTotal']), (min(count, 3), 3))
        self.arrived(name, made['$id'], self.big)
        self.assertNotIn('chunksTotal', self.api.deployment(name, made['$id']))
        self.assertNotIn('chunksTotal', self.api.list(f'/functions/{name}/deployments')['deployments'][0])
        whole = self.api.upload(name, self.small)
        self.assertEqual((whole['chunksUploaded'], whole['chunksTotal']), (1, 1))

    def test_the_question_for_an_upload_without_an_id_says_nothing_of_pieces(self):
        self.api.function('asked')
        answer = self.api.ask('GET', '/functions/asked/deployments/')
        self.assertTrue(answer.header('Content-Type').startswith('application/json'))
        self.assertNotIn('chunksUploaded', answer.json)


if __name__ == '__main__':
    harness.main()
