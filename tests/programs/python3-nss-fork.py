# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""The same server in python3-nss with forked workers, which are started again."""

import pynss
import workers


class Program(pynss.Server, workers.Workers):
    title = 'python3-nss, forked'
    processes = '3, fork; a killed one is started again'
    workers = 3
    respawned = True

    def command(self):
        return super().command() + ['-w', str(self.workers)]
