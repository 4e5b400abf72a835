/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* slot.pml: the slots of one table, word by word (rules 2 to 5 of
 * sslsnce/README.md). README.md says which function of the code each step
 * models, and `run` with which sizes and faults the model is checked.
 *
 * A process that is stopped is one that spin does not choose for a while; one
 * that dies is one that it never chooses again. Both happen at every step. */

/* ---- sizes, which `run` may set
 * ------------------------------------------- */

#ifndef SLOTS
#define SLOTS 2 /* slots that can hold the key; at most 2 */
#endif
#ifndef WRITERS
#define WRITERS 2 /* at most 3; each stores one session */
#endif
#ifndef REMOVERS
#define REMOVERS 1 /* of key 1 */
#endif
#ifndef READERS
#define READERS 1
#endif
/* What the writers store. Session 0 is there from the beginning. If two writers
 * have the same key and data, they store the same session at once. */
#ifndef KEY1
#define KEY1 1
#endif
#ifndef KEY2
#define KEY2 1
#endif
#ifndef KEY3
#define KEY3 1
#endif
#ifndef DATA1
#define DATA1 1
#endif
#ifndef DATA2
#define DATA2 2
#endif
#ifndef DATA3
#define DATA3 3
#endif
#ifndef OTHER_TAG
#define OTHER_TAG 1 /* the tag of key 2; key 1 has tag 1 */
#endif

/* ---- snceversion.h -------------------------------------------------------- */

/*   generation 5 bits | ticket 4 | tag 2 | visited 1 | state 2 */
#define EMPTY 0
#define FULL 1
#define BUSY 2
#define VISITED 4
#define STATE(v) ((v) & 3)
#define TAG(v) ((v) >> 3 & 3)
#define TICKET(v) ((v) >> 5 & 15)
#define GENERATION(v) ((v) >> 9 & 31)

#define VERSION(state, tag, ticket, generation) \
    (((generation) & 31) << 9 | ((ticket) & 15) << 5 | (tag) << 3 | (state))
#define SAME(a, b) ((((a) ^ (b)) & ~(15 << 5 | VISITED)) == 0)
#define MATCHES(v, state, tag) (STATE(v) == (state) && TAG(v) == (tag))

#ifdef FAULT_GENERATION_STAYS
#define NEXT(v) (GENERATION(v) == 0 -> 1 : GENERATION(v))
#else
#define NEXT(v) (GENERATION(v) + 1)
#endif
#define CLAIMED(v, tag) VERSION(BUSY, tag, 0, NEXT(v))
#define PUBLISHED(claim) VERSION(FULL, TAG(claim), 0, GENERATION(claim))
#define VACATED(claim) \
    VERSION(EMPTY, 0, 0, GENERATION(claim))

/* ---- the region ----------------------------------------------------------- */

short version[SLOTS];
short sum[SLOTS]; /* an entry has three words: checksum, key, data */
byte key[SLOTS];
byte data[SLOTS];

#define WORD_SUM 1 /* sets of words */
#define WORD_KEY 2
#define WORD_DATA 4
#define ALL_WORDS 7
#ifndef STEPS
#define STEPS 3
#endif

/* A checksum without collisions. It leaves out the place, because no step of
 * this model stores outside its own slot. */
#ifdef BLIND_SUM
#define SUM(v, k, d) 1
#else
#ifdef FAULT_SUM_WITHOUT_GENERATION
#define SUM(v, k, d) (TAG(v) << 5 | (k) << 3 | (d))
#else
#define SUM(v, k, d) (GENERATION(v) << 7 | TAG(v) << 5 | (k) << 3 | (d))
#endif
#endif

#ifdef FAULT_NO_SUM
#define SUM_FITS(s, v, k, d) true
#else
#define SUM_FITS(s, v, k, d) ((s) == SUM(v, k, d))
#endif

/* Session n: 0 was there before, 1 to 3 are the writers', 4 is the passer's. */
#define KEY(n) \
    ((n) == 0 -> 1 : ((n) == 1 -> KEY1 : ((n) == 2 -> KEY2 : \
     ((n) == 3 -> KEY3 : 2))))
#define DATA(n) \
    ((n) == 0 -> 5 : ((n) == 1 -> DATA1 : ((n) == 2 -> DATA2 : \
     ((n) == 3 -> DATA3 : 4))))
