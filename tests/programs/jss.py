# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""A server in Java, by JSS: one process with many threads."""

import os

import service

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'servers',
                      'JssServer.java')
JARS = ':'.join('/usr/share/java/%s.jar' % name
                for name in ('jss', 'commons-lang3', 'slf4j-api'))


class Program(service.Service):
    title = 'JSS (Java)'
    package = 'libjss-java'
    processes = 'one, threads'
    timeout = 'by its own call'

    def command(self):
        return ['java', '-Xmx128m', '-cp', JARS, SERVER,
                'sql:' + self.place.db, str(self.place.port),
                str(self.timeout_sec)]

    def environment(self):
        # Java looks for JSS's own library there too.
        return {'LD_LIBRARY_PATH': ':'.join(
            filter(None, [self.search(), '/usr/lib/jss']))}
