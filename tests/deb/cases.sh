# The promises of the package. Sourced by run; in a case, m is a copy of the system in
# which libnss3 and its tools are installed.

# mounted NAME: a copy of the system at NAME, which costs nothing until it changes.
mounted() {
    mkdir -p "$1" "$1.upper" "$1.work"
    mount -t overlay -o "lowerdir=$system,upperdir=$1.upper,workdir=$1.work" \
        overlay "$1"
    mount -t proc proc "$1/proc"
    mkdir "$1/debs"
    mount --bind "$debs" "$1/debs"
}

# unmounted NAME: takes it away.
unmounted() {
    umount -l "$1/debs" "$1/proc" "$1"
    rm -rf "$1" "$1.upper" "$1.work"
}

setup() {
    mounted m
    file=m/$lib/libssl3.so
    stock=m/$lib/libssl3.distrib
    note=m/var/lib/libnss3-sslsnce/off.$triplet
}

within() {
    timeout 120 chroot m env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

# install NAME...: one after the other.
install() {
    local name
    for name; do within dpkg -i "/debs/$name.deb"; done
}

# A program of the distribution starts. It prints its usage and fails, with another
# status than the loader's.
program_starts() {
    local status=0
    within selfserv >usage 2>&1 || status=$?
    [ $status -ne 127 ] && grep -qi usage usage
}

# on OURS LIBNSS3: programs load the library of that package, and libnss3's own
# libssl3.so lies aside.
on() {
    [ "$(readlink "$file")" = sslsnce/libssl3.so ]
    cmp "$file" "$debs/$1.so"
    cmp "$stock" "$debs/$2.so"
    [ "$(within dpkg-divert --truename /$lib/libssl3.so)" = /$lib/libssl3.distrib ]
    [ ! -e "$note" ]
    settled
}

# off LIBNSS3: programs load libnss3's own.
off() {
    [ ! -L "$file" ]
    cmp "$file" "$debs/$1.so"
    [ ! -e "$stock" ]
    [ "$(within dpkg-divert --truename /$lib/libssl3.so)" = /$lib/libssl3.so ]
    settled
}

# Nothing lies about, and dpkg has nothing left to do.
settled() {
    [ "$(ls m/$lib | grep -c libssl3)" = "$(ls m/$lib | grep -cE '^libssl3\.(so|distrib)$')" ]
    [ -z "$(within dpkg --audit)" ]
    program_starts
}

case_AServerOfTheDistributionLoadsItAndItsSessionsTimeOut() {
    cp "$root/patches/debian/package/tests/resumption" m/resumption
    not within env PORT=18444 sh /resumption
    install ours
    on ours libnss3
    within env PORT=18444 sh /resumption
}

case_LdconfigLeavesTheLinkAsItIs() {
    install ours
    within ldconfig
    on ours libnss3
}

case_ASecurityUpdateOfLibnss3TakesEffectAndThePackageSaysSo() {
    install ours
    install libnss3-fake >said 2>&1
    off libnss3-fake
    cat said
    grep -q "libnss3-sslsnce: .* is $(version libnss3-fake), and this package" said
    grep -q "$(version libnss3)" "$note"
    grep -q 'make deb' "$note"
}

case_ANewUpstreamVersionOfLibnss3TakesEffectToo() {
    install ours libnss3-upstream
    off libnss3-upstream
    [ -f "$note" ]
}

case_ThePackageForTheUpdatedLibnss3TurnsItOnAgain() {
    install ours libnss3-fake ours-next
    on ours-next libnss3-fake
}

# publish NAME...: these packages are what the package source of apt has.
publish() {
    local name
    rm -rf m/repository
    mkdir m/repository
    for name; do cp "$debs/$name.deb" m/repository/; done
    (cd m/repository && dpkg-scanpackages --multiversion . >Packages)
    echo 'deb [trusted=yes] file:/repository ./' >m/repository.list
    by_apt update
}
by_apt() {
    within apt-get -y -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/repository.list \
        -o Dir::Etc::sourceparts=/dev/null "$@"
}

case_AptUpgradesLibnss3WithoutAndWithTheRebuiltPackage() {
    publish ours libnss3
    by_apt install libnss3-sslsnce
    on ours libnss3
    publish ours libnss3-fake
    by_apt upgrade
    off libnss3-fake
    publish ours-next libnss3-fake
    by_apt upgrade
    on ours-next libnss3-fake
    publish libnss3-upstream
    by_apt upgrade >said 2>&1
    cat said
    not grep 'kept back' said
    off libnss3-upstream
    by_apt purge libnss3-sslsnce
    off libnss3-upstream
}

case_BothUpdatedInOneRunInEitherOrder() {
    install ours
    within dpkg -i /debs/ours-next.deb /debs/libnss3-fake.deb
    on ours-next libnss3-fake
    within dpkg -i /debs/libnss3.deb /debs/ours.deb
    on ours libnss3
}

# Between the unpacking of one and of the other, no program may load a library that
# was made for another libnss3.
case_UnpackedForAnotherLibnss3ItIsNotLoaded() {
    install ours
    within dpkg --unpack /debs/ours-next.deb
    cmp "$file" "$debs/libnss3.so"
    program_starts
    within dpkg --unpack /debs/libnss3-fake.deb
    cmp "$file" "$debs/libnss3-fake.so"
    within dpkg --configure -a
    on ours-next libnss3-fake
}

case_InstalledOnAnotherLibnss3ItStaysOff() {
    install libnss3-fake
    install ours >said 2>&1
    off libnss3-fake
    grep -q "this package was built for" said
    [ -f "$note" ]
}

case_DowngradedToOneForAnotherLibnss3ItIsOff() {
    install libnss3-fake ours-next
    on ours-next libnss3-fake
    install ours
    off libnss3-fake
    [ -f "$note" ]
}

case_WithTheFormerLibnss3ItIsOnAgain() {
    install ours libnss3-fake
    off libnss3-fake
    install libnss3
    on ours libnss3
}

case_EitherPackageInstalledAgainChangesNothing() {
    install ours ours
    on ours libnss3
    install libnss3
    on ours libnss3
}

# Everything that a user could notice, with contents. dpkg's notes of what it did, and
# caches, are no part of it.
everything() {
    (cd m && find . -xdev \( -path ./proc -o -path ./debs -o -path ./var/log -o \
        -path ./var/cache -o -path ./tmp -o -path ./var/lib/dpkg/status-old -o \
        -path ./var/lib/dpkg/diversions-old -o -path ./etc/ld.so.cache -o \
        -path ./var/lib/dpkg/info -o -path ./var/lib/dpkg/triggers/Lock -o \
        -path ./var/lib/dpkg/lock \) -prune -o \
        \( -type f -exec cksum {} + \) -o \( ! -type d -printf '%p %l\n' \) -o \
        -printf '%p\n')
    (cd m/var/lib/dpkg/info && ls)
}

case_RemovedAndPurgedItLeavesNothing() {
    everything | sort >before
    install ours
    within dpkg -r libnss3-sslsnce
    off libnss3
    [ ! -d m/var/lib/libnss3-sslsnce ]
    within dpkg -P libnss3-sslsnce
    everything | sort >after
    diff before after
}

case_PurgedWhileOffItLeavesNothing() {
    install libnss3-fake
    everything | sort >before
    install ours
    [ -f "$note" ]
    within dpkg -P libnss3-sslsnce
    off libnss3-fake
    everything | sort >after
    diff before after
}

case_RemovedAfterAnUpdateTheUpdatedFileIsThere() {
    install libnss3-fake ours-next
    within dpkg -r libnss3-sslsnce
    off libnss3-fake
}

# An administrator's mistakes.
case_ADiversionThatWasRemovedByHandDoesNotBringAnOldFileBack() {
    install ours
    within dpkg-divert --package libnss3-sslsnce --no-rename --remove /$lib/libssl3.so
    install libnss3-fake
    off libnss3-fake
    install libnss3
    on ours libnss3
}

case_AMissingFileOfLibnss3IsReportedAndComesBackByAReinstallation() {
    install ours
    rm "$stock"
    within dpkg --unpack /debs/ours-next.deb >said 2>&1
    cat said
    grep -q 'apt-get install --reinstall libnss3' said
    program_starts
    install ours libnss3
    on ours libnss3
}

case_RemovedByForceLibnss3LeavesNoLink() {
    install ours
    within dpkg --force-depends -r libnss3
    [ ! -e "$stock" ] && [ ! -L "$file" ]
    install libnss3
    on ours libnss3
}

case_PackagesOfTwoArchitecturesKeepOutOfEachOthersWay() {
    [ "$(dpkg-deb -f "$debs/ours.deb" Multi-Arch)" = same ]
    # Nothing but what is the same for all, and what is below the triplet.
    dpkg-deb --fsys-tarfile "$debs/ours.deb" | tar -tf - | grep -v '/$' |
        grep -vE "^\./($lib/|usr/include/sslsnce/|usr/share/)" >others || :
    cat others
    [ ! -s others ]
    # A package for another architecture: the same with other paths and names.
    dpkg-deb -R "$debs/ours.deb" other
    mv "other/$lib" other/usr/lib/other-linux-gnu
    sed -i "s/$triplet/other-linux-gnu/" other/DEBIAN/*
    sed -i "s/libnss3:$arch/libnss3:i386/" other/DEBIAN/p*
    sed -i 's/^Architecture: .*/Architecture: i386/' other/DEBIAN/control
    dpkg-deb -Znone -b --root-owner-group other m/other.deb
    mkdir m/usr/lib/other-linux-gnu
    install ours
    within dpkg --add-architecture i386
    within dpkg --force-depends -i /other.deb
    [ -f m/var/lib/libnss3-sslsnce/off.other-linux-gnu ]
    on ours libnss3
    within dpkg --force-depends -P libnss3-sslsnce:$arch
    off libnss3
    [ -f m/var/lib/libnss3-sslsnce/off.other-linux-gnu ]
    within dpkg --force-depends -P libnss3-sslsnce:i386
    [ ! -d m/var/lib/libnss3-sslsnce ]
}

# While the diversion goes on and off, a program looks for the file without a pause.
case_NoProgramFindsTheFileMissing() {
    python3 - "$file" stop >looked 2>&1 <<'END' &
import os, sys, time
looks = missing = 0
until = time.monotonic() + 600
while not os.path.exists(sys.argv[2]) and time.monotonic() < until:
    for _ in range(1000):
        looks += 1
        try:
            os.stat(sys.argv[1])
        except FileNotFoundError:
            missing += 1
print(looks, missing, int(os.path.exists(sys.argv[2])))
END
    local looker=$! i
    for i in 1 2 3; do
        install ours libnss3-fake libnss3
        within dpkg -r libnss3-sslsnce
    done
    touch stop
    wait $looker
    cat looked
    read -r looks missing to_the_end <looked
    [ "$looks" -gt 100000 ]
    [ "$missing" -eq 0 ]
    [ "$to_the_end" -eq 1 ]
}

# Puts commands in front of the real ones that kill the caller, as SIGKILL would,
# when the operation whose number the file "at" has is about to happen. With |both|,
# dpkg is killed as well, as if the machine had stopped.
killers() {
    local c
    mkdir -p m/kill m/usr/local/sbin
    echo 0 >m/kill/count
    echo "$1" >m/kill/at
    echo "$2" >m/kill/whom
    for c in mv ln rm mkdir rmdir dpkg-divert; do
        cat >m/usr/local/sbin/$c <<END
#!/bin/sh
read n </kill/count
n=\$((n + 1))
echo \$n >/kill/count
read at </kill/at
read whom </kill/whom
if [ \$n -eq \$at ]; then
    up=\$(sed -n 's/^PPid:[^0-9]*//p' /proc/\$PPID/status)
    case \$whom:\$(cat /proc/\$up/comm 2>/dev/null) in
    both:dpkg) kill -9 \$up ;;
    esac
    kill -9 \$PPID
    exit 1
fi
exec /usr/bin/$c "\$@"
END
        chmod +x m/usr/local/sbin/$c
    done
}
no_killers() {
    local c
    for c in mv ln rm mkdir rmdir dpkg-divert; do rm -f m/usr/local/sbin/$c; done
}

