# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""Two machines with a server each, a balancer in front of them, and clients.

A machine is a network namespace with an address of its own. The clients and the
balancer are in the namespace of the test, which a veth pair joins to each machine.
The balancer passes bytes on and knows nothing of TLS. To a client that goes through
it, both machines have one address, name and port, as those of a fleet do.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'support'))
import alone  # noqa: E402

CLIENT_LIMIT_SEC = 20
START_LIMIT_SEC = 15
GET = b'GET / HTTP/1.0\r\n\r\n'
NAME = 'fleet.example'  # the server name that every client asks for
# s_client starts 30 ms faster if it does not read the CA certificates.
NO_CA = ['-no-CAfile', '-no-CApath', '-no-CAstore']
GNUTLS_PAUSE_SEC = 0.2  # after a handshake; the client then has a ticket


# ---- machines ----

class Machine:
    def __init__(self, address, enter):
        self.address = address
        self.enter = enter  # the beginning of a command that runs there


def make_machines():
    """Returns two machines, and a sentence about them."""
    def ip(*words):
        subprocess.run(['ip'] + list(words), check=True, capture_output=True,
                       timeout=10)

    try:
        # `ip netns` writes into /run, which must be this mount namespace's own.
        subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run'], check=True,
                       capture_output=True, timeout=10)
        machines = []
        for number in 1, 2:
            name = 'machine%d' % number
            there = '10.77.%d.2' % number
            ip('netns', 'add', name)
            ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0',
               'netns', name)
            ip('address', 'add', '10.77.%d.1/24' % number, 'dev', name)
            ip('link', 'set', name, 'up')
            ip('-n', name, 'address', 'add', there + '/24', 'dev', 'eth0')
            ip('-n', name, 'link', 'set', 'eth0', 'up')
            ip('-n', name, 'link', 'set', 'lo', 'up')
            machines.append(Machine(there, ['nsenter',
                                            '--net=/run/netns/' + name]))
        return machines, 'each machine has a network namespace'
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, 'stderr', None) or str(error).encode()
        return ([Machine('127.0.%d.1' % number, []) for number in (1, 2)],
                'the machines are two loopback addresses, because network '
                'namespaces cannot be made here: %s'
                % why.decode(errors='replace').strip())


def can_become(user):
    """Whether root may start programs as |user| here; if not, says so."""
    done = subprocess.run(['setpriv', '--reuid', user, '--regid', 'nogroup',
                           '--clear-groups', 'true'], capture_output=True,
                          text=True, timeout=10)
    if done.returncode:
        print('fleet: rows of workers without root are skipped: %s' %
              done.stderr.strip(), file=sys.stderr)
    return done.returncode == 0


# ---- servers ----

def is_open(address, port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


class Process:
    """A server, and the lines of its log."""

    def __init__(self, scratch, command, env):
        handle, self.path = tempfile.mkstemp('.log', 'server-', scratch)
        self.process = subprocess.Popen(command, stdout=handle, stderr=handle,
                                        env=env, stdin=subprocess.DEVNULL)
        os.close(handle)

    def lines(self, kind=''):
        with open(self.path, encoding='utf-8', errors='replace') as log:
            return [line.split() for line in log if line.startswith(kind)]

    def await_start(self, is_up):
        deadline = time.monotonic() + START_LIMIT_SEC
        while not is_up():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                with open(self.path, errors='replace') as log:
                    raise alone.AloneError('a server did not start: %s'
                                           % log.read()[-500:])
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


def environment(lib, scratch, config):
    """As alone.environment, with a configuration file of the text |config|."""
    env = alone.environment(lib)
    if config is not None:
        handle, path = tempfile.mkstemp('.conf', 'caches-', scratch)
        with os.fdopen(handle, 'w') as file:
            file.write(config + '\n')
        os.chmod(path, 0o644)
        env['SSL_SERVER_CACHE_CONFIG'] = path
    return env


class Httpsd(Process):
    """httpsd on a machine. |ahead|: by how many seconds its clock is."""

    WORKERS = 3

    def __init__(self, fleet, machine, port, config, flags=(), ahead=None):
        self.address = machine.address
        self.port = port
        env = environment(fleet.lib, fleet.scratch, config)
        if ahead is not None:
            env['LD_PRELOAD'] = os.path.abspath('build/fleet/clock.so')
            env['CLOCK_AHEAD'] = str(ahead)
        super().__init__(
            fleet.scratch, machine.enter +
            ['build/demo/httpsd', '-d', 'sql:' + fleet.db, '-n', 'server', '-a',
             machine.address, '-p', str(port), '-w', str(self.WORKERS), '-t'] +
            list(flags), env)
        self.await_workers(self.WORKERS)
        alone.check_library(self.process.pid, fleet.lib)

    def await_workers(self, count):
        """Waits until |count| workers have been ready, in all."""
        self.await_start(lambda: len(self.lines('ready ')) >= count)

    def complaints(self):
        """What the library, or the server itself, has said of faults."""
        kinds = {'cache', 'virtual', 'listen', 'start', 'ready', 'hello',
                 'done', 'end'}
        return [' '.join(line) for line in self.lines()
                if line and (line[0] not in kinds or line[:2] == ['cache',
                                                                  'file'])]


# ---- the balancer ----

class Balancer:
    """Passes the connections to a port of 127.0.0.1 to |servers| in turn."""

    def __init__(self, servers):
        self.servers = servers
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        turn = 0
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return  # it is closed
            server = self.servers[turn % len(self.servers)]
            turn += 1
            try:
                there = socket.create_connection(
                    (server.address, server.port), 5)
            except OSError:
                client.close()
                continue
            there.settimeout(None)
            for one, other in (client, there), (there, client):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(one, other),
                                 daemon=True).start()

    @staticmethod
    def _pass_on(one, other):
        try:
            while True:
                data = one.recv(16384)
                if not data:
                    break
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        # Wakes up the thread that accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# ---- clients ----

