/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* grow.pml: a table grows by a page (linear hashing) while sessions of one key
 * are stored, removed and looked up. The key belongs to the half of the old
 * page that moves to the new one. slot.pml shows that a slot is read whole or
 * not at all: so an entry is one word here, and late stores are left out.
 *
 * A process that is stopped is one that spin does not choose for a while; one
 * that dies is one that it never chooses again. Both happen at every step. */

/* ---- sizes, which `run` may set
 * ------------------------------------------- */

#ifndef SPLITTERS
#define SPLITTERS 2 /* at most 3 */
#endif
#ifndef INSERTERS
#define INSERTERS 0 /* at most 2 */
#endif
#ifndef REMOVERS
#define REMOVERS 0
#endif
#ifndef READERS
#define READERS 0
#endif
#ifndef GROWTHS
#define GROWTHS 1 /* at most 2 */
#endif
#ifndef OLD_SLOTS
#define OLD_SLOTS 2 /* the key's slots in the old page; at most 2 */
#endif
#ifndef OVERRIDES
#define OVERRIDES 0 /* claims that a splitter or an insert may override */
#endif

/* ---- versions ------------------------------------------------------------- */

/* There is one key, so one tag; a claim that empties a slot has no tag. */
#define EMPTY 0
#define FULL 1
#define BUSY 2    /* claimed for an entry */
#define LEAVING 3 /* claimed to be emptied */
#define VISITED 4
#define STATE(v) ((v) & 3)
#define NEXT(v, state) ((((v) >> 3) + 1) << 3 | (state))
#define WITH(v, state) (((v) & ~7) | (state))
#define SAME(a, b) ((((a) ^ (b)) & ~VISITED) == 0)

/* ---- the region ----------------------------------------------------------- */

/* The slots of the key, in the order in which every process looks. A second
 * growth splits the place of slot 2: the page that the first growth made or,
 * with SPLIT_OTHER, the key's other set. */
#define SLOTS 5
#define NONE 5
#define OLD ((1 << OLD_SLOTS) - 1) /* sets */
#define SECOND 4
#define THIRD 8
#define LAST 16

byte version[SLOTS];
byte entry[SLOTS]; /* the session stored there */

/* The size word: it counts up, and is odd while a page is split. */
byte word;
#define END (2 * GROWTHS)
#define SPLITTING(w) ((w) & 1)

/* Sets of slots, one for each value of the word: where lookups and removals
 * look, which slots a splitter empties, and where inserts store. */
#define FOR_WORDS(set0, set1, set2, set3, set4) \
    ((set0) | (set1) << 5 | (set2) << 10 | (set3) << 15 | (set4) << 20)
#ifdef SPLIT_OTHER
#define AT_FIRST (OLD | SECOND)
#define FIRST_ELSEWHERE 2
#else
#define AT_FIRST (OLD | LAST)
#define FIRST_ELSEWHERE 4
#endif
#define LOOKED_AT \
    FOR_WORDS(AT_FIRST, OLD | SECOND | LAST, SECOND | LAST, \
              SECOND | THIRD | LAST, THIRD | LAST)
#define SPLIT FOR_WORDS(0, OLD, 0, SECOND, 0)
#ifdef FAULT_STORES_IN_OLD
#define STORED_IN LOOKED_AT
#else
#define STORED_IN (LOOKED_AT & ~(SPLIT))
#endif
#define HAS(sets, w, s) ((sets) >> 5 * (w) + (s) & 1)
#define SEES(w, s) HAS(LOOKED_AT, w, s)
#define STORES(w, s) HAS(STORED_IN, w, s)

/* ---- only for the assertions
 * ---------------------------------------------- */

/* Sets of sessions: session 0 was there before, 1 and 2 are the inserters'. */
byte claims;   /* sessions that have had a slot */
byte ended;    /* sessions whose insert has ended */
byte removed;  /* that no lookup may get from now on: a removal has ended, */
byte replaced; /* or a later insert has stored another session, */
byte dropped;  /* or their own insert has returned as dropped */
byte overrides;

