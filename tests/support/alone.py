# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""Common parts of the programs that start real servers and clients.

These programs (demo, interop and others) run in namespaces of their own
(processes, network, mounts), so that they cannot use the port of another
server, and no process that they start outlives them.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time


class AloneError(Exception):
    """The program cannot go on; the message says why or what to do."""


def isolate(argv):
    """Runs this program again in namespaces; returns its exit status."""
    kinds = ['--pid', '--fork', '--net', '--mount', '--mount-proc',
             '--kill-child']
    for extra in [], ['--user', '--map-root-user']:
        command = ['unshare'] + extra + kinds
        try:
            if subprocess.run(command + ['true'], capture_output=True,
                              timeout=10).returncode:
                continue
        except FileNotFoundError:
            raise AloneError('unshare is missing: install util-linux')
        return subprocess.run(command + [sys.executable] + argv +
                              ['--inside']).returncode
    raise AloneError('unshare is not permitted: run as root, or allow user '
                     'namespaces (sysctl kernel.unprivileged_userns_clone=1)')


def raise_loopback():
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)


def own_dev(scratch):
    """Gives this mount namespace a /dev of its own, with the usual devices."""
    new = os.path.join(scratch, 'dev')
    os.mkdir(new)
    subprocess.run(['mount', '-t', 'tmpfs', 'none', new], check=True)
    for name in 'null', 'zero', 'full', 'random', 'urandom', 'tty':
        path = os.path.join(new, name)
        open(path, 'w').close()
        subprocess.run(['mount', '--bind', '/dev/' + name, path], check=True)
    os.mkdir(os.path.join(new, 'shm'))
    os.symlink('/proc/self/fd', os.path.join(new, 'fd'))
    subprocess.run(['mount', '--rbind', new, '/dev'], check=True)
    subprocess.run(['umount', '-R', new], check=True)
    os.rmdir(new)


class Syslog:
    """A syslog daemon in this mount namespace, which must have its own /dev."""

    def __init__(self):
        self.messages = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind('/dev/log')
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            self.messages.append(self.socket.recv(4096).decode('latin-1'))

    def having(self, text, limit_sec=5):
        """Waits for a message that contains |text|. Returns all that do."""
        deadline = time.monotonic() + limit_sec
        while True:
            found = [message for message in self.messages if text in message]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


def make_certificates(db, certs):
    """Makes the NSS database |db| anew, with self-signed certificates.

    |certs| are (nickname, common name, kind). The kind of key is 'rsa',
    'rsa-pss', 'ecdsa' (P-256), 'p384', or 'quick', which is too short for anything
    but tests.
    """
    noise = db + '.noise'
    shutil.rmtree(db, ignore_errors=True)
    os.makedirs(db)
    with open(noise, 'wb') as out:
        out.write(os.urandom(64))
    commands = [['-N', '--empty-password']]
    kinds = {'rsa': ['-k', 'rsa', '-g', '2048'],
             'rsa-pss': ['-k', 'rsa', '-g', '2048', '--pss'],
             'ecdsa': ['-k', 'ec', '-q', 'nistp256'],
             'p384': ['-k', 'ec', '-q', 'nistp384'],
             'quick': ['-k', 'rsa', '-g', '1024']}
    for serial, (nickname, name, kind) in enumerate(certs, 1):
        commands.append(['-S', '-x', '-n', nickname, '-s', 'CN=' + name, '-t',
                         ',,', '-Z', 'SHA256', '-m', str(serial), '-v', '12',
                         '-z', noise] + kinds[kind])
    for command in commands:
        done = subprocess.run(['certutil', '-d', 'sql:' + db] + command,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)
        if done.returncode:
            raise AloneError('certutil %s failed; is %s writable? It says: %s'
                             % (command[0], db, done.stderr.strip()))


def environment(lib):
    """Returns the environment of a server that uses the libssl3.so in |lib|, or
    with None the system's."""
    env = dict(os.environ)
    env.pop('LD_LIBRARY_PATH', None)
    if lib:
        env['LD_LIBRARY_PATH'] = lib
    return env


def check_library(pid, lib):
    """Raises AloneError if process |pid| has not loaded |lib|'s libssl3.so.

    With another library the results would be worthless.
    """
    with open('/proc/%d/maps' % pid) as maps:
        loaded = re.findall(r'\S*/libssl3\.so\S*', maps.read())
    wanted = lib and os.path.realpath(os.path.join(lib, 'libssl3.so'))
    if not loaded or (wanted and wanted not in loaded):
        raise AloneError('the server loaded %s where %s was wanted' %
                         (loaded[:1], wanted or 'the system\'s'))
