/* Faults on purpose, for tests: a statement fails as if the disk had. */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

struct store;

/*
 * The n-th statement from now (1: the next one), on any connection of the store, fails once. BEGIN
 * and COMMIT count.
 */
void store_fail_after(struct store *store, long statements);

#endif
