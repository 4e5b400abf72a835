# Test cases that are shell functions. Sourced by suites in bash.
#
# A case is a function case_NAME. It runs in a directory of its own below $work, after
# the suite's function setup, and fails at its first command that fails. Afterwards
# the suite's function clear_up gets the directory. If a case prints "killed at ...", the
# suite shows that line.

# The shell's own ! would not end a case.
not() { ! "$@"; }

run_case() {
    local dir=$work/$1
    mkdir "$dir"
    # Not as a condition: there, the shell would go on after a failure.
    (
        set -e
        cd "$dir"
        setup
        $1
    ) >"$work/$1.out" 2>&1
    echo $? >"$work/$1.status"
    clear_up "$dir"
}

# run_cases LONG: runs all cases, or those that the pattern FILTER matches, as many at
# a time as there are processors. Cases that match the regular expression LONG come
# first, because they take longest. Prints a line for each, then the sum, and returns 1
# if one failed or none ran.
run_cases() {
    local all case passed=0 failed=0
    all=$(declare -F | sed -n 's/^declare -f \(case_.*\)/\1/p')
    for case in $(echo "$all" | grep -E "$1") $(echo "$all" | grep -vE "$1"); do
        [[ $case == ${FILTER:-*} ]] || continue
        [ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
        run_case "$case" &
    done
    wait
    for case in $all; do
        [ -f "$work/$case.status" ] || continue
        if [ "$(cat "$work/$case.status")" = 0 ]; then
            passed=$((passed + 1))
            echo "ok   ${case#case_}"
            sed -n 's/^killed at /     &/p' "$work/$case.out"
        else
            failed=$((failed + 1))
            echo "FAIL ${case#case_}"
            tail -n 25 "$work/$case.out" | sed 's/^/     /'
        fi
    done
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
}
