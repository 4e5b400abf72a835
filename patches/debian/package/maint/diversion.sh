# The functions that the maintainer scripts share; debian/rules puts this text into
# each of them.
#
# The package's library is in a directory of its own. While the diversion is on,
# |file|, which programs load, is a symbolic link to it, and |stock| is the file of
# libnss3. Every change of |file| is a rename, so a program that starts at any
# moment finds one library or the other. Each function can be repeated, and goes on
# from wherever an earlier run was killed.
#
# The name |stock| has no ".so": ldconfig would take it for a library with the name
# libssl3.so inside, and point the link |file| at it.
package=libnss3-sslsnce
built_for=@BUILT_FOR@ # version of libnss3
lib=/usr/lib/@TRIPLET@
file=$lib/libssl3.so
stock=$lib/libssl3.distrib
new=$lib/libssl3.sslsnce-new
ours=sslsnce/libssl3.so # below |lib|
notes=/var/lib/$package
note=$notes/off.@TRIPLET@

say() {
    printf '%s\n' "$@" | sed "s/^/$package: /" >&2
}

# Exits if dpkg-divert fails: in a condition, that failure would read as "not
# diverted".
is_diverted() {
    owner=$(dpkg-divert --listpackage "$file") || exit
    [ "$owner" = "$package" ]
}

is_ours() {
    [ "$(readlink "$file" || :)" = "$ours" ]
}

# Prints the version of the source that the unpacked libnss3 was built from, or
# nothing. A rebuild of the same source, +b1, counts as the same version.
libnss3_version() {
    dpkg-query -W -f '${db:Status-Status} ${source:Version}\n' \
        'libnss3:@ARCH@' 2>/dev/null |
        sed -n -E 's/^(unpacked|half-configured|triggers-[a-z]*|installed) //p'
}

diversion_on() {
    if ! is_diverted; then
        # While nothing is diverted, dpkg writes |file|. A |stock| beside it is left
        # over, unless |file| is our link.
        is_ours || rm -f "$stock"
        dpkg-divert --package "$package" --quiet --no-rename \
            --divert "$stock" --add "$file"
    fi
    if ! is_ours; then
        # If |stock| exists, dpkg wrote it under the diversion and it is newer than
        # |file|, or an earlier run made the link.
        [ -e "$stock" ] || ln -T "$file" "$stock"
        rm -f "$new"
        ln -s "$ours" "$new"
        mv -f -T "$new" "$file"
    fi
    rm -f "$note"
}

# diversion_off [remove]: if libnss3 is installed but its file is missing, it keeps the
# link and the diversion, because any library is better than none; with "remove" it
# removes them, because the library that the link points to goes.
diversion_off() {
    if is_diverted || is_ours; then
        if [ -e "$stock" ]; then
            # rename(2) does nothing if both names are the same file.
            if [ ! -L "$file" ] && [ "$file" -ef "$stock" ]; then
                rm -f "$stock"
            else
                mv -f -T "$stock" "$file"
            fi
        elif is_ours; then
            if [ -n "$(libnss3_version)" ]; then
                say "$stock is missing, which is libssl3.so of libnss3." \
                    'To get it back: apt-get install --reinstall libnss3:@ARCH@'
                [ "${1-}" = remove ] || return 0
            fi
            rm -f "$file"
        fi
    else
        rm -f "$stock"
    fi
    rm -f "$new"
    if is_diverted; then
        dpkg-divert --package "$package" --quiet --no-rename --remove "$file"
    fi
}

# choose_diversion turns the diversion on if libnss3 is the one that this package
# was built for. If not, a fix in libnss3's libssl3.so counts for more than sslsnce:
# the diversion goes off, and a message and the file |note| say so.
choose_diversion() {
    version=$(libnss3_version)
    if [ "$version" = "$built_for" ]; then
        diversion_on
        return
    fi
    # Not as a condition: there, the shell would go on after a failure.
    diversion_off
    [ -n "$version" ] || version='not installed'
    mkdir -p "$notes"
    if is_ours; then
        now="has no $stock, so programs still
load the library of this package. To get libnss3's own, as root:
    apt-get install --reinstall libnss3:@ARCH@"
    else
        now="has the library that programs load: $file
is its own again, without sslsnce, and a fix in it takes effect. Restart the
servers that use it."
    fi
    cat >"$note.new" <<END
libnss3:@ARCH@ is $version, and this package was built for
$built_for. libnss3 $now
To have sslsnce back, get its source tree and, as root:
    apt-get update
    rm -rf build/download build/src; make deb
    apt-get install ./build/deb/${package}_*_@ARCH@.deb
END
    mv -f -T "$note.new" "$note"
    sed "s/^/$package: /" "$note" >&2
}

remove_note() {
    rm -f "$note" "$note.new"
    [ ! -d "$notes" ] || rmdir --ignore-fail-on-non-empty "$notes"
}
