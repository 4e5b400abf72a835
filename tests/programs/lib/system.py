# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""A Debian system (tests/support/debian-root) for one run of one program."""

import os
import shutil
import subprocess

LIMIT_SEC = 180


def tool(*command):
    """Runs a command, and raises OSError if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=LIMIT_SEC)
    if done.returncode:
        raise OSError('%s failed: %s' % (' '.join(command)[:100],
                                         (done.stdout + done.stderr)[-500:]))
    return done.stdout


def overlay(lower, layers, where):
    """Mounts the directory |lower| at |where|. What is changed there goes into
    memory, mounted at the empty directory |layers|; |lower| stays as it is."""
    upper, work = os.path.join(layers, 'upper'), os.path.join(layers, 'work')
    tool('mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', layers)
    for path in upper, work:
        os.mkdir(path, 0o755)
    tool('mount', '-t', 'overlay', '-o', 'lowerdir=%s,upperdir=%s,workdir=%s'
         % (lower, upper, work), 'none', where)


class System:
    """A temporary directory over the system of |place|, which stays as it is. The
    libssl3.so that is tested is mounted over the system's own, or the package that
    has it is installed."""

    def __init__(self, place):
        self.directory = os.path.join(place.scratch, 'root')
        layers = os.path.join(place.scratch, 'layers')
        for path in layers, self.directory:
            os.mkdir(path)
        overlay(place.root, layers, self.directory)
        tool('mount', '-t', 'proc', 'proc', self.path('proc'))
        # Programs that are not root put files there.
        tool('mount', '-t', 'tmpfs', 'none', self.path('dev/shm'))
        if place.package:
            shutil.copy(place.package, self.path('root/ours.deb'))
            self.run('DEBIAN_FRONTEND=noninteractive dpkg -i /root/ours.deb')
            return
        library = tool('chroot', self.directory, 'sh', '-c',
                       'ls /usr/lib/*/libssl3.so').strip()
        tool('mount', '--bind', os.path.join(place.lib, 'libssl3.so'),
             self.directory + library)

    def run(self, script):
        """Runs a script in the system. The shell around it waits for every process
        that ends; otherwise tools take a process that has ended as alive."""
        tool('unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c',
             'mount -t proc proc "$1/proc" || exit; chroot "$1" env -i '
             'PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root '
             'sh -c "$2"; exit', 'sh', self.directory, script)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), 'w') as out:
            out.write(text)

    def edit(self, name, old, new):
        with open(self.path(name)) as file:
            text = file.read()
        if text.count(old) != 1:
            raise OSError('%s does not contain "%s" once' % (name, old))
        self.write(name, text.replace(old, new))
