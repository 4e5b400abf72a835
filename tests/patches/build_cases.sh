# What NSS's two build systems make of a patched tree, and make install.
# Sourced by run.

# objects_on SYSTEM: the objects of libssl that NSS's make would build there.
objects_on() {
    env -u MAKEFLAGS BUILD_OPT=1 USE_64=1 NSPR_INCLUDE_DIR=. NSPR_LIB_DIR=. \
        make -s --no-print-directory -C tree/lib/ssl get_objs OS_TARGET=$1 |
        tr ' ' '\n'
}

case_MakeBuildsOursOnLinuxAndNssOwnElsewhere() {
    rm -rf tree
    mkdir tree
    (cd "$source" && tar -cf - lib/ssl lib/nss gtests/ssl_gtest \
        coreconf) | tar -xf - -C tree
    $apply tree
    objects_on Linux >objects
    grep -q '/snce/nss/sslsnce\.o$' objects
    [ "$(grep -c '/snce/core/' objects)" -eq "$(ls $snce/core/*.c | wc -l)" ]
    not grep -q 'OBJ/sslsnce\.o$' objects
    for system in FreeBSD Darwin SunOS; do
        objects_on $system >objects
        grep -q 'OBJ/sslsnce\.o$' objects
        not grep -q /snce/ objects
    done
}

# gyp_sources SYSTEM: what gyp takes for libssl there, in the whole of NSS.
gyp_sources() {
    (cd whole && gyp --depth=. -f gypd -DOS=$1 -Dtarget_arch=x64 \
        -Dcc_is_gcc=1 -Dcc_is_clang=0 -Dpython=python3 \
        -Denable_sslkeylogfile=0 -Duse_system_sqlite=1 \
        -Dnspr_include_dir=. -Dnspr_lib_dir=. -Dnspr_libs=-lnspr4 \
        -Dnss_dist_dir=dist -Dnss_dist_obj_dir=dist/obj \
        lib/ssl/ssl.gyp >&2)
    python3 -c 'if 1:
        import ast, sys
        for t in ast.literal_eval(open(sys.argv[1]).read())["targets"]:
            if t["target_name"] == "ssl":
                print("\n".join(t["sources"]))
                flags = t["configurations"]["Release"].get("cflags_c", [])
                print("\n".join(f for f in flags if f.startswith("-std")))
        ' whole/lib/ssl/ssl.gypd
}

case_GypBuildsOursOnLinuxAndNssOwnElsewhere() {
    cp -a "$source" whole
    $apply whole
    gyp_sources linux >sources
    grep -qx 'snce/nss/sslsnce\.c' sources
    [ "$(grep -c '^snce/core/' sources)" -eq \
        "$(ls whole/lib/ssl/snce/core/*.c | wc -l)" ]
    not grep -qx 'sslsnce\.c' sources
    [ "$(grep '^-std' sources)" = -std=gnu11 ]
    for system in mac win; do
        gyp_sources $system >sources
        grep -qx 'sslsnce\.c' sources
        not grep -q '^snce/' sources
    done
}

case_WhatMakeInstallInstallsPatchesATreeAlike() {
    make -C "$root" install DESTDIR="$PWD/root" PREFIX=/usr
    [ -f root/usr/include/sslsnce/snce.h ]
    diff -r root/usr/share/sslsnce/patches/minimal "$root/patches/minimal"
    cp -a tree other
    $apply tree
    root/usr/share/sslsnce/patches/apply other
    same tree other
    root/usr/share/sslsnce/patches/apply --undo other
    same stock other
}

# The regression suite's mutants, which take long to build, are seen here first.
case_EveryFaultOfTheRegressionSuiteFits() {
    $apply tree
    for fault in "$root"/tests/regress/mutants/*.patch; do
        echo "$fault"
        patch -p1 -s -f -F0 --dry-run -d tree <"$fault"
    done
}

case_EveryHoleForTheFuzzersFits() {
    "$root/tests/fuzz/holes" --fit
}

case_EveryFaultOfSecretsAndTicketKeysFits() {
    for fault in "$root"/tests/secrets/mutants/*.patch \
        "$root"/tests/nss/mutants/*.patch; do
        echo "$fault"
        patch -p1 -s -f -F0 --dry-run -r - -d "$root" <"$fault"
    done
}
