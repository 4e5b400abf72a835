# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""A server in python3-nss that does not know sslsnce (for `unmodified`)."""

import argparse
import sys

import nss.error
import nss.io
import nss.nss
import nss.ssl


def serve(listener):
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('-d', dest='db', required=True)
    parser.add_argument('-p', dest='port', type=int, required=True)
    args = parser.parse_args()

    nss.nss.nss_init(args.db)
    nss.ssl.set_domestic_policy()
    nss.ssl.config_server_session_id_cache()
    certificate = nss.nss.find_cert_from_nickname('rsa')
    key = nss.nss.find_key_by_any_cert(certificate)
    address = nss.io.NetworkAddress(nss.io.PR_IpAddrLoopback, args.port)
    listener = nss.ssl.SSLSocket(address.family)
    listener.set_socket_option(nss.io.PR_SockOpt_Reuseaddr, True)
    listener.set_ssl_version_range('tls1.2', 'tls1.2')
    listener.config_secure_server(certificate, key, certificate.find_kea_type())
    listener.bind(address)
    listener.listen()
    while True:
        serve(listener)


main()