#define TAG_OF(k) ((k) == 1 -> 1 : OTHER_TAG)
#define IS(n, k, d) (KEY(n) == (k) && DATA(n) == (d))
#define WAS_PUT_IN(k, d) \
    (IS(0, k, d) || IS(1, k, d) || (WRITERS >= 2 && IS(2, k, d)) || \
     (WRITERS >= 3 && IS(3, k, d)) || IS(4, k, d))

/* ---- only for the assertions
 * ---------------------------------------------- */

byte truth[SLOTS]; /* the session that was published there; 0 also while BUSY */
byte claims;       /* sessions that have had a slot, as a set */
byte gone;         /* sessions that no reader may get any more */
bool overridden;   /* at least one claim was overridden */
#ifdef PATIENCE
byte owner[SLOTS]; /* the process that made the claim there */
byte ended;        /* processes that have ended, as a set */
#endif
#ifdef AT_REST
byte running = WRITERS + REMOVERS;
#endif

/* spin's message shows the name of the variable: the guarantee. */
hidden byte G2;
hidden byte G3;
hidden byte G4;
hidden byte G5;
hidden byte G9;

/* ---- shared steps
 * ---------------------------------------------------------- */

/* Which claims may be overridden: snceClaim_Abandoned and FindAmongClaims. An
 * insert that passes a claim notes the time in it; an insert that passes it
 * more than PATIENCE later takes it back. Where every slot of both sets is
 * claimed, an insert takes back the next claim round the set at once. Only the
 * Passer lets time pass. Without PATIENCE, a claim may be overridden at any
 * time, which is more than the code does (rule 5). */
#ifdef PATIENCE
byte now = 1;
#if SLOTS == 2
#define HAND ((GENERATION(version[0]) + GENERATION(version[1])) % SLOTS)
#define ALL_BUSY (STATE(version[0]) == BUSY && STATE(version[1]) == BUSY)
#else
#define HAND 0
#define ALL_BUSY (STATE(version[0]) == BUSY)
#endif
#ifdef FAULT_NEVER_TAKEN_BACK
#define ABANDONED(s) false
#else
#ifdef FAULT_PASSED_IS_DEAD
#define ABANDONED(s) (TICKET(version[s]) != 0)
#else
#define ABANDONED(s) \
    (TICKET(version[s]) != 0 && now - TICKET(version[s]) > PATIENCE)
#endif
#endif
#ifdef FAULT_ALL_BUSY_GIVES_UP
#define MAY_OVERRIDE(s) ABANDONED(s)
#else
#ifdef NO_CROWD
#define MAY_OVERRIDE(s) ABANDONED(s)
#else
#define MAY_OVERRIDE(s) (ABANDONED(s) || (ALL_BUSY && HAND == (s)))
#endif
#endif
#else
#ifdef NO_OVERRIDE
#define MAY_OVERRIDE(s) false
#else
#define MAY_OVERRIDE(s) true
#endif
#endif

#ifdef PATIENCE
inline Pass(slot)
{
    if
    :: STATE(version[slot]) == BUSY && TICKET(version[slot]) == 0 ->
       version[slot] = version[slot] | now << 5
    :: else
    fi
}
#endif

/* snceSlot_End: another process may have noted the time in the claim
 * meanwhile. */
#ifdef FAULT_END_KNOWS_NO_PASSER
#define STANDS(s, claim) (version[s] == (claim))
#else
#define STANDS(s, claim) SAME(version[s], claim)
#endif

/* Makes |claim| the version, and records its owner. */
inline Claim(s, claim, me)
{
    overridden = overridden || STATE(version[s]) == BUSY;
    version[s] = claim;
    truth[s] = 0;
#ifdef PATIENCE
    owner[s] = me;
#endif
}

/* Records that a process has ended. */
inline End(me)
{
#ifdef PATIENCE
    ended = ended | 1 << me;
#endif
#ifdef AT_REST
    running--;
#endif
    skip
}

/* An entry is stored, wiped and loaded in three steps: its checksum, its key,
 * its data. With STEPS 2, key and data are one step; with STEPS 1, all words
 * are. The steps have the order of the code; with ANY_ORDER they have any
 * order, as if the stores had no release and the loads no acquire between them.
 * A step that is left out has no words. */
