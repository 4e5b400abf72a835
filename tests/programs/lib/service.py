# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""The base class of the programs of this suite: how one is started, killed and
asked, and the checks that suit every server with one process."""

import collections
import filecmp
import glob
import os
import re
import signal
import subprocess
import sys
import time

import alone
import client

START_SEC = 30
STOP_SEC = 10
SESSIONS = 20           # for each check
TIMEOUT_SEC = 5         # of the sessions; the shortest that NSS takes
TRIES = 3               # if the machine is too slow for YOUNG_SEC
YOUNG_SEC = 2.5         # a session of this age resumes
OLD_SEC = 5.6           # and one of this age does not
# How an operator gives a timeout to a program that cannot be told one itself.
CACHES = 'name=* ssl3Timeout=%ds\n'

# One result. |kind| is a word or two for the table of programs, |label| says more;
# both are the same on both libraries. |text| is a table's cell. |good|: does it show
# what the label says? |stock_fails|: stock NSS must not show it; if it did, the
# check would see nothing.
Check = collections.namedtuple('Check', 'kind label text good stock_fails',
                               defaults=(False,))
# One place to run a program. |lib| is the directory of the libssl3.so, |name| is
# "stock" or "ours", |db| an NSS database with the certificate "rsa", |scratch| an
# empty directory, |root| the Debian system of the program, if it wants one,
# |package| the package that has this libssl3.so, if that is installed.
Place = collections.namedtuple('Place', 'name lib db scratch port root package')


def of(good, visits):
    """A cell for |good| of |visits|, and whether that is all of them."""
    failed = visits.count(None)
    return ('%d of %d%s' % (good, len(visits),
                            ', %d failed' % failed if failed else ''),
            good == len(visits))


def resumed(visits):
    return sum(visit is not None and visit.resumed for visit in visits)


def full(visits):
    return sum(visit is not None and not visit.resumed for visit in visits)


def children(pid):
    """Returns the ids of the children of |pid|, and of their children."""
    found = []
    for path in glob.glob('/proc/%d/task/*/children' % pid):
        try:
            with open(path) as file:
                found += [int(word) for word in file.read().split()]
        except FileNotFoundError:
            pass
    return found + [more for child in found for more in children(child)]


def has_ended(pid):
    """Have all threads of a process that was killed ended? Nobody waits for it, so
    its first thread stays as a zombie."""
    try:
        if len(os.listdir('/proc/%d/task' % pid)) > 1:
            return False
        with open('/proc/%d/stat' % pid) as stat:
            return stat.read().rpartition(')')[2].split()[0] in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return True


class Service:
    """A program that serves TLS. A file of the suite has a subclass, Program, which
    says what it is and overrides what differs."""

    title = None        # its name in the table
    package = None      # the distribution's package, whose version is shown
    processes = 'one'   # its process model
    root = ()           # packages of a Debian system of its own, if it needs one
    timeout = 'by a configuration file'     # how the timeout is set

    def __init__(self, place):
        self.place = place
        self.address = '127.0.0.1', place.port
        self.timeout_sec = TIMEOUT_SEC
        self.started = None
        self.log = os.path.join(place.scratch, 'log')
        self.client = client.Client(self.address, self.talk, self.prologue)

    # ---- for subclasses ----

    def prepare(self):
        """Makes the files that the program needs."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def search(self):
        """The directory in which the program is to look for its libssl3.so, or None
        for the system's directories."""
        return None if self.place.package else self.place.lib

    def prologue(self, plain):
        """The client's bytes before TLS."""

    def talk(self, tls):
        """The client's bytes after the handshake, and the answer that it awaits."""
        tls.sendall(b'GET / HTTP/1.0\r\n\r\n')
        said = tls.recv(4096)
        if not said:
            raise OSError('the server said nothing')
        return said

    # ---- starting and ending ----

    def start(self):
        env = alone.environment(self.search())
        caches = os.path.join(self.place.scratch, 'caches')
        if self.timeout == Service.timeout:
            with open(caches, 'w') as out:
                out.write(CACHES % self.timeout_sec)
            env['SSL_SERVER_CACHE_CONFIG'] = caches
        env.update(self.environment())
        with open(self.log, 'ab') as log:
            self.started = subprocess.Popen(
                self.command(), env=env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.place.scratch)
        deadline = time.monotonic() + START_SEC
        while True:
            try:
                self.client.visit()
                return
            except OSError as error:
                if self.started.poll() is not None or \
                        time.monotonic() > deadline:
                    raise alone.AloneError('%s does not serve (%s); it says: %s'
                                           % (self.title, error, self.said()))
            time.sleep(0.1)

    def said(self):
        with open(self.log, errors='replace') as log:
            return log.read()[-600:] or 'nothing'

    def pids(self):
        """Returns the ids of its processes, the first one's first."""
        return [self.started.pid] + children(self.started.pid)

    def kill(self):
        """Kills all of its processes at once, and waits until they have ended and
        so closed their sockets."""
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.started.wait(STOP_SEC)
        deadline = time.monotonic() + STOP_SEC
        while not all(has_ended(pid) for pid in pids[1:]):
            if time.monotonic() > deadline:
                raise OSError('a killed process of %s has not ended after %d s'
                              % (self.title, STOP_SEC))
            time.sleep(0.01)

    def restart_with(self, timeout_sec):
        self.kill()
        self.timeout_sec = timeout_sec
        self.start()

    def stop(self):
        try:
            if self.started and self.started.poll() is None:
                self.kill()
        except (OSError, subprocess.TimeoutExpired) as error:
            print('%s on %s: %s' % (self.title, self.place.name, error),
                  file=sys.stderr, flush=True)    # the namespaces end it

    # ---- the checks ----

    def library(self):
        """Is the libssl3.so in its processes the one that is tested?"""
        pids = self.pids()
        good = sum(self.has_library(pid) for pid in pids)
        return Check('library', 'Processes that have this libssl3.so and no other '
                     '(/proc/PID/maps)', '%d of %d' % (good, len(pids)),
                     good == len(pids))

    def has_library(self, pid):
        with open('/proc/%d/maps' % pid) as maps:
            paths = set(re.findall(r'\S*/libssl3\.so.*', maps.read()))
        # The path is as this process sees it, also if that one has another root.
        return len(paths) == 1 and all(
            os.path.exists(path) and filecmp.cmp(
                path, os.path.join(self.place.lib, 'libssl3.so'), shallow=False)
            for path in paths)

    def resumption(self):
        """Sessions resume at once and later, and not after their timeout."""
        for _ in range(TRIES):
            sessions, begun, ended = self.client.make(SESSIONS)
            at_once = self.client.offer(sessions)
            time.sleep(max(0, ended + YOUNG_SEC - time.monotonic()))
            young = self.client.offer(sessions)
            if time.monotonic() < begun + TIMEOUT_SEC:
                break
        else:
            raise OSError('this machine needs more than %d s for %d connections'
                          % (TIMEOUT_SEC, 3 * SESSIONS))
        time.sleep(max(0, ended + OLD_SEC - time.monotonic()))
        old = self.client.offer(sessions)

        yield Check('resumption', 'Sessions that resume',
                    *of(resumed(at_once), at_once))
        yield Check('timeout',
                    'Timeout of %d s, %s: sessions that resume after %.1f s'
                    % (TIMEOUT_SEC, self.timeout, YOUNG_SEC),
                    *of(resumed(young), young))
        text, good = of(full(old), old)
        if self.place.name == 'stock' and self.timeout == Service.timeout:
            text += ' (stock reads no such file)'
        if self.place.name == 'stock':
            # It fails as it must only if it resumes all, not if it is broken.
            good = not of(resumed(old), old)[1]
        yield Check('timeout', 'Full handshakes after %.1f s' % OLD_SEC, text,
                    good, True)

    def restart(self):
        """The program is killed and started again. A client makes one full
        handshake and then resumes."""
        sessions, _, _ = self.client.make(SESSIONS)
        self.kill()
        self.start()
        pairs = self.client.offer_twice(sessions)
        good = [first is not None and second is not None and
                not first.resumed and second.resumed for first, second in pairs]
        yield Check('restart', 'kill -9 and a new start: clients that make one full '
                    'handshake and then resume',
                    '%d of %d' % (good.count(True), len(good)), all(good))

    def checks(self):
        """Yields a Check for each that suits this program."""
        yield self.library()
        yield from self.resumption()
        yield from self.restart()

    def judge(self):
        """Runs the program, and returns its checks; the last one says why the
        others are missing."""
        found = []
        try:
            self.prepare()
            self.start()
            for check in self.checks():
                found.append(check)
        except (OSError, alone.AloneError, subprocess.SubprocessError) as error:
            found.append(Check('service', 'It serves to the end', 'no', False))
            print('%s on %s: %s' % (self.title, self.place.name, error),
                  file=sys.stderr, flush=True)
        finally:
            self.stop()
        return found

