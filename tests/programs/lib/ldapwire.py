# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""As much of LDAP as a client needs to ask a server for its identity.

Messages are in BER: a tag, a length (one byte, as they are short), the content.
"""

import re

WHO_AM_I = b'1.3.6.1.4.1.4203.1.11.3'
INTEGER, STRING, SEQUENCE = 0x02, 0x04, 0x30
BIND, SASL, EXTENDED, EXTENDED_NAME = 0x60, 0xa3, 0x77, 0x80
SUCCESS = rb'0.\x02\x01%c%c.\n\x01\x00'   # with number and kind of the message
BOUND, EXTENDED_DONE = b'a', b'x'


def ber(tag, *parts):
    content = b''.join(parts)
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def request(connection, number, content):
    connection.sendall(ber(SEQUENCE, ber(INTEGER, bytes([number])), content))
    return connection.recv(4096)


def who_am_i(connection):
    """Returns the name that the server has for this connection."""
    said = request(connection, 2, ber(EXTENDED, ber(EXTENDED_NAME, WHO_AM_I)))
    found = re.match(SUCCESS % (2, EXTENDED_DONE) +
                     rb'\x04\x00\x04\x00(?:\x8b.(?:dn: )?(.*))?', said, re.S)
    if not found:
        raise OSError('the LDAP server said %r' % said)
    return (found.group(1) or b'').decode()


def identity(connection):
    """Binds by SASL EXTERNAL, and returns the name."""
    said = request(connection, 1,
                   ber(BIND, ber(INTEGER, b'\x03'), ber(STRING),
                       ber(SASL, ber(STRING, b'EXTERNAL'))))
    if not re.match(SUCCESS % (1, BOUND), said, re.S):
        return 'bind refused'
    return who_am_i(connection)
