# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at http://mozilla.org/MPL/2.0/.

"""Ticket secrets and ticket keys that are replaced while clients load the servers."""

import base64
import os


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


def rows_load(fleet):
    return []
