# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""The server in python3-nss that two programs of this suite start."""

import os

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'servers',
                      'server_pynss.py')


class Server:
    """Goes before service.Service or workers.Workers among the base classes."""

    package = 'python3-nss'
    timeout = 'by its own call'

    def command(self):
        # The distribution's interpreter, which has its modules.
        return ['/usr/bin/python3', SERVER, '-d', 'sql:' + self.place.db, '-p',
                str(self.place.port), '-t', str(self.timeout_sec)]
