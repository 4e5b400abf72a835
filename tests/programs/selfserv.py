# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""NSS's own test server, with workers by fork and exec."""

import re
import subprocess

import service
import workers

CONNECTIONS = 10000
THREADS = 8
STRSCLNT_LIMIT_SEC = 120


class Program(workers.Workers):
    title = 'NSS selfserv -M 4'
    package = 'libnss3-tools'
    processes = '4, fork and exec'
    workers = 4

    def command(self):
        return ['/usr/bin/selfserv', '-n', 'rsa', '-V', 'tls1.2:tls1.2', '-D',
                '-M', str(self.workers), '-d', 'sql:' + self.place.db, '-p',
                str(self.place.port)]

    def strsclnt(self):
        """NSS's own client, with many connections. Each of its threads may make a
        session before it can find that of another."""
        done = subprocess.run(
            ['/usr/bin/strsclnt', '-q', '-D', '-o', '-t', str(THREADS), '-c',
             str(CONNECTIONS), '-V', 'tls1.2:tls1.2', '-d', self.place.db, '-p',
             str(self.place.port), '127.0.0.1'], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=STRSCLNT_LIMIT_SEC)
        found = re.search(r'(\d+) cache hits; (\d+) cache misses, (\d+) cache',
                          done.stdout + done.stderr)
        hits, misses, refused = map(int, found.groups()) if found else (0, 0, 0)
        yield service.Check(
            'strsclnt', 'strsclnt, %s connections: resumed'
            % format(CONNECTIONS, ','), '{:,} of {:,}'.format(
                hits, hits + misses + refused),
            hits >= CONNECTIONS - THREADS and done.returncode == 0)

    def across(self):
        yield from super().across()
        yield from self.strsclnt()