def run(command, data, limit=CLIENT_LIMIT_SEC):
    """Runs one client, and returns what it printed."""
    try:
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit)
        return done.stdout.decode(errors='replace')
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b'').decode(errors='replace')


def resumed(output):
    """True, False, or None if the page did not come."""
    found = re.search(r'worker=\d+ pid=\d+ resumed=(yes|no)', output)
    return found.group(1) == 'yes' if found else None


def openssl(server, version, session, make):
    """One connection, which makes or offers the |session|, a file."""
    return resumed(run(
        ['openssl', 's_client', '-connect',
         '%s:%d' % (server.address, server.port), '-servername', NAME,
         '-tls' + version.replace('.', '_'), '-quiet', '-ign_eof',
         '-sess_out' if make else '-sess_in', session] + NO_CA, GET))


# Each of these makes a session at |first| and offers its ticket at |second|.
# Returns as resumed, of the second connection.

def openssl_pair(fleet, version, first, second):
    handle, session = tempfile.mkstemp('.pem', 'session-', fleet.scratch)
    os.close(handle)
    if openssl(first, version, session, True) is not False:
        return None
    return openssl(second, version, session, False)


def gnutls_pair(_, version, first, second):
    """gnutls-cli connects again, with its ticket, when its input says so."""
    with Balancer([first, second]) as balancer:
        client = subprocess.Popen(
            ['gnutls-cli', '--insecure', '--inline-commands', '--sni-hostname',
             NAME, '-p', str(balancer.port), '127.0.0.1', '--priority',
             'NORMAL:-VERS-ALL:+VERS-TLS' + version],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        limit = threading.Timer(CLIENT_LIMIT_SEC, client.kill)
        limit.start()
        output = []
        try:
            for text in b'^resume^\n', GET:
                for line in client.stdout:
                    output.append(line.decode(errors='replace'))
                    if 'Handshake was completed' in output[-1]:
                        break
                time.sleep(GNUTLS_PAUSE_SEC)
                client.stdin.write(text)
                client.stdin.flush()
            output += [line.decode(errors='replace') for line in client.stdout]
        except BrokenPipeError:
            pass  # it has ended
        finally:
            limit.cancel()
            client.kill()
            client.wait()
            client.stdout.close()
            try:
                client.stdin.close()
            except BrokenPipeError:
                pass
        return resumed(''.join(output))


def nss_pair(fleet, version, first, second):
    """strsclnt prints no pages, but how many tickets resumed."""
    with Balancer([first, second]) as balancer:
        output = run(['strsclnt', '-o', '-o', '-q', '-D', '-u', '-t', '1', '-c',
                      '2', '-V', 'tls%s:tls%s' % (version, version), '-a', NAME,
                      '-d', 'sql:' + fleet.db, '-p', str(balancer.port),
                      '127.0.0.1'], b'')
    found = re.findall(r'(\d+) stateless resumes', output)
    if not found or 'returned error' in output:
        return None
    return '1' in found


PAIRS = {'OpenSSL': openssl_pair, 'GnuTLS': gnutls_pair, 'NSS': nss_pair}
