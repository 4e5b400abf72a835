# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""Checks of servers with several processes."""

import concurrent.futures
import os
import re
import signal
import threading
import time

import client
import service
from service import Check

CLIENTS = 4
OFFERED = 10            # times that each session is offered to any worker
KILL_EVERY_SEC = {False: 0.75, True: 0.25}     # are killed workers started again?
KILLED_AGAIN = 16       # workers to kill, if they are
LONG_SEC = 100          # a timeout that ends no session meanwhile
STILL_LIMIT_SEC = 2     # a client that waits longer for a connection has stalled


class Workers(service.Service):
    """A server whose children serve. |workers|: how many; |respawned|: does the
    parent start another one for one that was killed?"""

    workers = None
    respawned = False

    def start(self):
        super().start()
        deadline = time.monotonic() + service.START_SEC
        while len(self.pids()) <= self.workers:
            if time.monotonic() > deadline:
                raise OSError('%s has started %d of %d workers' % (
                    self.title, len(self.pids()) - 1, self.workers))
            time.sleep(0.1)

    def worker_at(self, client_port):
        return owner(self.pids()[1:], self.place.port, client_port)

    def across(self):
        """Every session resumes in every worker that the kernel chooses."""
        def work(session_and_server):
            session, maker = session_and_server
            visits = self.client.offer([session] * OFFERED)
            return [visit for visit in visits
                    if visit is None or visit.server not in (maker, None)]

        self.client.find = self.worker_at
        made = [self.client.visit() for _ in range(service.SESSIONS)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            visits = sum(pool.map(work, [(visit.session, visit.server)
                                         for visit in made]), [])
        self.client.find = None
        text, good = service.of(service.resumed(visits), visits)
        seen = {visit.server for visit in visits if visit}
        yield Check('other processes',
                    'Sessions that resume in another process than the one that '
                    'made them', '%s, in %d processes' % (text, len(seen)),
                    good and len(seen) == self.workers)

    def killed(self):
        """Workers are killed one after another, while clients connect: all but one,
        or many if the parent starts others."""
        made, _, _ = self.client.make(service.SESSIONS)
        storm = Storm(self.client)
        victims = []
        for _ in range(KILLED_AGAIN if self.respawned else self.workers - 1):
            time.sleep(KILL_EVERY_SEC[self.respawned])
            victim = next((pid for pid in self.pids()[1:] if pid not in victims),
                          None)
            if victim is None:
                raise OSError('%s starts no new worker' % self.title)
            os.kill(victim, signal.SIGKILL)
            victims.append(victim)
        time.sleep(KILL_EVERY_SEC[False])
        storm.end()
        # A killed process costs the connections that it had, one for each client,
        # and two entries of the cache.
        yield Check('killed workers',
                    'kill -9 of %d workers, one after another, under load: sessions '
                    'that resume meanwhile' % len(victims),
                    '%d of %d, %d full handshakes, %d connections broken'
                    % (storm.resumed, storm.offered, storm.full, storm.failed),
                    storm.resumed > 0 and storm.full <= 2 * len(victims) and
                    storm.failed <= CLIENTS * len(victims))
        yield Check('killed workers', 'The longest that a client waited meanwhile',
                    '%.0f ms' % (storm.longest * 1000),
                    storm.longest < STILL_LIMIT_SEC)
        self.client.find = self.worker_at if self.respawned else None
        after = self.client.offer(made)
        self.client.find = None
        text, good = service.of(service.resumed(after), after)
        if self.respawned:
            new = {visit.server for visit in after if visit} - set(victims)
            text += ', in %d new workers' % len(new - {None})
            good = good and new - {None}
        yield Check('killed workers', 'Sessions of before that resume afterwards',
                    text, bool(good))

    def checks(self):
        yield self.library()
        yield from self.resumption()
        self.restart_with(LONG_SEC)
        yield from self.across()
        yield from self.killed()
        self.restart_with(LONG_SEC)     # stock may serve no one after the kills
        yield from self.restart()


class Storm:
    """Clients that connect until end() is called. Each makes a session, offers it
    some times and makes the next one."""

    def __init__(self, visitor):
        self.client = visitor
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.offered = self.resumed = self.full = self.failed = 0
        self.longest = 0
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        session, left = None, 0
        while not self.over.is_set():
            begun = time.monotonic()
            visit = self.client.try_visit(session)
            took = time.monotonic() - begun
            with self.lock:
                self.longest = max(self.longest, took)
                self.failed += visit is None
                if session:
                    self.offered += 1
                    self.resumed += visit is not None and visit.resumed
                    self.full += visit is not None and not visit.resumed
            left -= 1
            if left < 0 or (visit is None and session is None):
                session, left = visit and visit.session, OFFERED

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(client.LIMIT_SEC + 1)


def owner(pids, server_port, client_port):
    """Returns which of |pids| has the server's end of a connection on loopback."""
    ends = re.compile(r' *\d+: \w+:%04X \w+:%04X ' % (server_port, client_port))
    for table in '/proc/net/tcp', '/proc/net/tcp6':
        with open(table) as lines:
            found = [line.split()[9] for line in lines if ends.match(line)]
        if found:
            break
    else:
        return None
    link = 'socket:[%s]' % found[0]
    for pid in pids:
        try:
            if any(os.readlink(entry.path) == link
                   for entry in os.scandir('/proc/%d/fd' % pid)):
                return pid
        except OSError:
            pass    # it was killed, or the descriptor was closed
    return None
