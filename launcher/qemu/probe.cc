// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/sha256.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/qemu/kvm_guest.h"
#include "launcher/qemu/qmp_client.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The guest takes 0.2 s under TCG: a KVM slower than this is of no use.
constexpr milliseconds kvm_limit{3000};
constexpr milliseconds qemu_limit{10000};

// --- The cache of answers

// What an answer depends on, as text.
std::string circumstances(const std::string& qemu) {
    struct stat status {};
    if (stat(qemu.c_str(), &status) != 0)
        fail_with_errno(shown(qemu));
    utsname kernel{};
    uname(&kernel);
    std::ostringstream text;
    // The boot stands for the CPU, the firmware's settings and modules.
    text << qemu << ' ' << status.st_size << ' ' << status.st_mtim.tv_sec << '.'
         << status.st_mtim.tv_nsec << ' ' << kernel.release << ' '
         << first_word("/proc/sys/kernel/random/boot_id");
    return text.str();
}

// Many hosts may share a home directory, so each has files of its own.
std::string cache_path(const std::string& question, const std::string& qemu) {
    const auto hash = sha256(question + '\n' + qemu + '\n' + first_word("/etc/machine-id"));
    return cache_directory() + "/probe-" + hex_text(hash).substr(0, 16) + ".json";
}

// How long an answer is believed that may depend on the moment.
constexpr std::chrono::hours life_of_moment{1};

bool is_young(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && std::time(nullptr) - status.st_mtim.tv_sec <
                                                   std::chrono::seconds(life_of_moment).count();
}

bool always(const json& /*answer*/) {
    return true;
}

// The answer to `question` about `qemu`, from the cache or by `ask`. `lasts` says whether an answer
// does not depend on the moment.
json known_or_asked(const std::string& question, const std::string& qemu,
                    const std::function<json()>& ask, bool (*lasts)(const json&) = always) {
    const std::string path = cache_path(question, qemu);
    const std::string about = circumstances(qemu);
    try {
        if (const auto text = read_file(path)) {
            const json known = json::parse(*text);
            if (known.at("about") == about && known.at("question") == question &&
                (lasts(known.at("answer")) || is_young(path)))
                return known.at("answer");
        }
    } catch (const json::exception&) {  // NOLINT(bugprone-empty-catch): asked again
    } catch (const LauncherError&) {    // NOLINT(bugprone-empty-catch): the same
    }
    json answer = ask();
    try {
        make_private_directory(cache_directory());
        replace_file(path, json{{"question", question}, {"about", about}, {"answer", answer}}.dump(
                               2, ' ', false, json::error_handler_t::replace) +
                               "\n");
    } catch (const LauncherError&) {  // NOLINT(bugprone-empty-catch): it only takes longer then
    }
    return answer;
}

// --- Asking QEMU

// Appends what has come; false at the end.
bool read_some(int fd, std::string& text) {
    constexpr size_t most = 16384;
    std::array<char, 4096> buffer{};
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got > 0 && text.size() < most)
        text.append(buffer.data(), static_cast<size_t>(got));
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

json ask_qemu(const std::string& qemu) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        fail_with_errno("socketpair");
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    Pipe words = make_pipe(O_NONBLOCK);
    ChildProcess child({.program = qemu,
                        .argv = {qemu, "-M", "none", "-nodefaults", "-no-user-config", "-display",
                                 "none", "-chardev", "socket,id=qmp,fd=3", "-qmp", "chardev:qmp"},
                        .inherited = {theirs.get()},
                        .output = words.writing.get()});
    // Now only QEMU has the other ends, so they close when it ends.
    theirs.reset();
    words.writing.reset();
    try {
        QmpClient qmp(std::move(ours), qemu, qemu_limit);
        const json& version = qmp.greeting().at("version").at("qemu");
        const QmpAnswer machines = qmp.execute("query-machines", nullptr, qemu_limit);
        json facts = {{"version", std::to_string(version.at("major").get<int>()) + "." +
                                      std::to_string(version.at("minor").get<int>()) + "." +
                                      std::to_string(version.at("micro").get<int>())},
                      {"machines", json::object()},
                      {"deprecated", json::array()}};
        for (const json& machine : machines.value) {
            for (const char* const key : {"name", "alias"})
                if (machine.contains(key))
                    facts["machines"][machine.at(key).get<std::string>()] = machine.at("name");
            if (machine.value("deprecated", false))
                facts["deprecated"].push_back(machine.at("name"));
        }
        return facts;
    } catch (const QmpError& error) {
        child.kill();
        std::string text;
        read_some(words.reading.get(), text);
        throw LauncherError(
            shown(qemu) + " does not work: " + (text.empty() ? error.what() : terminal_text(text)));
    } catch (const json::exception&) {
        throw LauncherError(shown(qemu) + " answers QMP in a way that is not QEMU's");
    }
}

