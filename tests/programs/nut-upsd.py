# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""NUT's upsd: the server of a power supply. TLS begins after STARTTLS."""

import os

import service


class Program(service.Service):
    title = 'NUT upsd'
    package = 'nut-server'

    def prepare(self):
        state = os.path.join(self.place.scratch, 'state')
        os.mkdir(state)
        self.write('ups.conf', '')
        self.write('upsd.users', '')
        self.write('upsd.conf', 'LISTEN %s %d\nSTATEPATH %s\nALLOW_NO_DEVICE true\n'
                   'CERTPATH %s\nCERTIDENT rsa ""\nCERTREQUEST 0\n'
                   'DISABLE_WEAK_SSL true\n'
                   % (self.address + (state, self.place.db)))

    def write(self, name, text):
        path = os.path.join(self.place.scratch, name)
        with open(path, 'w') as out:
            out.write(text)
        os.chmod(path, 0o600)

    def command(self):
        # It would give up root for a user who cannot read the scratch directory.
        return ['/lib/nut/upsd', '-F', '-u', 'root']

    def environment(self):
        return {'NUT_CONFPATH': self.place.scratch}

    def prologue(self, plain):
        plain.sendall(b'STARTTLS\n')
        if plain.recv(100) != b'OK STARTTLS\n':
            raise OSError('upsd refused STARTTLS')

    def talk(self, tls):
        tls.sendall(b'VER\n')
        said = tls.recv(1000)
        if b'upsd' not in said:
            raise OSError('upsd said %r to VER' % said)
        return said
