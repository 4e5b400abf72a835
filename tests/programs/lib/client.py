# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""A TLS 1.2 client that offers sessions by their ID: OpenSSL, through Python."""

import collections
import socket
import ssl
import time

LIMIT_SEC = 10      # for one connection
GIVE_UP = 2         # connections in a row that failed

# One connection. |resumed|: did the server resume the session that was offered?
# |said|: what the program's own conversation returned. |server|: the process that
# had the connection, if the client was told how to find it.
Visit = collections.namedtuple('Visit', 'resumed session said server')


class Client:
    """Connects to |address|. |prologue(socket)| speaks before TLS, as STARTTLS does;
    |talk(tls)| speaks afterwards, and must wait for an answer: NSS sends its last
    handshake message before it stores the session. |pem| has a client certificate
    and its key. |find(port)| returns the process that has the server's end of the
    connection from |port|."""

    def __init__(self, address, talk, prologue=None, pem=None, find=None):
        self.address = address
        self.talk = talk
        self.prologue = prologue
        self.find = find
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_TICKET
        if pem:
            self.context.load_cert_chain(pem)

    def visit(self, session=None):
        """Connects once, and offers |session|. Raises OSError if that fails, in the
        handshake or in the conversation."""
        with socket.create_connection(self.address, LIMIT_SEC) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.prologue:
                self.prologue(plain)
            with self.context.wrap_socket(plain, session=session) as tls:
                server = self.find and self.find(tls.getsockname()[1])
                return Visit(tls.session_reused, tls.session, self.talk(tls),
                             server)

    def try_visit(self, session=None):
        """The same, but None if it fails."""
        try:
            return self.visit(session)
        except OSError:
            return None

    def make(self, count):
        """Returns |count| new sessions, and when the first and last were made."""
        begun = time.monotonic()
        sessions = [self.visit().session for _ in range(count)]
        return sessions, begun, time.monotonic()

    def offer(self, sessions):
        """Returns the visits, None for each that failed. After some that failed in
        a row the others count as failed: the server may have stopped."""
        visits = []
        for session in sessions:
            stopped = visits[-GIVE_UP:] == [None] * GIVE_UP
            visits.append(None if stopped else self.try_visit(session))
        return visits

    def offer_twice(self, sessions):
        """Offers each, and then the session that the server answered with. Returns
        pairs of visits, None for each that failed."""
        pairs = []
        for session in sessions:
            first = self.try_visit(session)
            pairs.append((first, first and self.try_visit(first.session)))
            if pairs[-GIVE_UP:] == [(None, None)] * GIVE_UP:
                break
        return pairs + [(None, None)] * (len(sessions) - len(pairs))
