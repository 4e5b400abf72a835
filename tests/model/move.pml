/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* move.pml: a cache moves from one backing store to another (rule 11 of
 * sslsnce/README.md) while sessions of one key are stored, removed and looked
 * up. slot.pml shows that a slot is read whole or not at all: so an entry is
 * one word here, and late stores are left out.
 *
 * A process that is stopped is one that spin does not choose for a while. When
 * a mover dies, another one follows and begins anew; any other process that
 * dies is one that spin never chooses again. */

/* ---- sizes, which `run` may set
 * ------------------------------------------- */

#ifndef INSERTERS
#define INSERTERS 1 /* at most 2 */
#endif
#ifndef REMOVERS
#define REMOVERS 1
#endif
#ifndef DEATHS
#define DEATHS 1 /* how many movers may die */
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

/* Backing store 0 is slots 0 and 1, backing store 1 is slots 2 and 3. */
#define SLOTS 2
#define NONE 4

byte version[4];
byte entry[4]; /* the session stored there */

/* The state word: backing store 0 is in use; both are, 0 first; 1 is. */
#define RESTS 0
#define MOVES 1
#define MOVED 2
byte life;
#define NOW(life) ((life) == RESTS -> 0 : 1) /* the one that takes inserts */

/* ---- only for the assertions
 * ---------------------------------------------- */

byte claims; /* sessions that have had a slot, as a set */
byte gone;   /* sessions that no reader may get any more */

/* spin's message shows the name of the variable: the guarantee. */
hidden byte G5;
hidden byte FOUND;

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

#ifdef FAULT_CLAIMS_STAND
#define TO_REMOVE(s) (STATE(version[s]) == FULL)
#else
#define TO_REMOVE(s) (STATE(version[s]) == FULL || STATE(version[s]) == BUSY)
#endif

/* snceTable_Remove: takes out every slot of the backing store |home| but
 * |except|. */
inline Remove(home, except)
{
    s = SLOTS * (home);
    do
    :: atomic {
           s < SLOTS * (home) + SLOTS && (s == (except) || !TO_REMOVE(s));
           s++
       }
    :: atomic {
           s < SLOTS * (home) + SLOTS && s != (except) && TO_REMOVE(s);
           claim = NEXT(version[s], LEAVING);
           version[s] = claim
       };
       Vacate(s, claim);
       s++
    :: s == SLOTS * (home) + SLOTS -> break
    od
}

/* ---- snceMove_Finish ------------------------------------------------------ */

