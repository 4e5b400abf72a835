# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""A cluster's quorum daemon. TLS begins after a message of its protocol.

A message is a type (2 bytes), the length of the rest (4 bytes), and options, each
with a type (2 bytes), a length (2 bytes) and a value.
"""

import os
import struct

import service

PREINIT, PREINIT_REPLY, STARTTLS, ECHO_REQUEST, ECHO_REPLY = 0, 1, 2, 8, 9
NUMBER, CLUSTER_NAME = 0, 1
HEADER = '>HI'


def option(kind, value):
    return struct.pack('>HH', kind, len(value)) + value


def message(kind, *options):
    body = b''.join(options)
    return struct.pack(HEADER, kind, len(body)) + body


def receive(connection):
    """Returns the type of the next message."""
    data = b''
    length = struct.calcsize(HEADER)
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise OSError('qnetd closed the connection')
        data += more
        if len(data) == struct.calcsize(HEADER):
            kind, rest = struct.unpack(HEADER, data)
            length += rest
    return kind


class Program(service.Service):
    title = 'corosync-qnetd'
    package = 'corosync-qnetd'

    def command(self):
        scratch = self.place.scratch
        settings = {'nss_db_dir': self.place.db, 'cert_nickname': 'rsa',
                    'lock_file': os.path.join(scratch, 'lock'),
                    'local_socket_file': os.path.join(scratch, 'socket')}
        return ['/usr/bin/corosync-qnetd', '-4', '-f',
                '-p', str(self.address[1]), '-c', 'off', '-S',
                ','.join('%s=%s' % setting for setting in settings.items())]

    def prologue(self, plain):
        plain.sendall(message(PREINIT, option(CLUSTER_NAME, b'test')))
        if receive(plain) != PREINIT_REPLY:
            raise OSError('qnetd refused to begin')
        # It refuses a message without options.
        plain.sendall(message(STARTTLS, option(NUMBER, bytes(4))))

    def talk(self, tls):
        tls.sendall(message(ECHO_REQUEST, option(NUMBER, bytes(4))))
        return receive(tls)
