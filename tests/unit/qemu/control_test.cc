// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/control.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "tests/unit/testing.h"

namespace tapgate {
namespace {

// Is QEMU for the state of a VM, but has no sockets, and ends after a while.
pid_t ending_qemu(const std::string& pidfile) {
    std::array<int, 2> ready{};
    EXPECT_EQ(pipe(ready.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        const int fd = open(pidfile.c_str(), O_RDWR | O_CREAT, 0600);
        const bool locked = fcntl(fd, F_SETLK, &lock) == 0 && ::write(ready[1], "R", 1) == 1;
        usleep(700000);
        _exit(locked ? 0 : 1);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

TEST(Control, TellsOfAnEndThatTakesAWhile) {
    const TemporaryDirectory directory;
    setenv("XDG_RUNTIME_DIR", directory.path().c_str(), 1);
    const VmName lab = VmName::parse("lab").value();
    std::filesystem::create_directories(directory.file("tapgate/lab"));
    for (const char* part : {"tapgate", "tapgate/lab"})
        std::filesystem::permissions(directory.file(part), std::filesystem::perms::owner_all);
    const pid_t qemu = ending_qemu(directory.file("tapgate/lab/qemu.pid"));
    EXPECT_EQ(vm_state(lab).qemu, qemu);
    EXPECT_EQ(error_of([&] { guest_status(lab); }), "lab has just ended");
    EXPECT_EQ(waitpid(qemu, nullptr, 0), qemu);
    unsetenv("XDG_RUNTIME_DIR");
}

}  // namespace
}  // namespace tapgate