# kill_everywhere BEFORE COMMAND AFTER: on a system where BEFORE was done, kills the
# scripts of COMMAND at each of their operations. A program must start at once, and
# after dpkg --configure -a, AFTER must hold.
kill_everywhere() {
    local whom n ok
    for whom in script both; do
        n=0
        while :; do
            n=$((n + 1))
            unmounted m
            setup
            $1 >/dev/null 2>&1
            killers $n $whom
            $2 >killed 2>&1 || :
            read -r count <m/kill/count
            no_killers
            program_starts || { cat killed; ls -l m/$lib | grep ssl3; return 1; }
            [ "$count" -ge $n ] || break
            within dpkg --configure -a >mended 2>&1 ||
                { echo "$whom, $n"; cat killed mended; return 1; }
            # Not as a condition: there, the shell would go on after a failure.
            set +e
            (set -e; $3) >checked 2>&1
            ok=$?
            set -e
            [ $ok -eq 0 ] ||
                { echo "$whom, $n"; cat killed mended checked; return 1; }
        done
        echo "killed at $((n - 1)) places ($whom)"
        [ $n -gt "$4" ]
    done
}

nothing() { :; }
install_ours() { install ours; }
install_fake() { install libnss3-fake; }
install_both() { install ours libnss3-fake; }
install_next() { install ours-next; }
is_on() { on ours libnss3; }
is_off() { off libnss3-fake; [ -f "$note" ]; }
is_next() { on ours-next libnss3-fake; }
remove_ours() { within dpkg -r libnss3-sslsnce; }
# A removal that was interrupted is finished by another one.
is_removed() {
    within dpkg -r libnss3-sslsnce >/dev/null 2>&1
    off libnss3
}