/* spin's message shows the name of the variable: the guarantee. */
hidden byte G2;
hidden byte G5;
hidden byte FOUND;
hidden byte LATEST;
hidden byte LEFT;
hidden byte DROPPED;

#define IN(set, n) ((set) >> (n) & 1)

/* Checks session |n| against what a lookup may not get that began with these
 * sets. */
inline Judge(n, isRemoved, isReplaced, isDropped)
{
    G5 = !IN(isRemoved, n);
    assert(G5);
    LATEST = !IN(isReplaced, n);
    assert(LATEST);
    DROPPED = !IN(isDropped, n);
    assert(DROPPED)
}

/* Checks what a quick lookup that begins now finds in slot |n|. */
inline JudgeSlot(n)
{
    if
    :: STATE(version[n]) == FULL && SEES(word, n) ->
       Judge(entry[n], removed, replaced, dropped)
    :: n < 2 && STATE(version[n]) == FULL && word >= 2 ->
       LEFT = !IN(ended, entry[n]);
       assert(LEFT)
    :: else
    fi
}

inline JudgeAll()
{
    JudgeSlot(0);
    JudgeSlot(1);
    JudgeSlot(2);
    JudgeSlot(3);
    JudgeSlot(4)
}

/* ---- shared steps
 * ---------------------------------------------------------- */

/* snceSlot_Vacate, if the claim was not overridden. */
inline Vacate(s, claim)
{
    atomic {
        if
        :: version[s] == claim -> version[s] = WITH(claim, EMPTY); entry[s] = 0
        :: else
        fi;
        claim = 0
    }
}

/* Whether a slot may be claimed for an entry. It may hold an entry of another
 * key; that makes no difference. */
#ifdef FAULT_CLAIMS_ARE_FREE
#define MAY_OVERRIDE true
#else
#define MAY_OVERRIDE (overrides < OVERRIDES)
#endif
#define MAY_CLAIM(s) \
    (STATE(version[s]) == EMPTY || ((STATE(version[s]) & BUSY) && MAY_OVERRIDE))

inline Claim(s, claim)
{
    overrides = overrides + (STATE(version[s]) & BUSY -> 1 : 0);
    claim = NEXT(version[s], BUSY);
    version[s] = claim;
    entry[s] = 0
}

#ifdef FAULT_CLAIMS_STAND
#define TO_REMOVE(s) (STATE(version[s]) == FULL)
#else
#define TO_REMOVE(s) (STATE(version[s]) == FULL || STATE(version[s]) == BUSY)
#endif

/* snceTable_Remove: takes out every slot that is looked at under |w|, except
 * slot |except|. If |only| is not NONE, it takes out only that session, and all
 * claims, because nobody knows which session a claim is for. */
#define GOES(s, except, only) \
    ((s) != (except) && TO_REMOVE(s) && \
     ((only) == NONE || STATE(version[s]) == BUSY || entry[s] == (only)))

/* The |s|th slot in the order of a lookup: the old page first. */
#ifdef FAULT_NEW_FIRST
#define NTH(w, s) (((s) + 2 * ((w) == 1)) % SLOTS)
#else
#define NTH(w, s) (s)
#endif

/* Counts |s| up to the next slot that is looked at under |w|. */
inline Advance(w, s)
{
    do
    :: s < SLOTS && !SEES(w, NTH(w, s)) -> s++
    :: else -> break
    od
}

