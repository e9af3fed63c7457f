/* Calls that are too easy to get wrong become compile errors. Included by the Makefile with -include, so that no file can
 * forget it; system headers come first because some of them declare these names. */
#ifndef HP_BASE_BANNED_H
#define HP_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atoll mktemp tmpnam gets

#endif