proctype Mover()
{
    byte from, seen, session, to, claim, deaths;

    life = MOVES;
    goto begin;
again:
    /* The mover died, and the next change finishes its move. */
    atomic {
        deaths++;
        from = 0; seen = 0; session = 0; to = 0; claim = 0
    };
begin:
    do
    :: from == SLOTS -> break
    :: from < SLOTS && deaths < DEATHS -> goto again
    :: from < SLOTS ->
       atomic {
           if
           :: STATE(version[from]) == FULL ->
              seen = version[from];
              session = entry[from]
           :: else -> goto next
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
       :: SAME(version[from], seen)
       :: else -> goto next
       fi;
#endif
       /* snceTable_Place with a source. */
       atomic {
           if
           :: STATE(version[2]) == FULL || STATE(version[3]) == FULL ->
              to = 0;
              goto take /* SNCE_EXISTS */
           :: else
           fi;
           if
           :: to = 2
           :: to = 3
           fi;
           claim = NEXT(version[to], BUSY);
           version[to] = claim
       };
       if
       :: deaths < DEATHS -> goto again
       :: true
       fi;
#ifndef FAULT_SOURCE_CHECKED_FIRST
#ifndef FAULT_TAKEN_FIRST
       if
       :: SAME(version[from], seen)
       :: else -> Vacate(to, claim); goto next
       fi;
#endif
#endif
       atomic {
           if
           :: version[to] == claim ->
              version[to] = WITH(claim, FULL);
              entry[to] = session;
              claim = version[to]
           :: else -> to = 0; claim = 0
           fi
       };
       if
       :: deaths < DEATHS -> goto again
       :: true
       fi;
take:
       /* snceTable_Take of the old entry; if that is gone, of the copy. */
       atomic {
           if
           :: SAME(version[from], seen) ->
              claim = NEXT(version[from], LEAVING);
              version[from] = claim;
              to = from
           :: !SAME(version[from], seen) && to != 0 &&
              SAME(version[to], claim) ->
              claim = NEXT(version[to], LEAVING);
              version[to] = claim
           :: else -> goto next
           fi
       };
       if
       :: deaths < DEATHS -> goto again
       :: true
       fi;
       Vacate(to, claim);
next:
       atomic { from++; seen = 0; session = 0; to = 0; claim = 0 }
    od;
    life = MOVED;
    /* The old backing store's memory is given back. */
    atomic {
        version[0] = 0; entry[0] = 0; version[1] = 0; entry[1] = 0;
        from = 0; deaths = 0
    }
}

/* ---- snceCache_Insert ----------------------------------------------------- */

proctype Inserter(byte me)
{
    byte view, s, claim, mine, at;

    view = life;
    atomic {
        if
        :: at = SLOTS * NOW(view)
        :: at = SLOTS * NOW(view) + 1
        fi;
        claim = NEXT(version[at], BUSY);
        version[at] = claim;
        claims = claims | 1 << me
    };
publish:
    atomic {
        if
        :: version[at] == claim ->
           version[at] = WITH(claim, FULL);
           entry[at] = me;
           mine = version[at];
           claim = 0
        :: else -> goto done
        fi
    };
    if
    :: view == MOVES ->
       Remove(0, NONE);
       Remove(1, at)
    :: else
    fi;
    /* snceView_Moved, Confirm. */
    if
    :: life == view || NOW(life) == NOW(view) -> goto done
    :: else
    fi;
    atomic {
        if
        :: SAME(version[at], mine) ->
           claim = NEXT(version[at], LEAVING);
           version[at] = claim
        :: else -> goto done
        fi
    };
    Vacate(at, claim);
#ifdef FAULT_STORED_ANEW
    view = life;
    atomic {
        if
        :: at = SLOTS
        :: at = SLOTS + 1
        fi;
        claim = NEXT(version[at], BUSY);
        version[at] = claim;
        goto publish
    };
#else
    if
    :: life == MOVES ->
       /* Removes copies of this session only, and all claims, because nobody
        * knows which session a claim is for. */
       s = SLOTS;
       do
       :: s < 2 * SLOTS ->
          atomic {
              if
              :: STATE(version[s]) == BUSY ||
                 (STATE(version[s]) == FULL && entry[s] == me) ->
                 claim = NEXT(version[s], LEAVING);
                 version[s] = claim
              :: else -> claim = 0
              fi
          };
          if
          :: claim != 0 -> Vacate(s, claim)
          :: else
          fi;
          s++
       :: else -> break
       od
    :: else
    fi;
#endif
done:
    atomic { view = 0; s = 0; claim = 0; mine = 0; at = 0 }
}

/* ---- snceCache_Remove ----------------------------------------------------- */

proctype Remover()
{
    byte view, s, claim, doomed;

    doomed = claims;
again:
    view = life;
#ifdef FAULT_NEW_FIRST
    Remove(NOW(view), NONE);
#endif
    if
    :: view == MOVES -> Remove(0, NONE)
    :: else
    fi;
#ifndef FAULT_NEW_FIRST
    Remove(NOW(view), NONE);
#endif
#ifndef FAULT_LOOKS_ONCE
    if
    :: life != view -> goto again
    :: else
    fi;
#endif
    atomic { gone = gone | doomed; view = 0; s = 0; claim = 0; doomed = 0 }
}

/* ---- snceCache_Lookup ----------------------------------------------------- */

#ifdef FAULT_NEW_SEEN_FIRST
#define FIRST_SLOT(view) ((view) == RESTS -> 0 : 2)
#define NEXT_SLOT(view, s) ((view) == MOVES && (s) == 3 -> 0 : (s) + 1)
#define LAST_SLOT(view) ((view) == MOVED -> 3 : 1)
#else
#define FIRST_SLOT(view) ((view) == MOVED -> 2 : 0)
#define NEXT_SLOT(view, s) ((s) + 1)
#define LAST_SLOT(view) ((view) == RESTS -> 1 : 3)
#endif

proctype Reader()
{
    byte view, s, goneBefore;

    goneBefore = gone;
again:
    view = life;
    s = FIRST_SLOT(view);
look:
    atomic {
        if
        :: STATE(version[s]) == FULL ->
           G5 = !(goneBefore >> entry[s] & 1);
           assert(G5);
           version[s] = version[s] | VISITED; /* snceSlot_Use */
           goto done
        :: else
        fi;
        if
        :: s != LAST_SLOT(view) -> s = NEXT_SLOT(view, s); goto look
        :: else
        fi
    };
    if
    :: life != view -> goto again
    :: else
    fi;
#if INSERTERS == 0 && REMOVERS == 0
    /* No process removed it: it must be in one of the backing stores. */
    FOUND = false;
    assert(FOUND);
#endif
done:
    atomic { view = 0; s = 0; goneBefore = 0 }
}

init
{
    atomic {
        version[0] = NEXT(0, FULL); /* session 0 */
        claims = 1;
        run Mover();
#if INSERTERS >= 1
        run Inserter(1);
#endif
#if INSERTERS >= 2
        run Inserter(2);
#endif
#if REMOVERS >= 1
        run Remover();
#endif
        run Reader()
    }
}
