# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""The same server in python3-nss with forked workers, which are started again."""

import os

import workers

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'servers',
                      'server_pynss.py')


class Program(workers.Workers):
    title = 'python3-nss, forked'
    package = 'python3-nss'
    processes = '3, fork; a killed one is started again'
    timeout = 'by its own call'
    workers = 3
    respawned = True

    def command(self):
        return ['/usr/bin/python3', SERVER, '-d', 'sql:' + self.place.db, '-p',
                str(self.place.port), '-t', str(self.timeout_sec), '-w',
                str(self.workers)]
