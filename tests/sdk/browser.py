"""The web library in a real browser: a page of one origin calls a server on another, so that preflights, credentials and
exposed headers are judged by the browser itself."""
import html
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading

import packages
import web_functions

HERE = pathlib.Path(__file__).resolve().parent
# version: of the web library; its parameters are given in order, which all of them understand.
ROWS = [
    {'version': '25.2.0', 'usual': True},
    {'version': '16.1.0'},
]
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--virtual-time-budget=20000', '--dump-dom']
PAGE_SECONDS = 60


def serve(page, script):
    """A server of a page and its script on a free port -> the server."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):                               # pylint: disable=invalid-name
            kind, body = ('text/javascript', script) if self.path == '/appwrite.js' else ('text/html; charset=utf-8', page)
            self.send_response(200)
            self.send_header('Content-Type', kind)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):                      # pylint: disable=arguments-differ
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def look(address):
    """-> the text of the page's answer when its story has ended."""
    program = shutil.which('chromium')
    if program is None:
        raise packages.Missing('chromium is not installed')
    home = tempfile.mkdtemp(prefix='functiond-browser-')
    try:
        done = subprocess.run([program, *FLAGS, f'--user-data-dir={home}', address], stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True, timeout=PAGE_SECONDS)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    head, found, rest = done.stdout.partition('<pre id="answer">')
    assert found, f'no page: {done.returncode} {head[-500:]} {done.stderr[-1500:]}'
    return html.unescape(rest.partition('</pre>')[0])


def run(row, daemon):
    names = web_functions.names(daemon.api(), 'places')
    script = packages.installed('appwrite', row['version']) / 'node_modules/appwrite/dist/iife/sdk.js'
    settings = {**names, 'endpoint': f'http://127.0.0.1:{daemon.port}/v1',
                'jwt': daemon.output('token', 'create', '--project', 'default', '--user', 'page-user')}
    page = (HERE / 'browser_page.html').read_text().replace('SETTINGS;', json.dumps(settings) + ';')
    server = serve(page.encode(), script.read_bytes())
    try:
        answer = look(f'http://127.0.0.1:{server.server_port}/')
    finally:
        server.shutdown()
        server.server_close()
    try:
        seen = json.loads(answer)
    except ValueError:
        return f'the page says: {answer}'
    total = seen.pop('total', 0)
    wanted = {'guest': ['completed', {'user': '', 'body': 'grüße', 'method': 'POST'}], 'user': ['completed', 'page-user'],
              'got': True, 'refused': [401, 'user_unauthorized'], 'unknown': [404, 'function_not_found'],
              'listing': [401, 'general_unauthorized_scope'], 'exposed': 401}
    return None if seen == wanted and total >= 1 else f'the page says: {answer}'
