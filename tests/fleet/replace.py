# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""Ticket secrets and ticket keys that are replaced while clients load the servers.

In step |m|, the files of each machine have three keys: |m - 1| was in use before, |m|
encrypts, |m + 1| is the next. A machine that is one step behind accepts the tickets of
the others, so the machines need not replace their files at one moment. In step m + 2,
the key |m| is gone.

After a replacement, a server may go on with what it has read before for LOOK_SEC. The
outcome of an offer is certain if it is the same for every step in which each machine
can have been; these are the outcomes that the test compares.
"""

import base64
import concurrent.futures
import os
import re
import shutil
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machines import NO_CA, PAIRS, can_become, openssl, run  # noqa: E402

REPLACEMENTS = {False: 8, True: 50}
# A server looks once a second. It needs the key before a handshake can end.
LOOK_SEC = 1.25
NGINX_PAUSE_SEC = 0.3  # between the files of one set
ROTATE_PAUSE_SEC = 0.3
VERSIONS = '1.2', '1.3'
VISITS_PER_SESSION = 6


def new_key(length):
    return os.urandom(length)


def lines(secrets):
    return b''.join(base64.b64encode(secret) + b'\n' for secret in secrets)


def write(path, data):
    """Replaces the file |path| at once, as a program should that installs a key."""
    new = path + '.new'
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600),
                   'wb') as file:
        file.write(data)
    os.rename(new, path)


# ---- the files of one machine: how the keys of a step get into them ----

class Secret:
    """One secret a line. The first encrypts."""
    title = 'secrets'
    length = 48
    allowed = None

    def __init__(self, path):
        self.path = path
        self.parameter = 'ticketSecretFile=' + path

    def step(self, before, now, following):
        write(self.path, lines([now, before, following]))


class Haproxy(Secret):
    """HAProxy's form: the last line but one encrypts."""
    title = 'HAProxy\'s keys'
    length = 80

    def __init__(self, path):
        super().__init__(path)
        self.parameter = 'ticketKeyFile=' + path

    def step(self, before, now, following):
        write(self.path, lines([before, now, following]))


class Nginx:
    """nginx's form: a file for each key. The first file encrypts. The files change
    one after another, so that two of them have the same key for a moment."""
    title = 'nginx\'s keys'
    length = 80
    # Of the moment when two files have the same key. The keys stay in force.
    allowed = 'the key has the name (the first 16 bytes) of an earlier one'

    def __init__(self, path):
        self.paths = [path + suffix for suffix in ('.now', '.before', '.next')]
        self.parameter = 'ticketKeyFile=' + ','.join(self.paths)

    def step(self, before, now, following):
        for path, key in zip(self.paths[1:2] + self.paths[:1] + self.paths[2:],
                             (before, now, following)):
            if os.path.exists(path):
                time.sleep(NGINX_PAUSE_SEC)
            write(path, key)


# ---- what a server may and must do ----

class Steps:
    """When the files of each step were replaced, and what follows from it."""

    def __init__(self):
        self.begun = []
        self.done = []

    def between(self, begin, end):
        """The steps in which a server can have been from |begin| to |end|."""
        first = max(step for step, done in enumerate(self.done)
                    if done + LOOK_SEC <= begin or step == 0)
        last = max(step for step, begun in enumerate(self.begun)
                   if begun <= end)
        return range(first, last + 1)

    def expected(self, made, offered):
        """Must a ticket that was made in one of the steps |made| resume in any of
        |offered|? None: it may."""
        outcomes = {abs(m - o) <= 1 for m in made for o in offered}
        return outcomes.pop() if len(outcomes) == 1 else None