inline Remove(w, except, only)
{
    s = 0;
    do
    :: atomic {
           claim == 0;
           Advance(w, s);
           if
           :: s == SLOTS -> s = 0; break
           :: s < SLOTS && GOES(NTH(w, s), except, only) ->
              claim = NEXT(version[NTH(w, s)], LEAVING);
              version[NTH(w, s)] = claim
           :: else -> s++
           fi
       }
    :: atomic {
           claim != 0;
           if
           :: version[NTH(w, s)] == claim ->
              version[NTH(w, s)] = WITH(claim, EMPTY);
              entry[NTH(w, s)] = 0
           :: else
           fi;
           claim = 0;
           s++
       }
    od
}

/* ---- an insert makes the table grow, or helps
 * ------------------------------ */

/* Whether a splitter takes out its copy in slot |s| when the source is gone. */
#ifdef FAULT_TAKES_BACK_ALWAYS
#define TAKES_BACK(s) true
#else
#ifdef FAULT_BETTER_COPY_WINS
#define TAKES_BACK(s) ((s) == 4 && STATE(version[2]) == FULL)
#else
#ifdef FAULT_LEAVES_EARLY
#define TAKES_BACK(s) (!STORES(word, s))
#else
#define TAKES_BACK(s) (!SEES(word, s))
#endif
#endif
#endif

proctype Splitter()
{
    byte w, from, seen, session, to, claim;
    bool own; /* the entry at |from| is this splitter's own copy */

begin:
    atomic {
        if
        :: !SPLITTING(word) && word < END -> word++
        :: else
        fi;
        w = word;
        if
        :: SPLITTING(w) -> from = (w == 1 -> 0 : 2)
        :: else -> goto done
        fi
    };
#ifdef FAULT_ENDS_EARLY
    atomic {
        if
        :: word == w -> word = w + 1; JudgeAll()
        :: else
        fi
    };
#endif
look:
    atomic {
        if
        :: STATE(version[from]) == FULL ->
           seen = version[from];
           session = entry[from]
        :: else -> goto next
        fi;
        if
        :: to = (w == 1 -> 2 : 3)
        :: to = 4
        fi
    };
#ifdef FAULT_TAKEN_FIRST
    atomic {
        if
        :: SAME(version[from], seen) ->
           version[from] = WITH(NEXT(version[from], 0), EMPTY);
           entry[from] = 0
        :: else -> goto next
        fi
    };
#endif
#ifdef FAULT_SOURCE_CHECKED_FIRST
    if
    :: SAME(version[from], seen) && word == w
    :: else -> goto next
    fi;
#endif
    /* snceTable_Place with a source: it looks at the other place, then at the
     * one that it claims if nothing has changed there since. */
    if
    :: STATE(version[(to == 4 -> (w == 1 -> 2 : 3) : 4)]) == FULL ->
       to = NONE;
       goto take /* SNCE_EXISTS */
    :: else
    fi;
    atomic {
        if
        :: STATE(version[to]) == FULL -> to = NONE; goto take
        :: MAY_CLAIM(to) -> Claim(to, claim)
        fi
    };
#ifndef FAULT_SOURCE_CHECKED_FIRST
#ifndef FAULT_TAKEN_FIRST
#ifndef FAULT_SOURCE_UNCHECKED
    if
    :: SAME(version[from], seen)
    :: else -> goto giveBack
    fi;
#endif
#ifndef FAULT_WORD_UNCHECKED
    if
    :: word == w
    :: else -> goto giveBack
    fi;
#endif
#endif
#endif
    atomic {
        if
        :: version[to] == claim ->
           version[to] = WITH(claim, FULL);
           entry[to] = session;
           claim = version[to];
           JudgeSlot(to)
        :: else ->
           claim = 0;
#ifdef FAULT_TAKES_ANYWAY
           to = NONE
#else
           to = 0; seen = 0; session = 0;
#ifdef FAULT_LOST_IS_DONE
           goto next
#else
           goto look
#endif
#endif
        fi
    };
take:
    atomic {
        if
#ifdef FAULT_NOTE_IS_CHANGE
        :: version[from] == seen ->
#else
        :: SAME(version[from], seen) ->
#endif
           seen = NEXT(version[from], LEAVING);
           version[from] = seen
        :: else -> goto kept
        fi
    };
    Vacate(from, seen);
#if GROWTHS == 2
    /* The pass may be over, and a late insert may have stored in the old page. */
    goto kept;
#else
    goto next;
#endif
giveBack:
    Vacate(to, claim);
#if GROWTHS == 2
    if
    :: own -> atomic { to = from; claim = seen; goto kept }
    :: else
    fi;
#endif
    goto next;
kept:
    /* Other processes may rely on the copy, so it stays where lookups look. But
     * its page may be split by now, and the pass may already have looked at
     * this slot: then the splitter carries the copy on. In the model that is a
     * whole pass, because that page has one slot of the key. */
    atomic {
        if
        :: to != NONE && SAME(version[to], claim) && TAKES_BACK(to) ->
           claim = NEXT(version[to], LEAVING);
           version[to] = claim;
           own = false;
           goto giveBack
#if GROWTHS == 2
#ifndef FAULT_LATE_COPY_STAYS
        :: to != NONE && SAME(version[to], claim) && HAS(SPLIT, word, to) ->
           w = word; from = to; own = true;
           seen = 0; session = 0; to = 0; claim = 0;
           goto look
#endif
#endif
        :: else
        fi
    };
next:
    atomic {
        from++; seen = 0; session = 0; to = 0; claim = 0; own = false;
        if
        :: w == 1 && HAS(SPLIT, 1, from) -> goto look
        :: else
        fi
    };
    atomic {
        if
        :: word == w -> word = w + 1; JudgeAll()
        :: else
        fi;
        w = 0; from = 0
    };
#if GROWTHS == 2
    if
    :: goto begin
    :: true
    fi;
#endif
done:
    atomic { w = 0; from = 0 }
}

