/* An api of a few lines that test_serve starts through the supervisor, and the roles of the same
 * program in a sandbox. */
#ifndef FAKE_API_H
#define FAKE_API_H

/* Runs what argv asks for if this is such a start; -1: it is the test itself. */
int fake_api_main(int argc, char **argv);

#endif