class Load:
    """Clients in loops. It counts what became of their handshakes."""

    def __init__(self, fleet, servers, steps):
        self.fleet = fleet
        self.servers = servers
        self.steps = steps
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.full = self.resumed = self.failed = 0
        self.wrong = []
        self.certain = 0
        # Thread |n| begins with machine n % 2.
        jobs = [self.by_openssl, self.by_openssl, self.by_pair, self.by_pair]
        self.threads = [threading.Thread(target=job, args=(number,))
                        for number, job in enumerate(jobs)]
        for thread in self.threads:
            thread.start()

    def count(self, got, expected=None, what=''):
        with self.lock:
            self.full += got is False
            self.resumed += got is True
            self.failed += got is None
            self.certain += expected is not None
            if got is not None and expected is not None and got != expected:
                self.wrong.append(what)

    def timed(self, *args):
        begin = time.time()
        got = openssl(*args)
        return got, self.steps.between(begin, time.time())

    def by_openssl(self, number):
        path = self.fleet.path('session.pem')
        turn = number
        while not self.over.is_set():
            version = VERSIONS[turn // 2 % 2]
            got, made = self.timed(self.servers[turn % 2], version, path, True)
            self.count(got)
            for _ in range(VISITS_PER_SESSION if got is False else 0):
                turn += 1
                got, offered = self.timed(self.servers[turn % 2], version, path,
                                          False)
                self.count(got, self.steps.expected(made, offered),
                           'TLS %s, made in step %s, offered in %s: %s' %
                           (version, list(made), list(offered), got))
            turn += 1

    def by_pair(self, number):
        """GnuTLS or NSS: a session, and at once its ticket at the other machine."""
        turn = number
        client = ('GnuTLS', 'NSS')[number % 2]
        while not self.over.is_set():
            first, second = self.servers[::1 if turn % 2 else -1]
            version = VERSIONS[turn // 2 % 2]
            begin = time.time()
            got = PAIRS[client](self.fleet, version, first, second)
            now = self.steps.between(begin, time.time())
            self.count(got, self.steps.expected(now, now),
                       'TLS %s, %s in steps %s: %s' % (version, client,
                                                       list(now), got))
            turn += 1

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


# ---- witnesses: tickets whose outcome is certain at each step ----

class Witnesses:
    """One ticket of each step and version, offered in three steps."""

    def __init__(self, fleet, servers):
        self.fleet = fleet
        self.servers = servers
        self.made = {}
        self.kept = [0, 0]     # of so many offers, so many were right
        self.refused = [0, 0]
        self.wrong = []

    def offer(self, step, now, server):
        accepted = now - step < 2
        for version in VERSIONS:
            got = openssl(server, version, self.made[step, version], False)
            counts = self.kept if accepted else self.refused
            counts[0] += 1
            counts[1] += got is accepted
            if got is not accepted:
                self.wrong.append('TLS %s, made in step %d, offered in %d at %s: '
                                  '%s' % (version, step, now, server.address,
                                          got))

    def at(self, step):
        """To call when all servers have the keys of |step|."""
        maker, other = self.servers[::1 if step % 2 else -1]
        for version in VERSIONS:
            path = self.made[step, version] = self.fleet.path('witness.pem')
            openssl(maker, version, path, True)
        self.offer(step, step, other)
        for earlier in step - 1, step - 2:
            if earlier >= 0:
                for server in self.servers:
                    self.offer(earlier, step, server)


# ---- the rows ----

def replace_under_load(fleet, form):
    count = REPLACEMENTS[fleet.long]
    keys = [new_key(form.length) for _ in range(count + 3)]
    machines = [form(fleet.path('keys')) for _ in range(2)]
    steps = Steps()

    def enter(step):
        steps.begun.append(time.time())
        for machine in machines:
            machine.step(*keys[step:step + 3])
        steps.done.append(time.time())

    enter(0)
    with fleet.server(0, 'name=* ' + machines[0].parameter) as a, \
            fleet.server(1, 'name=* ' + machines[1].parameter) as b:
        witnesses = Witnesses(fleet, [a, b])
        load = Load(fleet, [a, b], steps)
        try:
            for step in range(count + 1):
                if step > 0:
                    enter(step)
                time.sleep(LOOK_SEC)
                witnesses.at(step)
        finally:
            load.stop()
        complaints = [line for line in a.complaints() + b.complaints()
                      if not form.allowed or form.allowed not in line]
    for line in (witnesses.wrong + load.wrong + complaints)[:8]:
        print('fleet: %s: %s' % (form.title, line), file=sys.stderr)
    title = '%d replacements of %s: ' % (count, form.title)
    total = load.full + load.resumed + load.failed
    print('fleet: %s%d full, %d resumed, %d failed; of %d offers the outcome was '
          'certain' % (title, load.full, load.resumed, load.failed,
                       load.certain), file=sys.stderr, flush=True)
    return [
        (title + 'resumed while the key is in the file',
         of(witnesses.kept, len(VERSIONS) * (1 + 3 * count))),
        (title + 'refused when it is not',
         of(witnesses.refused, 2 * len(VERSIONS) * (count - 1))),
        (title + 'load, failed handshakes',
         ('%d of %d' % (load.failed, total),
          load.failed == 0 and min(load.full, load.resumed) > count)),
        (title + 'load, refused or accepted wrongly',
         ('%d of %d' % (len(load.wrong), load.certain), not load.wrong)),
        (title + 'complaints of the servers',
         ('%d' % len(complaints), not complaints))]


def of(counts, offers):
    return '%d of %d' % (counts[1], counts[0]), \
        counts[0] == counts[1] == offers


def rows_first(fleet):
    """f. the first ticket of each worker after a replacement. The machine has no other
    clients, so that no ticket comes before it."""
    old, now = new_key(48), new_key(48)
    paths = [fleet.path('secret') for _ in range(2)]
    for path in paths:
        write(path, lines([old]))
    with fleet.server(0, 'name=* ticketSecretFile=' + paths[0]) as a, \
            fleet.server(1, 'name=* ticketSecretFile=' + paths[1]) as b:
        for server in [a, b] * 6:
            openssl(server, '1.2', fleet.path('session.pem'), True)
        for path in paths:
            write(path, lines([now, old]))
        time.sleep(LOOK_SEC)
        made = [(version, fleet.path('session.pem'))
                for _ in range(6) for version in VERSIONS]
        for version, path in made:
            openssl(a, version, path, True)
        for path in paths:
            write(path, lines([now]))
        time.sleep(LOOK_SEC)
        got = [openssl(server, version, path, False)
               for version, path in made for server in (a, b)]
    return [('First tickets after a replacement: resumed when the old secret is gone',
             ('%d of %d' % (got.count(True), len(got)),
              got.count(True) == len(got)))]


def rows_worker(fleet):
    """w. a new worker, forked from a parent that has read an old secret, while the
    file cannot be read: the secret that is in force stays so."""
    old, now = new_key(48), new_key(48)
    path = fleet.path('secret')
    write(path, lines([old]))
    with fleet.server(0, 'name=* ticketSecretFile=' + path,
                      flags=['-r', str(fleet.WORKERS)]) as server:
        def offers(name):
            return [openssl(server, version, sessions[name, version], False)
                    for version in VERSIONS for _ in range(4)]

        def make(name):
            for version in VERSIONS:
                file = sessions[name, version] = fleet.path('session.pem')
                openssl(server, version, file, True)

        sessions = {}
        make('old')
        write(path, lines([now]))
        time.sleep(LOOK_SEC)
        offers('old')  # so that a worker reads the file
        make('now')
        write(path, b'no secret\n')
        time.sleep(LOOK_SEC)
        before = offers('now')
        for line in server.lines('ready '):
            os.kill(int(line[2]), signal.SIGKILL)
        server.await_workers(2 * fleet.WORKERS)
        kept, gone = offers('now'), offers('old')
    return [('New workers while the file is bad: resumed by the secret in force',
             ('%d of %d' % ((before + kept).count(True), 16),
              (before + kept).count(True) == 16)),
            ('New workers while the file is bad: refused under the old secret',
             ('%d of %d' % (gone.count(False), 8), gone.count(False) == 8))]


def rows_permission(fleet):
    """p. a new file that the workers may not read at first, because a program
    installs it and changes its owner afterwards."""
    user = 'nobody'
    if not can_become(user):
        return []
    old, now = new_key(48), new_key(48)
    paths = [fleet.path('secret') for _ in range(2)]
    for path in paths:
        os.chmod(os.path.dirname(path), 0o755)
        write(path, lines([old]))
        shutil.chown(path, user)
    config = 'name=* ticketSecretFile='
    got = []
    with fleet.server(0, config + paths[0], flags=['-u', user]) as server:
        def use(count):
            for _ in range(count):
                openssl(server, '1.2', fleet.path('session.pem'), True)

        use(6)
        write(paths[0], lines([now]))
        for _ in range(fleet.WORKERS + 1):
            time.sleep(LOOK_SEC)
            use(6)
        shutil.chown(paths[0], user)
        write(paths[1], lines([now]))
        shutil.chown(paths[1], user)
        time.sleep(LOOK_SEC)
        use(6)
        with fleet.server(1, config + paths[1], flags=['-u', user]) as other:
            for version in VERSIONS:
                for _ in range(4):
                    session = fleet.path('session.pem')
                    openssl(server, version, session, True)
                    got.append(openssl(other, version, session, False))
    return [('A file that workers may not read at first: its secret counts later',
             ('%d of %d' % (got.count(True), len(got)),
              got.count(True) == len(got)))]


class Always:
    """In place of Steps: every ticket resumes."""

    def between(self, begin, end):
        del begin, end
        return range(1)

    def expected(self, made, offered):
        del made, offered
        return True


def key_name(path):
    """The name of the key of the ticket in the session |path|: its first bytes."""
    text = run(['openssl', 'sess_id', '-in', path, '-noout', '-text'], b'')
    found = re.search(r'0000 - ((?:[0-9a-f]{2}[- ]){16})', text)
    return found and found.group(1)


def rows_rotate(fleet):
    """k. SSL_RotateServerTicketKeys, called in any worker under load, while keys are
    made at random."""
    count = REPLACEMENTS[fleet.long]
    rotated = 0
    made = []
    with fleet.server(0, 'name=*') as server:
        load = Load(fleet, [server, server], Always())
        try:
            for step in range(count + 1):
                if step > 0:
                    time.sleep(ROTATE_PAUSE_SEC)
                    answer = run(['openssl', 's_client', '-connect', '%s:%d' %
                                  (server.address, server.port), '-quiet',
                                  '-ign_eof'] + NO_CA,
                                 b'GET /rotate HTTP/1.0\r\n\r\n')
                    rotated += 'rotated' in answer
                for version in VERSIONS:
                    path = fleet.path('witness.pem')
                    openssl(server, version, path, True)
                    made.append((version, path))
        finally:
            load.stop()
        got = [openssl(server, version, path, False) for version, path in made]
        names = {key_name(path) for version, path in made}
    for line in load.wrong[:8]:
        print('fleet: rotation: %s' % line, file=sys.stderr)
    title = '%d calls of SSL_RotateServerTicketKeys: ' % count
    total = load.full + load.resumed + load.failed
    return [
        (title + 'done', of((count, rotated), count)),
        (title + 'keys', ('%d' % len(names), len(names) == count + 1)),
        (title + 'resumed', of((len(got), got.count(True)), 2 * (count + 1))),
        (title + 'load, failed handshakes',
         ('%d of %d' % (load.failed, total), load.failed == 0 < load.resumed)),
        (title + 'load, refused',
         ('%d of %d' % (len(load.wrong), load.certain), not load.wrong))]


FORMS = Secret, Nginx, Haproxy


def rows_load(fleet):
    """l. keys are replaced under load. All forms of files at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(FORMS)) as pool:
        return sum(pool.map(lambda form: replace_under_load(fleet, form), FORMS),
                   [])
