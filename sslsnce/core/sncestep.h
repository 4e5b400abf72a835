/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncestep.h: the named steps at which tests may stop or kill a process. */
#ifndef SNCESTEP_H
#define SNCESTEP_H

/* SNCE_STEP names a step. In the builds for users it does nothing. */
#ifdef SNCE_STEPS
void snceStep(const char *name);
#define SNCE_STEP(name) snceStep(name)
#else
#define SNCE_STEP(name) ((void)0)
#endif

#endif /* SNCESTEP_H */
