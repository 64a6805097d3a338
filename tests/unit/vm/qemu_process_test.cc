// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/qemu_process.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace tapgate {
namespace {

std::string words(std::initializer_list<const char*> list) {
    std::string text;
    for (const char* word : list)
        text.append(word).push_back('\0');
    return text;
}

TEST(QemuProcess, KnowsAVmByItsQemusCommandLine) {
    const auto vm = vm_in_command_line(
        words({"/usr/bin/qemu-system-x86_64", "-name", "guest=web,debug-threads=on", "-m",
               "size=1536M", "-pidfile", "/run/user/1000/tapgate/web/qemu.pid"}));
    ASSERT_TRUE(vm);
    EXPECT_EQ(vm->vm, "web");
    EXPECT_EQ(vm->memory, 1536U);
    EXPECT_EQ(vm->directory, "/run/user/1000/tapgate/web");
    // Others' VMs, and what only looks like one.
    EXPECT_FALSE(
        vm_in_command_line(words({"qemu-system-x86_64", "-name", "guest=web", "-m", "1G"})));
    EXPECT_FALSE(vm_in_command_line(words(
        {"qemu-system-x86_64", "-name", "guest=web", "-pidfile", "/tmp/tapgate/other/qemu.pid"})));
    EXPECT_FALSE(vm_in_command_line(words(
        {"qemu-system-x86_64", "-name", "guest=a/b", "-pidfile", "/tmp/tapgate/a/b/qemu.pid"})));
    EXPECT_FALSE(vm_in_command_line(
        words({"vi", "-name", "guest=web", "-pidfile", "/x/tapgate/web/qemu.pid"})));
    EXPECT_FALSE(vm_in_command_line(""));
    EXPECT_FALSE(vm_in_command_line(words({"qemu", "-name"})));
}

}  // namespace
}  // namespace tapgate