/* ---- snceCache_Insert ----------------------------------------------------- */

proctype Inserter(byte me)
{
    byte w, now, former, at, s, claim, mine;
    bool others, stored;

    former = ended;
anew:
    atomic {
        w = word;
        if
        :: STORES(w, 0) -> at = 0
        :: STORES(w, 1) -> at = 1
        :: STORES(w, 2) -> at = 2
        :: STORES(w, 3) -> at = 3
        :: STORES(w, 4) -> at = 4
        fi
    };
    /* Choose: it looks at the other slots, then at the one that it claims. */
    do
    :: atomic {
           Advance(w, s);
           if
           :: s == SLOTS -> s = 0; break
           :: s < SLOTS && s != at && STORES(w, s) && TO_REMOVE(s) ->
              others = true;
              s++
           :: else -> s++
           fi
       }
    od;
    atomic {
        STATE(version[at]) == FULL || MAY_CLAIM(at);
        Claim(at, claim);
        claims = claims | 1 << me;
#ifdef FAULT_CLAIM_UNSEEN
        others = false
#endif
    };
#ifdef FAULT_WORD_READ_EARLY
    now = word;
#endif
    atomic {
        if
        :: version[at] == claim ->
           version[at] = WITH(claim, FULL);
           entry[at] = me;
           mine = version[at];
           claim = 0;
           stored = true
        :: else ->
#if REMOVERS == 0 && OVERRIDES == 0 && INSERTERS == 1
           /* Nobody died and nobody removes. */
           G2 = !STORES(word, at);
           assert(G2);
#endif
           goto done
        fi
    };
    atomic {
#ifndef FAULT_WORD_READ_EARLY
        now = word;
#endif
        if
        :: now == w && !SPLITTING(w) && !others -> goto done
        :: else -> w = now
        fi
    };
settle:
    if
    :: STORES(w, at) ->
#ifndef FAULT_OTHERS_STAY
       Remove(w, at, NONE);
#endif
       skip
    :: else ->
#ifdef FAULT_STAYS_IN_OLD
       skip
#else
       atomic {
           if
           :: SAME(version[at], mine) ->
              claim = NEXT(version[at], LEAVING);
              version[at] = claim
           :: else
           fi;
           stored = false
       };
       Vacate(at, claim);
#ifndef FAULT_COPIES_STAY
       Remove(w, NONE, me);
#endif
#ifdef FAULT_STORED_ANEW
       goto anew
#else
       skip
#endif
#endif
    fi;
#ifndef FAULT_SETTLES_ONCE
    atomic {
        if
        :: word != w -> w = word; goto settle
        :: else
        fi
    };
#endif
done:
    atomic {
        ended = ended | 1 << me;
        if
        :: stored -> replaced = replaced | former
        :: else -> dropped = dropped | 1 << me
        fi;
        JudgeAll();
        w = 0; now = 0; former = 0; at = 0; s = 0; claim = 0; mine = 0;
        others = false; stored = false
    }
}

