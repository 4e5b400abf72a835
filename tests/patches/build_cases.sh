# What NSS's two build systems make of a patched tree, and make install.
# Sourced by run.

# objects_on SYSTEM [VARIABLE=VALUE...]: the objects of libssl that NSS's make would
# build there.
objects_on() {
    local system=$1
    shift
    env -u MAKEFLAGS -u NSS_SSL_SNCE BUILD_OPT=1 NSPR_INCLUDE_DIR=. NSPR_LIB_DIR=. \
        make -s --no-print-directory -C tree/lib/ssl get_objs OS_TARGET=$system "$@" |
        tr ' ' '\n'
}

# A tree with all that lib/ssl/Makefile reads.
patch_for_make() {
    rm -rf tree
    mkdir tree
    (cd "$source" && tar -cf - lib/ssl lib/nss gtests/ssl_gtest \
        coreconf) | tar -xf - -C tree
    $apply tree
}

# builds_ours, builds_nss_own: what the list of objects says.
builds_ours() {
    grep -q '/snce/nss/sslsnce\.o$' objects
    [ "$(grep -c '/snce/core/' objects)" -eq "$(ls $snce/core/*.c | wc -l)" ]
    not grep -q 'OBJ/sslsnce\.o$' objects
}
builds_nss_own() {
    grep -q 'OBJ/sslsnce\.o$' objects
    not grep -q /snce/ objects
}

case_MakeBuildsOursOnLinuxAndNssOwnElsewhere() {
    patch_for_make
    objects_on Linux USE_64=1 >objects
    builds_ours
    for system in FreeBSD Darwin SunOS; do
        objects_on $system USE_64=1 >objects
        builds_nss_own
    done
}

# tests/portability asks for more processors.
case_MakeBuildsNssOwnWhereAtomicsAreNotLockFree() {
    patch_for_make
    case $(uname -m) in
    x86_64)
        objects_on Linux XCFLAGS=-march=i486 2>said >objects
        builds_nss_own
        grep -q 'sslsnce needs lock-free 64-bit atomics' said
        objects_on Linux XCFLAGS=-march=i586 >objects
        builds_ours
        ;;
    esac
    # The compiler is asked without options that make it write a file.
    CC='cc -MMD -MP' objects_on Linux USE_64=1 >objects
    builds_ours
    [ -z "$(find tree -name 'snce*.d')" ]
}

case_MakeBuildsNssOwnIfItIsTold() {
    patch_for_make
    objects_on Linux USE_64=1 NSS_SSL_SNCE=0 >objects
    builds_nss_own
    objects_on Linux XCFLAGS=-march=i486 NSS_SSL_SNCE=1 >objects
    builds_ours
}

# gyp_sources SYSTEM [PROCESSOR] [-DVARIABLE=VALUE]: what gyp takes for libssl there,
# in the whole of NSS.
gyp_sources() {
    (cd whole && gyp --depth=. -f gypd -DOS=$1 -Dtarget_arch=${2:-x64} ${3-} \
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

case_GypBuildsNssOwnWhereAtomicsAreNotLockFreeOrIfItIsTold() {
    cp -a "$source" whole
    $apply whole
    case $(uname -m) in
    x86_64)
        CC='gcc -march=i486' gyp_sources linux ia32 >sources
        grep -qx 'sslsnce\.c' sources
        not grep -q '^snce/' sources
        CC=gcc gyp_sources linux ia32 >sources
        not grep -qx 'sslsnce\.c' sources
        grep -qx 'snce/nss/sslsnce\.c' sources
        ;;
    esac
    gyp_sources linux x64 -Dssl_snce=0 >sources
    grep -qx 'sslsnce\.c' sources
    not grep -q '^snce/' sources
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

# The regression suite's mutants, which take long to build, are seen here first. Those
# that change files of NSS are for the release that CI builds.
case_EveryFaultOfTheRegressionSuiteFits() {
    $apply tree
    for fault in "$root"/tests/regress/mutants/*.patch; do
        echo "$fault"
        [ "$release" = 3.87.1 ] || ! grep '^+++ b/' "$fault" | grep -qv /snce/ ||
            continue
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
