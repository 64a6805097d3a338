// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is known of QEMU, by a program in its place and by QEMU itself.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "launcher/base/child_process.h"
#include "launcher/qemu/kvm_guest.h"
#include "launcher/qemu/probe.h"
#include "tests/prerequisite.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using std::chrono::seconds;

// A QEMU that counts how often it was started, and answers query-machines.
class FakeQemu : public testing::Test {
  protected:
    void SetUp() override {
        setenv("XDG_CACHE_HOME", directory_.file("cache").c_str(), 1);
        write(
            R"(printf '{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}}}\n' >&3
read line <&3
printf '{"return": {}, "id": 1}\n' >&3
read line <&3
printf '{"return": [{"name": "pc-q35-7.2", "alias": "q35"}, {"name": "none"}], "id": 2}\n' >&3
read line <&3
)");
    }
    void TearDown() override { unsetenv("XDG_CACHE_HOME"); }

    void write(const std::string& script) {
        std::ofstream(qemu_) << "#!/bin/sh\necho >>" << directory_.file("starts") << "\n" << script;
        chmod(qemu_.c_str(), 0755);
    }

    [[nodiscard]] auto starts() const {
        const std::string text = content_of(directory_.file("starts"));
        return std::count(text.begin(), text.end(), '\n');
    }

    // What there is in the cache, replaced.
    void spoil_cache(const std::string& text) const {
        for (const auto& entry :
             std::filesystem::directory_iterator(directory_.file("cache/tapgate")))
            std::ofstream(entry.path()) << text;
    }

    TemporaryDirectory directory_;
    std::string qemu_ = directory_.file("qemu");
};

TEST_F(FakeQemu, IsAskedOnce) {
    for (int i = 0; i < 3; i++) {
        const QemuFacts facts = qemu_facts(qemu_);
        EXPECT_EQ(facts.version, "7.2.22");
        EXPECT_EQ(facts.machines.at("q35"), "pc-q35-7.2");
        EXPECT_EQ(facts.machines.at("pc-q35-7.2"), "pc-q35-7.2");
        EXPECT_EQ(facts.machines.size(), 3U);
    }
    EXPECT_EQ(starts(), 1);
}

TEST_F(FakeQemu, IsAskedAgainWhenItChanges) {
    qemu_facts(qemu_);
    const std::array<timespec, 2> times{timespec{1, 0}, timespec{1, 0}};
    utimensat(AT_FDCWD, qemu_.c_str(), times.data(), 0);
    qemu_facts(qemu_);
    EXPECT_EQ(starts(), 2);
}

TEST_F(FakeQemu, IsAskedAgainWhenTheCacheIsGarbage) {
    int expected = 0;
    for (const char* garbage : {"", "{", "[]", "{\"about\": 1}", "\xff\xfe", "null"}) {
        qemu_facts(qemu_);
        spoil_cache(garbage);
        EXPECT_EQ(qemu_facts(qemu_).version, "7.2.22") << garbage;
        expected += expected == 0 ? 2 : 1;
        EXPECT_EQ(starts(), expected) << garbage;
    }
}

TEST_F(FakeQemu, WorksWithoutACache) {
    std::ofstream(directory_.file("cache")) << "not a directory";
    EXPECT_EQ(qemu_facts(qemu_).version, "7.2.22");
}

TEST_F(FakeQemu, IsQuotedWhenItFails) {
    write("echo 'qemu: no such library' >&2; exit 1\n");
    EXPECT_EQ(error_of([&] { qemu_facts(qemu_); }),
              qemu_ + " does not work: qemu: no such library");
}

// On every machine, whatever its /dev/kvm: something that opens is in its place.
class FakeKvm : public FakeQemu {
  protected:
    [[nodiscard]] std::string why_not(const std::string& cpu = "host") const {
        return why_not_kvm(qemu_, cpu, "/dev/null");
    }
};

TEST_F(FakeKvm, ThatCannotBeOpenedIsTheReason) {
    EXPECT_EQ(why_not_kvm(qemu_, "host", "/dev/no-such-kvm"),
              "/dev/no-such-kvm: No such file or directory");
    EXPECT_EQ(starts(), 0);
}

TEST_F(FakeKvm, WorksWhenTheGuestGetsToItsEnd) {
    write("exit 85\n");
    EXPECT_EQ(kvm_guest_exit_code, 85);
    EXPECT_EQ(why_not(), "");
    EXPECT_EQ(why_not(), "");
    EXPECT_EQ(starts(), 1);
    // Another model is another question.
    EXPECT_EQ(why_not("qemu64"), "");
    EXPECT_EQ(starts(), 2);
}

