// SPDX-License-Identifier: GPL-2.0-or-later
//
// What time it is, in microseconds: when this program starts ("stamp"), or just before it becomes
// another ("stamp COMMAND ARGS..."). It stands in QEMU's place to tell when QEMU would have started:
// QEMU's arguments begin with '-'.

#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%lld\n", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    fflush(stdout);
    if (argc < 2 || argv[1][0] == '-')
        return 0;
    execv(argv[1], argv + 1);
    return 127;
}