case_KilledAtAnyStepOfInstallingItCanGoOn() {
    kill_everywhere nothing install_ours is_on 5
}

case_KilledAtAnyStepOfTheTriggerItCanGoOn() {
    kill_everywhere install_ours install_fake is_off 5
}

case_KilledAtAnyStepOfTurningOnAgainItCanGoOn() {
    kill_everywhere install_both install_next is_next 5
}

case_KilledAtAnyStepOfRemovingItCanGoOn() {
    kill_everywhere install_ours remove_ours is_removed 3
}

# --- What was built ---------------------------------------------------------

# How the compiler and the linker were told to harden a library.
hardening() {
    readelf -W -d "$1" | grep -oE 'BIND_NOW|TEXTREL' | sort -u
    readelf -W -l "$1" | grep -oE 'GNU_RELRO|GNU_STACK +.* RW ' | awk '{ print $1 }'
    readelf -W --dyn-syms "$1" | grep -oE '__(stack_chk_fail|memcpy_chk|snprintf_chk|memset_chk)' |
        sort -u
}

case_TheLibraryIsHardenedAsDebiansOwn() {
    hardening "$debs/libnss3.so" >theirs
    hardening "$debs/ours.so" >ours
    cat theirs
    grep -q BIND_NOW theirs && grep -q __stack_chk_fail theirs
    [ -z "$(comm -23 <(sort theirs) <(sort ours))" ]
    # A library that was built without the distribution's flags differs.
    echo 'int plain;' | cc -shared -fPIC -o plain.so -x c -
    hardening plain.so >plain
    [ -n "$(comm -23 <(sort theirs) <(sort plain))" ]
}

