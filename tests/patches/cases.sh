# What patches/apply promises. Sourced by run; in a case, $PWD has a fresh
# tree/ (the files of NSS that matter), the same as stock/, and ours/.

setup() {
    {
        printf '%s\n' lib/nss/nss.h lib/ssl/ssl.h lib/ssl/sslsnce.c lib/ssl/sslimpl.h
        sed -n 's,^+++ b/\([^	]*\).*,\1,p' "$root/patches/$series"/*.patch
    } | sort -u >files
    mkdir tree
    (cd "$source" && tar -cf - -T -) <files | tar -xf - -C tree
    cp -a tree stock
    mkdir ours
    cp -a "$root/patches" "$root/sslsnce" "$root/include" ours/
    apply=ours/patches/apply
}

same() { diff -r "$1" "$2"; }
snce=tree/lib/ssl/snce

# fails_with STATUS TEXT COMMAND...: the command fails so and says TEXT.
fails_with() {
    local want=$1 text=$2 status=0
    shift 2
    "$@" >said 2>&1 || status=$?
    cat said
    [ $status -eq "$want" ]
    grep -qF -- "$text" said
}

# says TEXT COMMAND...: the command succeeds and says TEXT.
says() { fails_with 0 "$@"; }

case_ApplyThenUndoGivesTheTreeBackByteForByte() {
    $apply tree
    not diff -rq stock tree
    $apply --undo tree
    same stock tree
}

case_CheckTellsAStockTreeFromAPatchedOne() {
    fails_with 1 "without sslsnce" $apply --check tree
    $apply tree
    says "with this sslsnce" $apply --check tree
}

case_DryRunChangesNothing() {
    says "would patch lib/ssl/Makefile" $apply --dry-run tree
    same stock tree
    $apply tree
    cp -a tree before
    $apply --dry-run tree
    same before tree
}

case_ApplyingTwiceTouchesNoFile() {
    $apply tree
    touch mark
    sleep 0.02
    says "nothing to do" $apply tree
    [ -z "$(find tree -type f -newer mark)" ]
}

case_NssOwnFileIsLeftAlone() {
    $apply tree
    cmp stock/lib/ssl/sslsnce.c tree/lib/ssl/sslsnce.c
}

case_TheParentOfNssWillDoToo() {
    mkdir up
    mv tree up/nss
    $apply up
    [ -f up/nss/lib/ssl/snce/APPLIED ]
}

case_ReleaseIsReadFromTheTree() {
    [ "$($apply --release tree)" = "$release" ]
}

# pretend RELEASE: the tree says that it is of this release.
pretend() {
    sed -i 's/define NSS_VERSION "[^"]*"/define NSS_VERSION "'"$1"'"/' \
        tree/lib/nss/nss.h
}

case_UnknownReleaseIsRefusedByName() {
    pretend 3.9.9
    cp -a tree before
    fails_with 2 "this tree is NSS 3.9.9; there are patches for: " $apply tree
    grep -qF "$series" said
    grep -qF -- --try said
    not grep -q minimal said
    fails_with 2 "this tree is NSS 3.9.9; there are patches for: " \
        $apply --minimal tree
    same before tree
}

case_TheSeriesIsThatOfTheReleasesRange() {
    cp -aL ours/patches/$series series
    rm -r ours/patches/[0-9]*-[0-9]*
    mv series ours/patches/3.100-3.102
    for known in 3.100 3.100.7 3.101.2 3.102.9; do
        pretend $known
        $apply tree
        [ "$(cut -d ' ' -f 1,2 $snce/APPLIED)" = "$known 3.100-3.102" ]
        $apply --undo tree
    done
    for unknown in 3.99 3.103 3.10 3.1000 2.101 4.101; do
        pretend $unknown
        fails_with 2 "there are patches for: 3.100-3.102" $apply tree
    done
}

# Rows for a file follow the heading of their patch: "| `FILE` ... |".
case_TheReadmeExplainsEachHunk() {
    local p file hunks rows
    for p in ours/patches/$series/*.patch; do
        awk '/^\+\+\+ b/ { sub(".*/", ""); file = $1 } /^@@/ { n[file]++ }
            END { for (f in n) print f, n[f] }' "$p" >hunks
        [ -s hunks ]
        while read -r file hunks; do
            rows=$(awk -v patch="### \`${p##*/}\`" -v row="| \`$file\`" '
                /^##/ { on = index($0, patch) == 1 }
                on && index($0, row) == 1 { n++ }
                END { print n + 0 }' ours/patches/README.md)
            echo "$p $file: $hunks hunks, $rows rows"
            [ "$rows" -eq "$hunks" ]
        done <hunks
    done
}

case_RangesOfReleasesDoNotOverlap() {
    ls -d ours/patches/[0-9]*-[0-9]*/ | sed 's,/$,,; s,.*/,,' | sort -V >ranges
    [ -s ranges ]
    tr - '\n' <ranges >limits
    sort -V limits | cmp - limits
    [ "$(sort -u limits | wc -l)" -eq "$(wc -l <limits)" ]
}

case_TryTakesTheNearestSeriesAndTheTreeRemembersIt() {
    pretend "${series%%.*}.1"
    cp -a tree before
    local nearest
    nearest=$(ls -d ours/patches/[0-9]*-[0-9]*/ | sed 's,/$,,; s,.*/,,' |
        sort -V | head -n 1)
    cp -aL ours/patches/$series series
    rm -rf ours/patches/$series ours/patches/$nearest
    mv series ours/patches/$nearest
    says "trying those for $nearest" $apply --try tree
    says "with this sslsnce" $apply --check tree
    says "nothing to do" $apply tree
    $apply --undo tree
    same before tree
    $apply --try --minimal tree
    $apply --try --minimal --undo tree
    same before tree
}

case_TryAllowsNoLooserFit() {
    pretend 3.9999
    local newest
    newest=$(ls -d ours/patches/[0-9]*-[0-9]*/ | sed 's,/$,,; s,.*/,,' |
        sort -V | tail -n 1)
    rm -rf ours/patches/$newest
    cp -aL "$root/patches/$series" ours/patches/$newest
    # Another word in a line of context: with fuzz, the hunk would fit.
    sed -i '0,/^ \(.*ticket_allow_psk_dhe_ke\)/s//  \1/' \
        ours/patches/$newest/20-libssl.patch
    cp -a tree before
    fails_with 2 "the patches for $newest do not fit" $apply --try tree
    same before tree
}

case_AHunkThatFitsInTwoPlacesIsRefused() {
    local f=lib/ssl/sslnonce.c
    cat stock/$f >>tree/$f
    cp -a tree before
    fails_with 2 "fits in 2 places" $apply tree
    grep -qF "$f, hunk " said
    same before tree
}

case_ADirectoryThatIsNoNssIsRefused() {
    mkdir other
    fails_with 2 "no NSS source tree" $apply other
    fails_with 2 "no such directory" $apply absent
    fails_with 2 usage $apply
    fails_with 2 usage $apply --frobnicate tree
}

case_AHunkThatDoesNotFitChangesNothing() {
    # The last file of the last patch, so that all the others would fit.
    local f
    f=$(sed -n 's,^+++ b/\([^	]*\).*,\1,p' ours/patches/$series/*.patch | tail -n 1)
    sed -i 's/^/x/' "tree/$f"
    cp -a tree before
    fails_with 2 "Nothing was changed" $apply tree
    same before tree
}

case_AnEditedSourceIsCopiedAloneAndOthersKeepTheirTime() {
    $apply tree
    touch mark
    sleep 0.02
    local f
    f=$(cd ours/sslsnce && find core nss -name '*.c' | sort | head -n 1)
    echo '/* edited */' >>"ours/sslsnce/$f"
    fails_with 3 "other sources" $apply --check tree
    $apply tree
    [ "$(find tree -type f -newer mark)" = "$snce/$f" ]
}

case_SourcesThatComeAndGoComeAndGoInBothLists() {
    $apply tree
    echo 'extern int sncenew;' >ours/sslsnce/core/sncenew.c
    $apply tree
    grep -q 'snce/core/sncenew.c' $snce/sources.mn
    grep -q "'core/sncenew.c'" $snce/sources.gypi
    rm ours/sslsnce/core/sncenew.c
    $apply tree
    [ ! -e $snce/core/sncenew.c ]
    not grep -q sncenew $snce/sources.mn $snce/sources.gypi
    $apply --undo tree
    same stock tree
}

case_BothListsNameEverySource() {
    $apply tree
    (cd $snce && find core nss -name '*.c' | sort) >want
    sed -n 's,^ *snce/\(.*\.c\) .*,\1,p' $snce/sources.mn | sort >mn
    sed -n "s,^ *'\(.*\.c\)'.*,\1,p" $snce/sources.gypi | sort >gypi
    [ -s want ]
    cmp want mn
    cmp want gypi
}

case_OtherPatchesTakeThePlaceOfThoseBefore() {
    $apply tree
    sed -i 's/NSS_SSL_SNCE=1/NSS_SSL_SNCE=2/' ours/patches/$series/10-build.patch
    fails_with 3 "other patches" $apply --check tree
    $apply tree
    grep -q NSS_SSL_SNCE=2 tree/lib/ssl/Makefile
    not grep -q NSS_SSL_SNCE=1 tree/lib/ssl/Makefile
}

case_UndoTakesOffWhatWasAppliedEvenIfPatchesChangedSince() {
    $apply tree
    sed -i 's/NSS_SSL_SNCE=1/NSS_SSL_SNCE=2/' ours/patches/$series/10-build.patch
    $apply --undo tree
    same stock tree
}

case_UndoKeepsWhatTheUserChangedElsewhere() {
    echo '# mine' >>stock/lib/ssl/Makefile
    $apply tree
    echo '# mine' >>tree/lib/ssl/Makefile
    $apply --undo tree
    same stock tree
}

case_UndoRefusesWhereTheUserChangedThePatchedLines() {
    $apply tree
    sed -i 's/-DNSS_SSL_SNCE=1/-DMINE=1/' tree/lib/ssl/Makefile
    cp -a tree before
    fails_with 2 "Nothing was changed" $apply --undo tree
    same before tree
}

case_UndoOfAStockTreeDoesNothing() {
    says "nothing to undo" $apply --undo tree
    same stock tree
}

case_APathWithSpacesIsNoObstacle() {
    mkdir "a b"
    mv tree "a b/t r"
    mv ours "a b/o u"
    "a b/o u/patches/apply" "a b/t r"
    "a b/o u/patches/apply" --check "a b/t r"
    "a b/o u/patches/apply" --undo "a b/t r"
    same stock "a b/t r"
}

# Puts commands in front of the real ones that kill the caller, as SIGKILL
# would, when the file operation whose number the file "at" has is about to happen.
killers() {
    mkdir bin
    local c
    for c in mv cp rm rmdir mkdir patch; do
        printf '%s\n' '#!/bin/sh' \
            "read n <'$PWD/count'; n=\$((n + 1)); echo \$n >'$PWD/count'" \
            "read at <'$PWD/at'" \
            "[ \$n -ne \$at ] || { kill -9 \$PPID; exit 1; }" \
            "exec $(command -v $c) \"\$@\"" >bin/$c
        chmod +x bin/$c
    done
}

# One file of each kind, and two short patches, are enough to be killed at, and
# keep this short.
few_files() {
    local d
    for d in ours/sslsnce/core ours/sslsnce/nss ours/include/sslsnce; do
        find $d -name '*.[ch]' | sort | tail -n +2 | xargs -r rm
    done
    ls -LS ours/patches/$series/*.patch | grep -v /10-build | head -n -1 |
        xargs -r rm
}

# kill_everywhere MODE FROM: kills `apply MODE` at each of its file operations
# on a copy of FROM. After that, apply must give patched/ and undo stock/.
kill_everywhere() {
    local n=0 status
    killers
    while :; do
        n=$((n + 1))
        rm -rf one two
        cp -a "$2" one
        echo 0 >count
        echo $n >at
        status=0
        PATH=$PWD/bin:$PATH $apply $1 one >/dev/null 2>&1 || status=$?
        [ $status -ne 0 ] || break
        cp -a one two
        $apply one >/dev/null
        same patched one
        $apply --undo two >/dev/null
        same stock two
    done
    echo "killed at $((n - 1)) places"
    [ $n -gt 15 ]
}

case_KilledAtAnyStepOfApplyTheTreeCanGoOnOrBack() {
    few_files
    cp -a tree patched
    $apply patched
    kill_everywhere "" tree
}

case_KilledAtAnyStepOfUndoTheTreeCanGoOnOrBack() {
    few_files
    cp -a tree patched
    $apply patched
    kill_everywhere --undo patched
}

case_KilledWhileChangingPatchesTheTreeCanGoOnOrBack() {
    few_files
    $apply tree
    sed -i 's/NSS_SSL_SNCE=1/NSS_SSL_SNCE=2/' ours/patches/$series/10-build.patch
    cp -a stock patched
    $apply patched
    kill_everywhere "" tree
}

case_AHalfDoneTreeIsReportedAndNotTouchedByCheck() {
    mkdir -p $snce/journal
    echo apply >$snce/journal/ready
    cp -a tree before
    fails_with 3 "half done" $apply --check tree
    fails_with 2 "interrupted" $apply --dry-run tree
    same before tree
}

case_ATreeThatIsPatchedButLostItsMarkIsRefused() {
    $apply tree
    rm -r $snce
    cp -a tree before
    fails_with 2 "Nothing was changed" $apply tree
    same before tree
}

# The patch of patches/minimal, by hand.
minimal() {
    patch -p1 -f -F0 -r - --no-backup-if-mismatch "$@" -d tree \
        <"$(ls ours/patches/minimal/*.patch)" >said 2>&1
}

case_TheMinimalPatchFitsExactlyAndChangesOneFile() {
    minimal
    not grep -q fuzz said
    [ "$(diff -rq stock tree)" = \
        "Files stock/lib/ssl/sslsnce.c and tree/lib/ssl/sslsnce.c differ" ]
}

case_TheMinimalPatchComesOffByteForByte() {
    minimal
    not minimal
    minimal -R
    same stock tree
    not minimal -R
    same stock tree
}

case_ApplyPutsTheMinimalPatchOnAndTakesItOff() {
    cp -a tree other
    minimal
    fails_with 1 "without the minimal patch" $apply --minimal --check other
    says "would patch lib/ssl/sslsnce.c" $apply --minimal --dry-run other
    same stock other
    $apply --minimal other
    same tree other
    says "with the minimal patch" $apply --minimal --check other
    says "nothing to do" $apply --minimal other
    same tree other
    $apply --minimal --undo other
    same stock other
    says "nothing to undo" $apply --minimal --undo other
    sed -i 's/now > sce/now  > sce/' other/lib/ssl/sslsnce.c
    cp -a other before
    fails_with 2 "Nothing was changed" $apply --minimal other
    same before other
}

case_TheMinimalPatchAndSslsnceAreNotInEachOthersWay() {
    minimal
    cp -a tree before
    $apply tree
    minimal -R
    cmp stock/lib/ssl/sslsnce.c tree/lib/ssl/sslsnce.c
    minimal
    $apply --undo tree
    same before tree
}
