#!/usr/bin/python3
"""The README's curl lines work as they are printed: they are taken from it and run by bash, one after the other, in a
directory that looks like the clone. Changed are the port, and that the line which says "until" is repeated until it is so."""
import os
import re
import shutil
import subprocess
import harness

UNTIL = re.compile(r'^(?P<line>.*\S)\s+# until .* is "(?P<state>\w+)"$')


def curl_block():
    """-> the commands of the block that begins with API=, continued lines joined."""
    text = (harness.REPOSITORY / 'README.md').read_text()
    blocks = [block for block in re.findall(r'^```\w*\n(.*?)^```$', text, re.S | re.M) if block.startswith('API=')]
    assert len(blocks) == 1, 'the README has one block of curl lines'
    return [line for line in blocks[0].replace('\\\n', ' ').split('\n') if line]


class Readme(harness.Case):
    def test_the_curl_lines_run_as_printed(self):
        place = self.daemon.directory / 'clone'
        place.mkdir()
        shutil.copytree(harness.REPOSITORY / 'examples', place / 'examples')
        os.symlink(self.daemon.data, place / 'data')
        setup, outputs = [], []
        for line in curl_block():
            line = line.replace('127.0.0.1:8080', f'127.0.0.1:{self.daemon.port}')
            repeated = UNTIL.match(line)
            if '=' in line.split()[0] and not line.startswith('curl'):
                setup.append(line)
                continue

            def run(command=repeated['line'] if repeated else line):
                done = subprocess.run(['bash', '-euc', '\n'.join([*setup, command])], cwd=place, text=True,
                                      capture_output=True, timeout=harness.WAIT_SECONDS)
                self.assertEqual((done.returncode, done.stderr), (0, ''), command)
                return done.stdout
            if repeated:
                state = f'"status":"{repeated["state"]}"'
                outputs.append(harness.wait_for(lambda: (seen := run()) and state in seen and seen, state, pause=0.2))
            else:
                outputs.append(run())
        created, packed, uploaded, _, executed, raw = outputs
        self.assertIn('"$id":"hello"', created)
        self.assertEqual(packed, '')
        self.assertIn('"resourceType":"functions"', uploaded)
        self.assertIn('"responseStatusCode":200', executed)
        self.assertIn('you', raw)


if __name__ == '__main__':
    harness.main()