/* ---- snceCache_Remove ----------------------------------------------------- */

proctype Remover()
{
    byte w, s, claim, doomed;

    atomic { doomed = claims; w = word };
again:
    Remove(w, NONE, NONE);
#ifndef FAULT_REMOVAL_TRUSTED
    atomic {
        if
        :: word != w -> w = word; goto again
        :: else
        fi
    };
#endif
    atomic {
        removed = removed | doomed;
        JudgeAll();
        w = 0; doomed = 0
    }
}

/* ---- snceCache_Lookup ----------------------------------------------------- */

proctype Reader()
{
    byte w, s, isRemoved, isReplaced, isDropped;

    atomic {
        isRemoved = removed; isReplaced = replaced; isDropped = dropped;
        w = word
    };
look:
    atomic {
        Advance(w, s);
        if
        :: s == SLOTS -> goto missed
        :: else
        fi;
        if
        :: STATE(version[NTH(w, s)]) == FULL ->
           Judge(entry[NTH(w, s)], isRemoved, isReplaced, isDropped);
           version[NTH(w, s)] = version[NTH(w, s)] | VISITED;
           goto done
        :: else -> s++; goto look
        fi
    };
missed:
#ifndef FAULT_MISS_TRUSTED
    atomic {
        if
        :: word != w -> w = word; s = 0; goto look
        :: else
        fi
    };
#endif
#if INSERTERS == 0 && REMOVERS == 0
    FOUND = false; /* no process removed or replaced it */
    assert(FOUND);
#endif
done:
    atomic { w = 0; s = 0; isRemoved = 0; isReplaced = 0; isDropped = 0 }
}

/* ---- when all processes have ended
 * ----------------------------------------- */

#ifdef AT_REST
#define IS_LEFT(s) (STATE(version[s]) == FULL && !SEES(word, s))

proctype Last()
{
    atomic {
        _nr_pr == 2; /* this process and init */
        LEFT = !(IS_LEFT(0) || IS_LEFT(1) || IS_LEFT(2) || IS_LEFT(3) ||
                 IS_LEFT(4));
        assert(LEFT)
    }
}
#endif

init
{
    atomic {
#ifndef STARTS_EMPTY
        if
        :: version[0] = NEXT(0, FULL) /* session 0 */
        :: version[FIRST_ELSEWHERE] = NEXT(0, FULL)
        :: version[0] = NEXT(0, FULL);
           version[FIRST_ELSEWHERE] = NEXT(0, FULL)
        fi;
#endif
        claims = 1;
        ended = 1;
#ifdef AT_REST
        run Last();
#endif
        run Splitter();
#if SPLITTERS >= 2
        run Splitter();
#endif
#if SPLITTERS >= 3
        run Splitter();
#endif
#if INSERTERS >= 1
        run Inserter(1);
#endif
#if INSERTERS >= 2
        run Inserter(2);
#endif
#if REMOVERS >= 1
        run Remover();
#endif
#if READERS >= 1
        run Reader();
#endif
    }
}