#if STEPS == 3
#define FIRST WORD_SUM
#define SECOND WORD_KEY
#define LAST WORD_DATA
#endif
#if STEPS == 2
#define FIRST WORD_SUM
#define SECOND 0
#define LAST (WORD_KEY | WORD_DATA)
#endif
#if STEPS == 1
#define FIRST 0
#define SECOND 0
#define LAST ALL_WORDS
#endif

inline StoreThese(s, k, d, c, words)
{
    sum[s] = ((words) & WORD_SUM -> SUM(c, k, d) : sum[s]);
    key[s] = ((words) & WORD_KEY -> k : key[s]);
    data[s] = ((words) & WORD_DATA -> d : data[s])
}

inline WipeThese(s, words)
{
    sum[s] = ((words) & WORD_SUM -> 0 : sum[s]);
    key[s] = ((words) & WORD_KEY -> 0 : key[s]);
    data[s] = ((words) & WORD_DATA -> 0 : data[s])
}

inline LoadThese(s, mySum, myKey, myData, words)
{
    mySum = ((words) & WORD_SUM -> sum[s] : mySum);
    myKey = ((words) & WORD_KEY -> key[s] : myKey);
    myData = ((words) & WORD_DATA -> data[s] : myData)
}

/* Takes the words of one step out of those that are |left|. */
inline Choose(left, words)
{
    if
    :: left & WORD_SUM -> words = WORD_SUM
    :: left & WORD_KEY -> words = WORD_KEY
    :: left & WORD_DATA -> words = WORD_DATA
    fi;
    left = left & ~words
}

#ifdef ANY_ORDER
inline StoreWords(s, k, d, c, all)
{
    left = all;
    do
    :: atomic {
           Choose(left, words);
           StoreThese(s, k, d, c, words);
           words = 0;
           if
           :: left == 0 -> break
           :: else
           fi
       }
    od
}
#else
inline StoreWords(s, k, d, c, all)
{
#if STEPS >= 2
    d_step { StoreThese(s, k, d, c, FIRST & (all)) };
#endif
#if STEPS >= 3
    d_step { StoreThese(s, k, d, c, SECOND & (all)) };
#endif
    d_step { StoreThese(s, k, d, c, LAST & (all)) }
}
#endif

inline WipeWords(s)
{
#if STEPS >= 2
    d_step { WipeThese(s, FIRST) };
#endif
#if STEPS >= 3
    d_step { WipeThese(s, SECOND) };
#endif
    d_step { WipeThese(s, LAST) }
}

/* Nothing that happens between the first look and the first load, or between
 * the last load and the second look, can turn a miss into a hit: if the version
 * is the same at both looks, it was the same all the time. So each pair is one
 * step. */
#ifdef ANY_ORDER
#define WITH_FIRST_LOOK 0
#define WITH_SECOND_LOOK 0
inline LoadBetween(s, mySum, myKey, myData)
{
    left = ALL_WORDS;
    do
    :: atomic {
           Choose(left, words);
           LoadThese(s, mySum, myKey, myData, words);
           words = 0;
           if
           :: left == 0 -> break
           :: else
           fi
       }
    od
}
#else
#define WITH_FIRST_LOOK FIRST
#define WITH_SECOND_LOOK LAST
inline LoadBetween(s, mySum, myKey, myData)
{
#if STEPS >= 3
    d_step { LoadThese(s, mySum, myKey, myData, SECOND) }
#else
    skip
#endif
}
#endif

/* snceSlot_Vacate */
inline Empty(s, claim)
{
    if
    :: STANDS(s, claim) -> version[s] = VACATED(claim)
    :: else
    fi
}

/* Vacate of sncetable.c: wipes the words first. */
inline Vacate(s, claim)
{
#ifdef FAULT_VACATE_BEFORE_WIPING
    atomic { Empty(s, claim); claim = 0 }
    WipeWords(s);
#else
    WipeWords(s);
    atomic { Empty(s, claim); claim = 0 }
#endif
}

/* ---- snceTable_Place: a writer stores session |me| ------------------------ */

