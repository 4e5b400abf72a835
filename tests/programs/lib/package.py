# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""The Debian package with our library, installed over this machine's own files in
a mount namespace. The machine itself stays as it is."""

import glob
import os

import alone
from system import overlay, tool

# Where dpkg, ldconfig and the package's scripts write.
WRITTEN = '/etc', '/usr', '/var'


def unpack(package, scratch):
    """Returns the directory, in |scratch|, of the library in |package|."""
    files = os.path.join(scratch, 'package')
    tool('dpkg-deb', '-x', package, files)
    found = glob.glob(os.path.join(files, 'usr/lib/*/sslsnce/libssl3.so'))
    if len(found) != 1:
        raise alone.AloneError('%s has no libssl3.so of ours' % package)
    return os.path.dirname(found[0])


def install(package, scratch):
    """Installs |package|. Call this in a mount namespace of its own."""
    for number, directory in enumerate(WRITTEN):
        layers = os.path.join(scratch, 'layers-%d' % number)
        os.mkdir(layers)
        overlay(directory, layers, directory)
    try:
        tool('env', 'DEBIAN_FRONTEND=noninteractive', 'dpkg', '-i', package)
    except OSError as error:
        raise alone.AloneError('the package cannot be installed: %s' % error)
