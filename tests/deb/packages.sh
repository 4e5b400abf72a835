# Packages made from others: by another version, and for libnss3 by a libssl3.so that
# can be told from the original. Sourced by run.
#
#   ours        what `make deb` built, $DEB
#   ours-next   the same, as if it was built for libnss3-fake
#   libnss3     of the distribution, the version that ours was built for
#   libnss3-fake, libnss3-upstream
#               a later revision, and a later upstream version

arch=$(dpkg --print-architecture)
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
lib=usr/lib/$triplet

version() { dpkg-deb -f "$debs/$1.deb" Version; }

# change FROM TO VERSION: makes TO.deb out of FROM.deb; |edit|, if it is a function,
# changes its files first.
change() {
    rm -rf "$work/change"
    dpkg-deb -R "$debs/$1.deb" "$work/change"
    sed -i "s/^Version: .*/Version: $3/" "$work/change/DEBIAN/control"
    (cd "$work/change" && edit)
    dpkg-deb -Znone -b --root-owner-group "$work/change" "$debs/$2.deb"
    rm -rf "$work/change"
}

make_packages() {
    set -e
    local built
    cp "$DEB" "$debs/ours.deb"
    built=$(dpkg-deb --ctrl-tarfile "$debs/ours.deb" | tar -xOf - ./postinst |
        sed -n 's/^built_for=\([^ ]*\).*/\1/p')
    libnss3=$(ls "$root"/build/download/debs/libnss3_*"${built#*:}_$arch.deb" || :)
    [ -f "$libnss3" ] || {
        # The namespace has no network to fetch it.
        echo "build/download/debs has no libnss3 $built: remove build/roots/deb"
        return 1
    }
    cp "$libnss3" "$debs/libnss3.deb"

    edit() { printf 'a later libssl3.so' >>"$lib/libssl3.so"; }
    change libnss3 libnss3-fake "$built+fake1"
    edit() { printf 'libssl3.so of upstream' >>"$lib/libssl3.so"; }
    change libnss3 libnss3-upstream 2:99.1-1
    edit() {
        sed -i "s/^built_for=[^ ]*/built_for=$built+fake1/" DEBIAN/p*
        printf 'a later libssl3.so of ours' >>"$lib/sslsnce/libssl3.so"
    }
    change ours ours-next "$(version ours)+fake1"
    # The files by which cases recognise what is installed.
    local name
    for name in libnss3 libnss3-fake libnss3-upstream; do
        dpkg-deb --fsys-tarfile "$debs/$name.deb" |
            tar -xOf - "./$lib/libssl3.so" >"$debs/$name.so"
    done
    for name in ours ours-next; do
        dpkg-deb --fsys-tarfile "$debs/$name.deb" |
            tar -xOf - "./$lib/sslsnce/libssl3.so" >"$debs/$name.so"
    done
    [ "$(chroot "$system" dpkg-query -W -f '${Version}' libnss3)" = "$built" ] || {
        echo "The package is for libnss3 $built, and $system has another one. Remove"
        echo "build/roots if that is older; else build/download and build/src, and"
        echo "run make deb."
        return 1
    }
}
