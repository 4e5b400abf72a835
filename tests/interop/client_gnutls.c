/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* client_gnutls: offers sessions under other names than they were made under,
 * which gnutls-cli cannot do. client_nss does the same with NSS; `run` starts
 * both.
 *
 * Standard input, a line a session, and output, a line in answer:
 *
 *   id10|id12|ticket12|ticket13 PORT[+] NAME [PORT[+] NAME]...
 *   RESULT [RESULT]...
 *
 * The session is made at the first PORT under NAME (- for none) and offered at
 * each of the other PORTs under the NAME there. With a + behind the port the
 * client has a certificate, whose file (PEM, with its key) is the argument. A
 * RESULT is
 *
 *   full|resumed/VERSION/NAME/SUBJECT   the page of server.c, and the common
 *                                       name of the server's certificate
 *   failed/REASON                       the client's error
 *   disagree/...                        client and server differ on whether it
 *                                       resumed
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define MAX_VISITS 32
#define MAX_TICKETS 4 /* the most that a server may send before its page */
#define IO_TIMEOUT_SEC 3

typedef struct {
    const char *word;
    const char *priority;
    unsigned int flags; /* of gnutls_init */
} Way;

static const Way ways[] = {
    { "id10", "NORMAL:-VERS-ALL:+VERS-TLS1.0:+SHA1:+SIGN-ECDSA-SHA1",
      GNUTLS_NO_TICKETS },
    { "id12", "NORMAL:-VERS-ALL:+VERS-TLS1.2", GNUTLS_NO_TICKETS },
    { "ticket12", "NORMAL:-VERS-ALL:+VERS-TLS1.2", 0 },
    { "ticket13", "NORMAL:-VERS-ALL:+VERS-TLS1.3", 0 },
};

static gnutls_certificate_credentials_t credentials;  /* no certificate */
static gnutls_certificate_credentials_t certificated; /* with the certificate */

/* Prints a RESULT as one word: spaces become underscores. */
static void
print(const char *outcome, const char *what)
{
    putchar(' ');
    fputs(outcome, stdout);
    putchar('/');
    for (; *what && *what != '\n' && *what != '\r'; ++what) {
        putchar(*what == ' ' ? '_' : *what);
    }
}

static int
connectTo(int port)
{
    struct sockaddr_in address = { 0 };
    struct timeval wait = { IO_TIMEOUT_SEC, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;

    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
        connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        perror("client_gnutls");
        exit(1);
    }
    return fd;
}

/* Writes the common name of the certificate of |tls|'s server to |out|; after
 * a resumption, of the certificate in the session. "-" if there is none. */
static void
subjectOf(gnutls_session_t tls, char *out, size_t len)
{
    unsigned int count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls, &count);
    gnutls_x509_crt_t cert;

    snprintf(out, len, "-");
    if (count && gnutls_x509_crt_init(&cert) == 0) {
        if (gnutls_x509_crt_import(cert, chain, GNUTLS_X509_FMT_DER) == 0) {
            gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0,
                                          0, out, &len);
        }
        gnutls_x509_crt_deinit(cert);
    }
}

/* Fetches the page and prints the RESULT. */
static void
fetch(gnutls_session_t tls)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char reply[1024];
    char kind[16], version[16], name[300], subject[300], result[700];
    const char *page;
    size_t have = 0;
    int tickets = 0;
    ssize_t got;

    got = gnutls_record_send(tls, request, sizeof(request) - 1);
    while (got > 0 && have < sizeof(reply) - 1) {
        got = gnutls_record_recv(tls, reply + have, sizeof(reply) - 1 - have);
        if (got > 0) {
            have += (size_t)got;
        } else if (got == GNUTLS_E_AGAIN && tickets++ < MAX_TICKETS) {
            got = 1; /* a ticket came, but no data: read on */
        }
    }
    reply[have] = '\0';
    page = strstr(reply, "page ");
    if (!page ||
        sscanf(page, "page %15s %15s %299s", kind, version, name) != 3) {
        print("failed", got < 0 ? gnutls_strerror((int)got) : "no page");
        return;
    }
    subjectOf(tls, subject, sizeof(subject));
    snprintf(result, sizeof(result), "%s/%s/%s", version, name, subject);
    print((strcmp(kind, "resumed") == 0) == gnutls_session_is_resumed(tls)
              ? kind
              : "disagree",
          result);
}

/* Makes one connection. Offers |*session| if it holds one, else stores the
 * connection's session there. */
static void
visit(const Way *way, const char *port, const char *name,
      gnutls_datum_t *session)
{
    gnutls_session_t tls;
    int fd = connectTo(atoi(port));
    int rv;

    if (gnutls_init(&tls, GNUTLS_CLIENT | way->flags) < 0 ||
        gnutls_priority_set_direct(tls, way->priority, NULL) < 0 ||
        gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE,
                               strchr(port, '+') ? certificated : credentials) <
            0 ||
        (strcmp(name, "-") && gnutls_server_name_set(tls, GNUTLS_NAME_DNS, name,
                                                     strlen(name)) < 0) ||
        (session->data &&
         gnutls_session_set_data(tls, session->data, session->size) < 0)) {
        fputs("client_gnutls: setting up a session\n", stderr);
        exit(1);
    }
    gnutls_transport_set_int(tls, fd);
    do {
        rv = gnutls_handshake(tls);
    } while (rv < 0 && !gnutls_error_is_fatal(rv) && rv != GNUTLS_E_AGAIN);
    if (rv == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        print("failed", gnutls_alert_get_name(gnutls_alert_get(tls)));
    } else if (rv < 0) {
        print("failed", gnutls_strerror(rv));
    } else {
        fetch(tls);
        /* A TLS 1.3 ticket comes after the handshake, before the page. */
        if (!session->data) {
            gnutls_session_get_data2(tls, session);
        }
    }
    gnutls_deinit(tls);
    close(fd);
}

static void
runLine(char *line)
{
    const char *word = strtok(line, " \n");
    gnutls_datum_t session = { NULL, 0 };
    const Way *way = NULL;
    const char *port;
    const char *name;
    size_t i;

    for (i = 0; word && i < sizeof(ways) / sizeof(ways[0]); ++i) {
        if (strcmp(word, ways[i].word) == 0) {
            way = &ways[i];
        }
    }
    for (i = 0; way && i < MAX_VISITS; ++i) {
        port = strtok(NULL, " \n");
        name = strtok(NULL, " \n");
        if (!port || !name) {
            break;
        }
        if (i && !session.data) {
            print("failed", "no session");
            continue;
        }
        visit(way, port, name, &session);
    }
    putchar('\n');
    gnutls_free(session.data);
}

int
main(int argc, char **argv)
{
    char line[2048];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || gnutls_global_init() < 0 ||
        gnutls_certificate_allocate_credentials(&credentials) < 0 ||
        gnutls_certificate_allocate_credentials(&certificated) < 0 ||
        gnutls_certificate_set_x509_key_file(certificated, argv[1], argv[1],
                                             GNUTLS_X509_FMT_PEM) < 0) {
        fputs("client_gnutls: no certificate\n", stderr);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        runLine(line);
    }
    gnutls_certificate_free_credentials(credentials);
    gnutls_certificate_free_credentials(certificated);
    gnutls_global_deinit();
    return 0;
}