/* FindSame, FindRested and FindVictim only choose a slot, and every choice is
 * claimed in the same way. So the model takes any slot, even if that makes a
 * second entry of the same key. A claim whose compare-and-swap fails has
 * changed nothing, so the model leaves out that it is tried again: look and
 * claim are one step, except where the clock matters. */
proctype Writer(byte me)
{
    short v; /* the version as it was seen, then the claim */
    byte s;
#ifdef ANY_ORDER
    byte left, words;
#endif

#ifdef FAULT_STORE_BEFORE_CLAIM
    data[0] = DATA(me);
#endif
#ifdef PATIENCE
look:
    atomic {
        Pass(0);
        Pass(SLOTS - 1);
        if
        :: s = 0
#if SLOTS == 2
        :: s = 1
#endif
        fi;
        v = version[s];
        if
        :: STATE(v) != BUSY || MAY_OVERRIDE(s)
        :: else -> goto done /* SNCE_DROPPED */
        fi
    }
    atomic {
        if
        :: version[s] == v -> v = CLAIMED(v, TAG_OF(KEY(me)))
        :: else -> v = 0; s = 0; goto look
        fi;
#else
    atomic {
        if
        :: STATE(version[0]) != BUSY || MAY_OVERRIDE(0) -> s = 0
#if SLOTS == 2
        :: STATE(version[1]) != BUSY || MAY_OVERRIDE(1) -> s = 1
#endif
        fi;
        v = CLAIMED(version[s], TAG_OF(KEY(me)));
#endif
        Claim(s, v, me);
        claims = claims | 1 << me
    }
#ifdef FAULT_STORE_BEFORE_CLAIM
    StoreWords(s, KEY(me), DATA(me), v, WORD_SUM | WORD_KEY);
#else
#ifdef FAULT_STORE_AFTER_PUBLISHING
    StoreWords(s, KEY(me), DATA(me), v, WORD_SUM | WORD_KEY);
#else
    StoreWords(s, KEY(me), DATA(me), v, ALL_WORDS);
#endif
#endif

    /* snceSlot_Publish */
    atomic {
        if
#ifdef FAULT_PLAIN_PUBLISH
        :: true ->
#else
        :: STANDS(s, v) ->
#endif
           version[s] = PUBLISHED(v);
           truth[s] = me;
#ifdef FAULT_STORE_AFTER_PUBLISHING
           goto published;
#else
           goto done;
#endif
        :: else ->
#ifdef NO_CROWD
           /* Nobody died, no time passed, no removal ran: nothing is lost. */
           G2 = false;
           assert(G2)
#endif
        fi;
#ifdef FAULT_NO_CLEAN_UP
        goto done
#endif
    }

    /* snceTable_CleanUp: the late writer wipes what it stored, unless the slot
     * holds an entry that it did not spoil. Whoever emptied the slot may have
     * wiped it already. */
    atomic {
        if
        :: STATE(version[s]) == EMPTY
#ifndef FAULT_CLEAN_UP_EMPTY_ONLY
        :: STATE(version[s]) == BUSY
#endif
#ifndef FAULT_CLEAN_UP_NO_ENTRY
        :: STATE(version[s]) == FULL &&
               !SUM_FITS(sum[s], version[s], key[s], data[s])
#endif
        :: else -> goto done
        fi;
        v = CLAIMED(version[s], 0);
        Claim(s, v, me)
    }
    Vacate(s, v);
#ifdef FAULT_STORE_AFTER_PUBLISHING
    goto done;
published:
    data[s] = DATA(me);
#endif
done:
    atomic { End(me); v = 0; s = 0 }
}

/* ---- snceTable_Remove of key 1 -------------------------------------------- */

/* Sessions of key 1, as a set. */
#define OF_KEY_1 \
    (1 | (KEY1 == 1 -> 2 : 0) | (KEY2 == 1 -> 4 : 0) | (KEY3 == 1 -> 8 : 0))

/* The removal leaves another session alone, but not spoiled words: a second
 * late writer may make them whole again. */
#ifdef FAULT_SPOILED_KEY_TRUSTED
#define IS_ANOTHER(s, v, k, d) ((k) != 1)
#else
#define IS_ANOTHER(s, v, k, d) ((k) != 1 && SUM_FITS(s, v, k, d))
#endif

proctype Remover(byte me)
{
    short v, mySum; /* the version as it was seen, then the claim */
    byte s, myKey, myData, doomed;
#ifdef ANY_ORDER
    byte left, words;
#endif

    /* Every session that had its slot when the removal began must be gone when
     * the removal returns. A writer that claims later overlaps, and may win or
     * lose. */
    atomic { doomed = claims & OF_KEY_1; goto look }

next:
    atomic {
        s++;
        if
        :: s == SLOTS -> goto done
        :: else
        fi
    }
look:
    atomic {
        if
        :: MATCHES(version[s], FULL, 1) ->
           v = version[s];
           LoadThese(s, mySum, myKey, myData, WITH_FIRST_LOOK)
        :: MATCHES(version[s], BUSY, 1) ->
#ifdef NO_OVERRIDE
           goto next
#else
#ifdef FAULT_CLAIMS_STAND
           goto next
#else
           v = CLAIMED(version[s], 0);
           Claim(s, v, me);
           goto claimed
#endif
#endif
        :: else -> goto next
        fi
    }
#ifdef FORCE
    /* The last try, in the model any: by force, half of all generations
     * away. */
    if
    :: true ->
       atomic {
           v = VERSION(BUSY, 0, 0, GENERATION(v) + 17);
           Claim(s, v, me);
           overridden = true;
           mySum = 0;
           goto claimed
       }
    :: true
    fi;
#endif
    LoadBetween(s, mySum, myKey, myData);
    atomic {
        LoadThese(s, mySum, myKey, myData, WITH_SECOND_LOOK);
        /* The version is unchanged; then comes the compare-and-swap of the
         * claim. */
        if
        :: version[s] != v ->
           v = 0; mySum = 0; myKey = 0; myData = 0;
           goto look
        :: else
        fi;
        if
        :: IS_ANOTHER(mySum, v, myKey, myData) ->
           v = 0; mySum = 0; myKey = 0; myData = 0;
           goto next
        :: else
        fi;
        v = CLAIMED(v, 0);
        mySum = 0; myKey = 0; myData = 0;
        Claim(s, v, me);
#ifdef FAULT_FIRST_MATCH_ONLY
        Vacate(s, v);
        goto done
#endif
    }
claimed:
    Vacate(s, v);
    goto next;

done:
    atomic { gone = gone | doomed; End(me); s = 0; doomed = 0 }
}

/* ---- snceTable_Read, at any slot at any time ------------------------------ */

proctype Reader()
{
    short v, mySum;
    byte s, myKey, myData, published, goneBefore;
#ifdef ANY_ORDER
    byte left, words;
#endif

    /* snceSlot_Version. A lookup looks at all slots of its key; the model
     * judges each look as a lookup of its own that begins here. */
    atomic {
        if
        :: STATE(version[0]) == FULL -> s = 0
#if SLOTS == 2
        :: STATE(version[1]) == FULL -> s = 1
#endif
        fi;
        v = version[s];
        published = truth[s];
        goneBefore = gone;
        LoadThese(s, mySum, myKey, myData, WITH_FIRST_LOOK)
    }
#ifdef FAULT_SECOND_LOOK_EARLY
    if
    :: SAME(version[s], v)
    :: else -> goto done
    fi;
#endif
    LoadBetween(s, mySum, myKey, myData);
    atomic {
        LoadThese(s, mySum, myKey, myData, WITH_SECOND_LOOK);
#ifndef FAULT_NO_SECOND_LOOK
#ifndef FAULT_SECOND_LOOK_EARLY
        if
        :: SAME(version[s], v)
        :: else -> goto done
        fi;
#endif
#endif
        if
        :: SUM_FITS(mySum, v, myKey, myData)
        :: else ->
#ifndef FAULT_NO_SECOND_LOOK
           /* Only an overridden writer spoils what another one stored. */
           G3 = overridden;
           assert(G3);
#endif
           goto done
        fi;
        G4 = WAS_PUT_IN(myKey, myData);
        assert(G4);
        /* The reader gets what the holder of this generation published, nothing
         * else. */
        G3 = IS(published, myKey, myData);
        assert(G3);
        G5 = !(myKey == 1 && (goneBefore >> published & 1));
        assert(G5);
        /* snceSlot_Use */
        if
        :: version[s] == v -> version[s] = v | VISITED
        :: else
        fi
    }
done:
    atomic {
        v = 0; mySum = 0; s = 0; myKey = 0; myData = 0;
        published = 0; goneBefore = 0
    }
}

/* ---- a process that comes while all others stand still
 * --------------------- */

#ifdef PATIENCE
#define PASSER 7
#define CAME_BY 3 /* inserts before time passes, and again after it */

#define OWNS(s, p) (STATE(version[s]) == BUSY && owner[s] == (p))

/* Stops all others where they are, or lets them die. Stores session 4 some
 * times, then lets time pass, and stores it again some times: every insert must
 * succeed, and no slot may stay claimed. Processes that were only stopped go on
 * afterwards. */
proctype Passer()
{
    byte n, s;
    short claim;

    d_step {
        /* A stopped process holds at most one slot, one that has ended holds
         * none. */
        n = 0;
        do
        :: n < 7 ->
#if SLOTS == 2
           G3 = !(OWNS(0, n) && OWNS(1, n)) &&
                !((ended >> n & 1) && (OWNS(0, n) || OWNS(1, n)));
#else
           G3 = !((ended >> n & 1) && OWNS(0, n));
#endif
           assert(G3);
           n++
        :: else -> break
        od;
        n = 0;
        do
        :: n < 2 * CAME_BY ->
           now = (n == CAME_BY -> now + PATIENCE + 1 : now);
           Pass(0);
           Pass(SLOTS - 1);
           /* FindRested, FindVictim, then FindAmongClaims: the first that finds a
            * slot. */
           s = 0;
           do
           :: s < SLOTS && !(STATE(version[s]) == BUSY && MAY_OVERRIDE(s)) ->
              s++
           :: else -> break
           od;
           if
           :: s == SLOTS ->
              s = 0;
              do
              :: s < SLOTS && STATE(version[s]) != EMPTY -> s++
              :: else -> break
              od
           :: else
           fi;
           if
           :: s == SLOTS ->
              s = HAND;
              if
              :: STATE(version[s]) != FULL -> s = SLOTS - 1 - s
              :: else
              fi;
              G3 = STATE(version[s]) == FULL;
              assert(G3)
           :: else
           fi;
           claim = CLAIMED(version[s], TAG_OF(2));
           overridden = overridden || STATE(version[s]) == BUSY;
           sum[s] = SUM(claim, 2, DATA(4));
           key[s] = 2;
           data[s] = DATA(4);
           version[s] = PUBLISHED(claim);
           truth[s] = 4;
           owner[s] = PASSER;
           n++
        :: else -> break
        od;
        G3 = STATE(version[0]) != BUSY && STATE(version[SLOTS - 1]) != BUSY;
        assert(G3);
        n = 0; s = 0; claim = 0
    }
}
#endif

/* ---- when all processes have ended
 * ----------------------------------------- */

#ifdef AT_REST
/* An empty slot holds zeros, a full one no data but its own. */
#define CLEAN(s) \
    ((STATE(version[s]) != EMPTY || \
      (sum[s] == 0 && key[s] == 0 && data[s] == 0)) && \
     (STATE(version[s]) != FULL || \
      data[s] == 0 || data[s] == DATA(truth[s])))

proctype Last()
{
    atomic {
        running == 0;
        G9 = CLEAN(0) && CLEAN(SLOTS - 1);
        assert(G9)
    }
}
#endif

init
{
    atomic {
        version[0] = VERSION(FULL, 1, 0, 1);
        sum[0] = SUM(version[0], 1, 5);
        key[0] = 1;
        data[0] = 5;
        claims = 1;
        run Writer(1);
#if WRITERS >= 2
        run Writer(2);
#endif
#if WRITERS >= 3
        run Writer(3);
#endif
#if REMOVERS >= 1
        run Remover(WRITERS + 1);
#endif
#if REMOVERS >= 2
        run Remover(WRITERS + 2);
#endif
#if READERS >= 1
        run Reader();
#endif
#ifdef PATIENCE
#ifndef NO_CROWD
        run Passer();
#endif
#endif
#ifdef AT_REST
        run Last();
#endif
    }
}
