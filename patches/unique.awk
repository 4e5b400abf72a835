# unique.awk: says which hunks of a patch do not fit a tree at exactly one place.
#
#   awk -v tree=DIR -f unique.awk PATCH
#
# `patch` takes the nearest place where the lines of a hunk fit. A hunk whose lines
# stand in a file twice could thus land in the wrong function of another release,
# without a word. For each such hunk this prints the file, the hunk's line numbers,
# and the number of places. The exit status is 1 if there is one.

# Reads the file that the next hunks change.
function read_file(name,   line) {
    file = name
    lines = 0
    while ((getline line <(tree "/" file)) > 0) text[++lines] = line
    close(tree "/" file)
}

# Counts the places where the hunk's old lines stand in the file.
function judge(   at, i, places) {
    if (wanted == 0) return
    places = 0
    for (at = 1; at + wanted - 1 <= lines; at++) {
        for (i = 1; i <= wanted && text[at + i - 1] == old[i]; i++) continue
        if (i > wanted) places++
    }
    if (places != 1) {
        print file ", hunk " hunk ": fits in " places " places"
        status = 1
    }
    wanted = 0
}

/^--- / && oldLeft + newLeft == 0 { judge(); next }
/^\+\+\+ b\// && oldLeft + newLeft == 0 {
    sub(/^\+\+\+ b\//, "")
    sub(/\t.*/, "")
    read_file($0)
    next
}
# Hunks have both lengths: "@@ -10,4 +10,6 @@".
/^@@ -[0-9]+,[0-9]+ \+[0-9]+,[0-9]+ @@/ && oldLeft + newLeft == 0 {
    judge()
    hunk = $2 " " $3
    split($2, o, ",")
    split($3, n, ",")
    oldLeft = o[2]
    newLeft = n[2]
    next
}
/^@@/ && oldLeft + newLeft == 0 {
    print "a hunk without both lengths: " $0
    status = 1
    next
}
oldLeft + newLeft == 0 { next }
/^-/ { old[++wanted] = substr($0, 2); oldLeft--; next }
/^\+/ { newLeft--; next }
{ old[++wanted] = substr($0, 2); oldLeft--; newLeft-- }

END {
    judge()
    exit status
}