# The package must export what libnss3's exports, and nothing more.
case_TheLibraryHasTheSymbolsOfDebiansOwn() {
    local name
    for name in libnss3 ours; do
        readelf -W --dyn-syms "$debs/$name.so" |
            awk '$7 != "UND" && $5 == "GLOBAL" { print $8 }' | sort >$name.symbols
    done
    [ "$(wc -l <ours.symbols)" -gt 100 ]
    diff libnss3.symbols ours.symbols
}

case_LintianSaysNothingThatItDoesNotSayOfDebiansOwn() {
    tags() {
        lintian --allow-root --tag-display-limit 0 --show-overrides "$@" 2>&1 |
            sed -n -E 's/^([EWO]): [^:]*: ([a-z0-9-]*).*/\1 \2/p' | sort | uniq -c
    }
    tags "$debs/libnss3.deb" "$root"/build/download/nss_"$release"-*.dsc >theirs
    tags "$root"/build/deb/*.changes "$root"/build/deb/*.dsc >ours
    cat theirs
    diff <(grep -v ' O ' theirs) <(grep -v ' O ' ours)
    # It does say something of a package with a fault.
    dpkg-deb -R "$debs/ours.deb" faulty
    rm faulty/usr/share/doc/*/copyright
    dpkg-deb -b --root-owner-group faulty faulty.deb
    tags faulty.deb | grep ' E no-copyright-file'
}

case_TheSourcePackageIsDebiansWithOnePatchMore() {
    dpkg-source --no-check -x "$root"/build/deb/*.dsc tree
    local series=tree/debian/patches/series src=$root/build/src/nss-$release
    diff <(cat "$src/debian/patches/series"; echo sslsnce.patch) $series
    patch -R -E -p1 -s -F0 -d tree <tree/debian/patches/sslsnce.patch
    diff -r "$src/nss" tree/nss
    diff "$src/debian/rules" tree/debian/nss-rules
}