// --- Proving KVM

// The first line of QEMU's output that is not just a warning.
std::string first_complaint(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.find("warning: ") != std::string::npos)
            continue;
        const std::string_view prefix = "qemu-system-x86_64: ";
        return shown(line.starts_with(prefix) ? line.substr(prefix.size()) : line);
    }
    return {};
}

UniqueFd rom_file() {
    UniqueFd fd(memfd_create("tapgate-kvm-guest", MFD_CLOEXEC));
    if (!fd || !write_all(fd.get(), kvm_guest_rom()))
        fail_with_errno("memfd_create");
    return fd;
}

// Why the guest did not come to its end; empty when it did.
std::string run_kvm_guest(const std::string& qemu, const std::string& cpu) {
    const UniqueFd rom = rom_file();
    Pipe words = make_pipe(O_NONBLOCK);
    ChildProcess child(
        {.program = qemu,
         .argv = {qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                  "-machine", "q35", "-accel", "kvm", "-cpu", cpu, "-m", "16", "-device",
                  "isa-debug-exit,iobase=0xf4,iosize=1", "-bios", "/proc/self/fd/3"},
         .inherited = {rom.get()},
         .output = words.writing.get()});
    words.writing.reset();
    const auto start = Clock::now();
    const auto deadline = start + kvm_limit;
    bool told = false;
    std::string text;
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{child.pidfd(), POLLIN, 0},
                                  pollfd{words.reading.get(), POLLIN, 0}};
        poll(fds.data(), fds.size(), std::min(milliseconds_until(deadline), 500));
        if (fds[1].revents != 0 && !read_some(words.reading.get(), text))
            words.reading.reset();
        if (const auto end = child.wait(milliseconds(0))) {
            if (WIFEXITED(end->status) && WEXITSTATUS(end->status) == kvm_guest_exit_code)
                return {};
            if (words.reading)
                read_some(words.reading.get(), text);
            const std::string complaint = first_complaint(text);
            return !complaint.empty() ? complaint
                   : end->in_order()  ? "a guest that runs in KVM crashes"
                                      : "QEMU with KVM ends with " + end->text();
        }
        // QEMU then only stops the guest, and waits for somebody to look at it.
        if (text.find("KVM internal error") != std::string::npos)
            return "a guest that runs in KVM is stopped with: " + first_complaint(text);
        if (Clock::now() >= deadline)
            return "a guest that runs in KVM hangs, or is slower than without";
        if (!told && Clock::now() - start > milliseconds(1000)) {
            note("trying whether KVM runs guests here ...");
            told = true;
        }
    }
}

}  // namespace

std::string find_qemu() {
    if (const auto qemu = find_program("qemu-system-x86_64"))
        return *qemu;
    std::string red_hat = "/usr/libexec/qemu-kvm";
    if (access(red_hat.c_str(), X_OK) == 0)
        return red_hat;
    throw LauncherError(
        "there is no qemu-system-x86_64 in PATH; ask for the package qemu-system-x86 (Debian, "
        "Ubuntu) or qemu-kvm (Fedora, RHEL)");
}

QemuFacts qemu_facts(const std::string& qemu) {
    const json answer = known_or_asked("machines", qemu, [&] { return ask_qemu(qemu); });
    try {
        return {answer.at("version"), answer.at("machines"), answer.at("deprecated")};
    } catch (const json::exception&) {
        const json asked = ask_qemu(qemu);
        return {asked.at("version"), asked.at("machines"), asked.at("deprecated")};
    }
}

std::string why_not_kvm(const std::string& qemu, const std::string& cpu,
                        const std::string& device) {
    const UniqueFd kvm(open(device.c_str(), O_RDWR | O_CLOEXEC));
    if (!kvm)
        return device + ": " + errno_text(errno) +
               (errno == EACCES ? " (the group kvm may; new groups need a new login)" : "");
    // A "no" may be due to the moment: a host that starts twenty guests, or has no memory left.
    const json answer = known_or_asked(
        "kvm " + cpu, qemu, [&] { return json(run_kvm_guest(qemu, cpu)); },
        [](const json& one) { return one == json(""); });
    return answer.is_string() ? answer.get<std::string>() : run_kvm_guest(qemu, cpu);
}

}  // namespace tapgate