TEST_F(FakeKvm, DoesNotWhenQemuFails) {
    write(
        "echo 'qemu-system-x86_64: warning: strange'; echo 'qemu-system-x86_64: no KVM' >&2; "
        "exit 1\n");
    EXPECT_EQ(why_not(), "no KVM");
    EXPECT_EQ(why_not(), "no KVM");
    EXPECT_EQ(starts(), 1);
}

// As on a host that starts a class just then.
TEST_F(FakeKvm, IsTriedAgainAnHourAfterItDidNotWork) {
    const auto make_cache_older = [&] {
        for (const auto& entry :
             std::filesystem::directory_iterator(directory_.file("cache/tapgate")))
            std::filesystem::last_write_time(
                entry.path(),
                std::filesystem::file_time_type::clock::now() - std::chrono::minutes(61));
    };
    write("echo 'qemu-system-x86_64: Cannot allocate memory' >&2; exit 1\n");
    const std::filesystem::file_time_type of_program = std::filesystem::last_write_time(qemu_);
    const auto size = std::filesystem::file_size(qemu_);
    EXPECT_EQ(why_not(), "Cannot allocate memory");
    // The same program, as far as the cache knows.
    write("exit 85\n");
    std::ofstream(qemu_, std::ios::app)
        << std::string(size - std::filesystem::file_size(qemu_), '#');
    std::filesystem::last_write_time(qemu_, of_program);
    EXPECT_EQ(why_not(), "Cannot allocate memory");
    make_cache_older();
    EXPECT_EQ(why_not(), "");
    make_cache_older();
    EXPECT_EQ(why_not(), "");
    EXPECT_EQ(starts(), 2);
}

// As on a processor whose registers the kernel below does not let through: words, and then an
// abort.
TEST_F(FakeKvm, DoesNotWhenQemuAborts) {
    write(
        "echo 'qemu-system-x86_64: error: failed to set MSR 0x10a to 0x2000000000e0e0'; "
        "kill -ABRT $$\n");
    EXPECT_EQ(why_not(), "error: failed to set MSR 0x10a to 0x2000000000e0e0");
    EXPECT_EQ(starts(), 1);
}

TEST_F(FakeKvm, DoesNotWhenQemuAbortsWithoutAWord) {
    write("kill -ABRT $$\n");
    EXPECT_TRUE(why_not().starts_with("QEMU with KVM ends with ")) << why_not();
}

TEST_F(FakeKvm, DoesNotWhenTheGuestHangs) {
    write("exec sleep 1000\n");
    EXPECT_EQ(why_not(), "a guest that runs in KVM hangs, or is slower than without");
}

TEST_F(FakeKvm, DoesNotWhenTheGuestCrashes) {
    write("exit 0\n");
    EXPECT_EQ(why_not(), "a guest that runs in KVM crashes");
}

TEST_F(FakeKvm, DoesNotWhenTheGuestIsStopped) {
    write("echo 'KVM internal error. Suberror: 1' >&2; exec sleep 1000\n");
    EXPECT_EQ(why_not(),
              "a guest that runs in KVM is stopped with: KVM internal error. Suberror: 1");
}

TEST(KvmGuest, IsAFirmwareImageThatBeginsAtTheResetVector) {
    const std::string rom = kvm_guest_rom();
    ASSERT_EQ(rom.size(), 0x10000U);
    EXPECT_EQ(rom.substr(0xfff0, 3), std::string("\xe9\x0d\x00", 3));
    EXPECT_EQ(rom[0], '\xfa');
}

// With the real QEMU: the image must get to its end where guests run at all.
TEST(KvmGuest, RunsUnderTcg) {
    const auto qemu = find_program("qemu-system-x86_64");
    TAPGATE_REQUIRE(qemu, "qemu-system-x86_64");
    const TemporaryDirectory directory;
    std::ofstream(directory.file("rom")) << kvm_guest_rom();
    ChildProcess child(
        {.program = *qemu,
         .argv = {*qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                  "-machine", "q35", "-accel", "tcg", "-m", "16", "-device",
                  "isa-debug-exit,iobase=0xf4,iosize=1", "-bios", directory.file("rom")}});
    const auto end = child.wait(seconds(30));
    ASSERT_TRUE(end);
    EXPECT_EQ(end->text(), "exit code " + std::to_string(kvm_guest_exit_code));
}

}  // namespace

}  // namespace tapgate
