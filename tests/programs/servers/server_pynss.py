# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""A server in python3-nss that does not know sslsnce.

Alone it serves one connection after another. With -w it forks workers which share
its cache and its socket, and forks another one for each that ends.
"""

import argparse
import os
import sys

import nss.error
import nss.io
import nss.nss
import nss.ssl


def listen(port):
    address = nss.io.NetworkAddress(nss.io.PR_IpAddrLoopback, port)
    listener = nss.ssl.SSLSocket(address.family)
    listener.set_socket_option(nss.io.PR_SockOpt_Reuseaddr, True)
    listener.bind(address)
    listener.listen()
    return listener


def answer(listener):
    connection, _ = listener.accept()
    try:
        connection.force_handshake()
        connection.recv(4096)
        connection.send(b'HTTP/1.0 200 OK\r\n\r\nhello\n')
        connection.shutdown()
    except nss.error.NSPRError as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        connection.close()


def serve(listener, db):
    """Never returns. In a forked server each worker initialises NSS itself."""
    if not nss.nss.nss_is_initialized():
        nss.nss.nss_init(db)
    nss.ssl.set_domestic_policy()
    certificate = nss.nss.find_cert_from_nickname('rsa')
    key = nss.nss.find_key_by_any_cert(certificate)
    listener.set_ssl_version_range('tls1.2', 'tls1.2')
    listener.config_secure_server(certificate, key, certificate.find_kea_type())
    while True:
        answer(listener)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('-d', dest='db', required=True)
    parser.add_argument('-p', dest='port', type=int, required=True)
    parser.add_argument('-t', dest='timeout', type=int, default=0)
    parser.add_argument('-w', dest='workers', type=int, default=0)
    args = parser.parse_args()

    configure = nss.ssl.config_mp_server_sid_cache if args.workers else \
        nss.ssl.config_server_session_id_cache
    configure(ssl3_timeout=args.timeout)
    # NSS 3.124, unlike 3.110, makes no TLS socket before it is initialised.
    if not args.workers:
        nss.nss.nss_init(args.db)
    listener = listen(args.port)
    if not args.workers:
        serve(listener, args.db)
    running = 0
    while True:
        if running < args.workers:
            if not os.fork():
                serve(listener, args.db)
            running += 1
        else:
            os.wait()
            running -= 1


main()
