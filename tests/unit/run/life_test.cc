// SPDX-License-Identifier: GPL-2.0-or-later
//
// The parts of a VM's life that need no VM: how programs are started, what is known of QEMU, how a
// VM is ended, what is typed at a console, what an image is called.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/cli/operand.h"
#include "launcher/qemu/kvm_guest.h"
#include "launcher/qemu/probe.h"
#include "launcher/run/console.h"
#include "launcher/run/console_log.h"
#include "launcher/run/power_down.h"
#include "launcher/vm/state.h"
#include "tests/prerequisite.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = PowerDown::Step;

std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// ---- programs

struct Ran {
    ProcessEnd end;
    std::string output;
};

Ran run_shell(const std::string& script, const std::vector<int>& inherited = {},
              bool deaf = false) {
    const TemporaryDirectory directory;
    const UniqueFd output(
        open(directory.file("output").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ChildProcess child({.program = "/bin/sh",
                        .argv = {"sh", "-c", script},
                        .inherited = inherited,
                        .output = output.get(),
                        .deaf = deaf});
    const auto end = child.wait(seconds(10));
    EXPECT_TRUE(end);
    return {end.value_or(ProcessEnd{-1}), content_of(directory.file("output"))};
}

TEST(ChildProcess, InheritsTheGivenDescriptorsFromThreeOnAndNoOthers) {
    const TemporaryDirectory directory;
    std::vector<UniqueFd> files;
    for (const char* name : {"first", "second"}) {
        std::ofstream(directory.file(name)) << name;
        files.emplace_back(open(directory.file(name).c_str(), O_RDONLY));
    }
    // In the wrong order, and one that is not close-on-exec and still must not come along.
    const UniqueFd forgotten(open("/dev/null", O_RDONLY));
    const Ran ran = run_shell(
        "cat <&3; echo; cat <&4; echo; for fd in 5 6 7 8 9 10 11 12 13 14 15; do "
        "[ ! -e /proc/self/fd/$fd ] || echo $fd; done",
        {files[1].get(), files[0].get()});
    EXPECT_EQ(ran.output, "second\nfirst\n");
    EXPECT_TRUE(ran.end.in_order());
}

TEST(ChildProcess, IsDeafWhenToldSo) {
    const std::string script = "for s in TERM INT HUP; do kill -$s $$; done; echo survived";
    EXPECT_EQ(run_shell(script, {}, true).output, "survived\n");
    const Ran hears = run_shell(script);
    EXPECT_EQ(hears.output, "");
    EXPECT_EQ(hears.end.text(), "signal 15 (SIGTERM)");
}

TEST(ChildProcess, TellsHowItEnded) {
    EXPECT_EQ(run_shell("exit 3").end.text(), "exit code 3");
    EXPECT_FALSE(run_shell("exit 3").end.in_order());
    EXPECT_EQ(run_shell("kill -KILL $$").end.text(), "signal 9 (SIGKILL)");
}

TEST(ChildProcess, EndsWithItsOwner) {
    std::optional<ChildProcess> child(std::in_place,
                                      Launch{.program = "/bin/sleep", .argv = {"sleep", "1000"}});
    const pid_t pid = child->pid();
    EXPECT_FALSE(child->wait(milliseconds(0)));
    child.reset();
    EXPECT_EQ(kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, NamesTheProgramThatCannotBeStarted) {
    try {
        const ChildProcess child({.program = "/nowhere/qemu", .argv = {"qemu"}});
        FAIL();
    } catch (const LauncherError& error) {
        EXPECT_STREQ(error.what(), "cannot start /nowhere/qemu: No such file or directory");
    }
}

// ---- QEMU

// A QEMU that counts how often it was started, and answers query-machines.
class FakeQemu : public testing::Test {
  protected:
    FakeQemu() {
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
    ~FakeQemu() override { unsetenv("XDG_CACHE_HOME"); }

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
        EXPECT_EQ(facts.machines.size(), 1U);
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
    try {
        qemu_facts(qemu_);
        FAIL();
    } catch (const LauncherError& error) {
        EXPECT_EQ(std::string(error.what()), qemu_ + " does not work: qemu: no such library");
    }
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

// ---- the end of a VM

class PowerDownTest : public testing::Test {
  protected:
    static constexpr PowerDown::Limits limits{
        .guest = seconds(10), .quit = seconds(2), .kill = seconds(1)};
    const PowerDown::Clock::time_point start_{std::chrono::hours(1)};
    PowerDown down_{limits};

    Step due_after(milliseconds passed) { return down_.due(start_ + passed); }
};

TEST_F(PowerDownTest, DoesNothingUnlessToldTo) {
    EXPECT_FALSE(down_.next());
    EXPECT_EQ(due_after(std::chrono::hours(1000)), Step::none);
    EXPECT_EQ(down_.step(), Step::none);
}

TEST_F(PowerDownTest, AsksAgainThenQuitsThenKillsThenGivesUp) {
    EXPECT_EQ(down_.begin(start_), Step::ask);
    EXPECT_EQ(due_after(seconds(1)), Step::none);
    EXPECT_EQ(due_after(seconds(3)), Step::ask);
    EXPECT_EQ(due_after(seconds(3)), Step::none);
    EXPECT_EQ(due_after(milliseconds(9999)), Step::ask);
    EXPECT_EQ(due_after(seconds(10)), Step::quit);
    EXPECT_EQ(down_.step(), Step::quit);
    EXPECT_EQ(due_after(milliseconds(11999)), Step::none);
    EXPECT_EQ(due_after(seconds(12)), Step::kill);
    EXPECT_EQ(due_after(milliseconds(12999)), Step::none);
    EXPECT_EQ(due_after(seconds(13)), Step::give_up);
    EXPECT_FALSE(down_.next());
    EXPECT_EQ(due_after(std::chrono::hours(1)), Step::none);
}

TEST_F(PowerDownTest, TellsWhenToLookAgain) {
    down_.begin(start_);
    EXPECT_EQ(down_.next(), start_ + seconds(3));
    due_after(seconds(9));
    EXPECT_EQ(down_.next(), start_ + seconds(10));
    due_after(seconds(10));
    EXPECT_EQ(down_.next(), start_ + seconds(12));
}

TEST_F(PowerDownTest, ManySignalsAreOneWish) {
    EXPECT_EQ(down_.begin(start_), Step::ask);
    EXPECT_EQ(down_.begin(start_), Step::none);
    EXPECT_EQ(due_after(seconds(10)), Step::quit);
    EXPECT_EQ(down_.begin(start_ + seconds(10)), Step::none);
}

TEST_F(PowerDownTest, AnImpatientUserGoesOn) {
    EXPECT_EQ(down_.hurry(start_), Step::ask);
    EXPECT_EQ(down_.hurry(start_), Step::quit);
    EXPECT_EQ(down_.hurry(start_), Step::kill);
    EXPECT_EQ(down_.hurry(start_), Step::none);
    EXPECT_EQ(due_after(seconds(1)), Step::give_up);
    EXPECT_EQ(down_.hurry(start_), Step::none);
}

TEST_F(PowerDownTest, NoTimeForTheGuestMeansQuit) {
    PowerDown down({.guest = milliseconds(0)});
    EXPECT_EQ(down.begin(start_), Step::ask);
    EXPECT_EQ(down.due(start_), Step::quit);
}

// ---- the console

TEST(TakeApart, PartsWhatIsForTheGuest) {
    EXPECT_EQ(take_apart("").leaves, 0U);
    EXPECT_EQ(take_apart("ls\r").text, "ls\r");
    EXPECT_EQ(take_apart("ls\r").leaves, 0U);
    const Typed typed = take_apart("ls\x1d-l\x1d");
    EXPECT_EQ(typed.text, "ls");
    EXPECT_EQ(typed.leaves, 2U);
    EXPECT_EQ(take_apart(std::string("\0\x03\x1c", 3)).text, std::string("\0\x03\x1c", 3));
}

// ---- images

// ---- the console's log

class ConsoleLog : public testing::Test {
  protected:
    void SetUp() override {
        setenv("XDG_RUNTIME_DIR", directory_.path().c_str(), 1);
        std::filesystem::create_directories(vm_directory(vm_));
        older_ = console_log_paths(vm_)[0];
        path_ = console_log_paths(vm_)[1];
    }
    void TearDown() override { unsetenv("XDG_RUNTIME_DIR"); }

    const TemporaryDirectory directory_;
    const VmName vm_ = *VmName::parse("lab");
    std::string older_;
    std::string path_;
};

TEST_F(ConsoleLog, StaysWhatItIsWhileItIsSmall) {
    limit_console_log(vm_);
    std::ofstream(path_) << "hello";
    limit_console_log(vm_);
    EXPECT_EQ(content_of(path_), "hello");
    EXPECT_FALSE(std::filesystem::exists(older_));
}

TEST_F(ConsoleLog, KeepsTheLastOfALot) {
    std::ofstream qemu(path_, std::ios::app);
    qemu << std::string(console_log_limit, 'x') << "the end" << std::flush;
    limit_console_log(vm_);
    qemu << "more" << std::flush;
    EXPECT_EQ(content_of(path_), "more");
    const std::string older = content_of(older_);
    EXPECT_EQ(older.size(), static_cast<size_t>(console_log_limit));
    EXPECT_TRUE(older.ends_with("xthe end"));
    remove_console_log(vm_);
    EXPECT_FALSE(std::filesystem::exists(older_) || std::filesystem::exists(path_));
}

// Who can write to the VM's directory is its user; but a file of another name is not ours to cut.
TEST_F(ConsoleLog, FollowsNoLink) {
    const std::string other = directory_.file("other");
    std::ofstream(other) << std::string(console_log_limit + 1, 'x');
    std::filesystem::create_symlink(other, path_);
    limit_console_log(vm_);
    EXPECT_EQ(std::filesystem::file_size(other), static_cast<size_t>(console_log_limit) + 1);
}

TEST(IsImage, IsWhatHasASlashOrAnEnding) {
    for (const char* image : {"./lab", "/a/b", "rhce.qcow2", "a.img", "debian-12.iso", "x.vmdk"})
        EXPECT_TRUE(is_image(image)) << image;
    for (const char* name : {"lab", "rhce.qcow", "qcow2", "img", ""})
        EXPECT_FALSE(is_image(name)) << name;
}

TEST(NameOfImage, IsTheFilesNameAsFarAsItCanBe) {
    EXPECT_EQ(name_of_image("/a/rhce.qcow2").str(), "rhce");
    EXPECT_EQ(name_of_image("./rhce").str(), "rhce");
    EXPECT_EQ(name_of_image("debian-12.5.0-amd64.iso").str(), "debian-12.5.0-amd64");
    EXPECT_EQ(name_of_image("my disk, the second.img").str(), "my-disk-the-second");
    EXPECT_EQ(name_of_image("2024.qcow2").str(), "vm2024");
    EXPECT_EQ(name_of_image("-x.qcow2").str(), "vm-x");
    EXPECT_EQ(name_of_image("/a/" + std::string(100, 'x') + ".raw").str(), std::string(40, 'x'));
    EXPECT_EQ(name_of_image("2" + std::string(100, 'x') + ".raw").str().size(), 40U);
    EXPECT_THROW(name_of_image("/a/.qcow2"), UsageError);
    EXPECT_THROW(name_of_image("/a/"), UsageError);
}

}  // namespace

}  // namespace tapgate
