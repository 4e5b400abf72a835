# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""The directory server 389-ds, made by dscreate in a Debian system of its own."""

import ssl

import client
import ldapwire
import service
from system import System, tool

INSTANCE = '''[general]
config_version = 2
full_machine_name = localhost.localdomain
strict_host_checking = False
systemd = False
[slapd]
instance_name = test
port = %d
secure_port = %d
root_password = not-a-secret
self_sign_cert = True
[backend-userroot]
suffix = dc=example,dc=com
sample_entries = yes
'''
CONFIG = 'etc/dirsrv/slapd-test'
NAME = 'uid=demo_user'                                  # a sample entry
USER = NAME + ',ou=people,dc=example,dc=com'
SUBJECT = '/DC=com/DC=example/OU=people/UID=demo_user'
SMALL = 'a client certificate'
LARGE = 'a client certificate of 9 KB'
LARGE_BYTES = 9000, 10000
ALIASES = 85            # of 100 bytes each, in the large certificate


class Program(service.Service):
    title = '389-ds'
    package = '389-ds-base'
    processes = 'one, threads'
    root = '389-ds-base', 'libnss3-tools'
    timeout = 'by nsSSLSessionTimeout'

    def prepare(self):
        self.system = System(self.place)
        # Without this dscreate starts the server by systemctl, whatever its file
        # says.
        self.system.edit('usr/share/dirsrv/inf/defaults.inf', 'with_systemd = 1',
                         'with_systemd = 0')
        self.system.write('root/test.inf', INSTANCE % (self.place.port + 1,
                                                       self.place.port))
        self.system.run('dscreate from-file /root/test.inf && '
                        'dsidm -b dc=example,dc=com test account unlock %s && '
                        'dsctl test stop' % USER)
        self.system.edit(CONFIG + '/dse.ldif', 'nsSSLSessionTimeout: 0',
                         'nsSSLSessionTimeout: %d' % self.timeout_sec)
        self.make_certificates()

    def make_certificates(self):
        """Makes a CA that 389-ds trusts, and two certificates of one user."""
        ca = self.system.path('root/ca')
        tool('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj',
             '/CN=clients', '-keyout', ca + '.key', '-out', ca + '.pem',
             '-addext', 'basicConstraints=critical,CA:true')
        self.system.run('certutil -A -n clients -t CT,, -a -i /root/ca.pem '
                        '-d /%s -f /%s/pwdfile.txt' % (CONFIG, CONFIG))
        aliases = ','.join('URI:https://%080d.example/' % number
                           for number in range(ALIASES))
        self.pems = {SMALL: self.make_client('small', ''),
                     LARGE: self.make_client('large',
                                             'subjectAltName=' + aliases)}
        with open(self.system.path('root/large.crt')) as file:
            size = len(ssl.PEM_cert_to_DER_cert(file.read()))
        if not LARGE_BYTES[0] <= size <= LARGE_BYTES[1]:
            raise OSError('the large certificate has %d bytes' % size)

    def make_client(self, name, extension):
        """Returns the path of a file with a certificate and its key."""
        base, ca = self.system.path('root/' + name), self.system.path('root/ca')
        self.system.write('root/%s.ext' % name, extension + '\n')
        tool('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', SUBJECT,
             '-keyout', base + '.key', '-out', base + '.csr')
        tool('openssl', 'x509', '-req', '-in', base + '.csr', '-CA', ca + '.pem',
             '-CAkey', ca + '.key', '-CAcreateserial', '-days', '2', '-extfile',
             base + '.ext', '-out', base + '.crt')
        with open(base + '.pem', 'w') as out:
            for part in '.crt', '.key':
                with open(base + part) as file:
                    out.write(file.read())
        return base + '.pem'

    def command(self):
        return ['chroot', self.system.directory, '/usr/sbin/ns-slapd', '-D',
                '/' + CONFIG, '-i', '/run/dirsrv/slapd-test.pid', '-d', '0']

    def environment(self):
        # Which library it loads is a matter of its root.
        return {'LD_LIBRARY_PATH': ''}

    def talk(self, tls):
        return ldapwire.who_am_i(tls)

    def identities(self):
        """Does a resumed connection have the identity of its certificate?"""
        for label, pem in self.pems.items():
            user = client.Client(self.address, ldapwire.identity, pem=pem)
            pairs = user.offer_twice([None] * service.SESSIONS)
            again = [second for _, second in pairs]
            good = sum(second is not None and second.resumed and
                       first.said == second.said == USER
                       for first, second in pairs)
            text, good = service.of(good, again)
            others = {visit.said if visit.resumed else 'full handshake'
                      for visit in again if visit} - {USER}
            if others:
                text += ' (%s)' % ', '.join(sorted(others))
            yield service.Check(
                label, 'With %s: sessions that resume and are still those of %s, '
                'by SASL EXTERNAL' % (label, NAME), text, good, label == LARGE)

    def checks(self):
        yield self.library()
        yield from self.resumption()
        yield from self.identities()
        yield from self.restart()
