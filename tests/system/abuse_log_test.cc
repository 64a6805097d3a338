// SPDX-License-Identifier: GPL-2.0-or-later
//
// A hostile user against the log, and against whoever reads what the helper says.

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "tests/system/abuse.h"

namespace tapgate {
namespace {

// A process of the user's that sends to the log as fast as it is taken.
class Flood {
  public:
    explicit Flood(const Account& user) : pid_(fork()) {
        if (pid_ == 0) {
            _exit(setresgid(user.gid, user.gid, user.gid) == 0 &&
                          setresuid(user.uid, user.uid, user.uid) == 0
                      ? flood()
                      : 1);
        }
    }
    ~Flood() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Flood(const Flood&) = delete;
    Flood(Flood&&) = delete;
    Flood& operator=(const Flood&) = delete;
    Flood& operator=(Flood&&) = delete;

  private:
    static int flood() {
        const UniqueFd log(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const sockaddr_un address = log_address();
        const std::string line = "<86>flood: " + std::string(200, 'x');
        while (sendto(log.get(), line.data(), line.size(), 0,
                      reinterpret_cast<const sockaddr*>(&address), sizeof address) > 0) {
        }
        return 1;
    }
    pid_t pid_;
};

// A syslog daemon that does 1 ms of work for each line.
class Daemon {
  public:
    Daemon() : log_(World::open_log()), thread_([this] { read_all(); }) {}
    ~Daemon() { stop(); }
    Daemon(const Daemon&) = delete;
    Daemon(Daemon&&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    Daemon& operator=(Daemon&&) = delete;
    // The lines that have `part` in them.
    std::size_t stop_and_count(const std::string& part) {
        stop();
        return static_cast<std::size_t>(std::count_if(
            lines_.begin(), lines_.end(),
            [&](const std::string& line) { return line.find(part) != std::string::npos; }));
    }

  private:
    void stop() {
        over_ = true;
        if (thread_.joinable())
            thread_.join();
    }
    void read_all() {
        std::array<char, 4096> buffer{};
        while (true) {
            const ssize_t size = recv(log_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size <= 0 && over_)
                return;
            if (size <= 0) {
                pollfd ready{log_.get(), POLLIN, 0};
                poll(&ready, 1, 10);
                continue;
            }
            std::string line(buffer.data(), static_cast<std::size_t>(size));
            if (line.find("flood: ") == std::string::npos)
                lines_.push_back(std::move(line));
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    UniqueFd log_;
    std::vector<std::string> lines_;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

Outcome flooded_log(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    std::size_t grants = 0;
    Daemon daemon;
    {
        const Flood one(alice_account);
        const Flood other(alice_account);
        for (int i = 0; i < (long_run() ? 100 : 10); ++i)
            grants += world.attach().fds.size();
    }
    const std::size_t logged = daemon.stop_and_count("granted");
    if (logged < grants)
        std::cerr << grants - logged << " of " << grants << " grants are not in the log\n";
    return held_if(logged >= grants);
}

Outcome full_log(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    const UniqueFd nobody_reads = World::open_log();
    const Flood flood(alice_account);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const HelperResult run = world.attach();
    return held_if(run.exit_status == 1 && run.fds.empty() && !run.timed_out &&
                   World::no_taps_left() && ports_by_name().empty());
}

// --- H11 (CHANGELOG.md): the C1 controls in UTF-8, of which U+009B alone means ESC [

bool has_control(const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 'x');
        const bool c1 = byte == 0xc2 && next >= 0x80 && next <= 0x9f;
        if ((byte < ' ' && byte != '\n') || byte == 0x7f || c1)
            return true;
    }
    return false;
}

Outcome controls(const World& world) {
    if (!world.ours())
        return Outcome::nothing_to_break;
    Daemon daemon;
    std::string text;
    const std::string csi = "\xc2\x9b";
    const auto add = [&](const std::vector<std::string>& args) {
        const HelperResult run = world.attach(args);
        text += run.out + run.err;
    };
    add({"--fd=27", "--br=" + csi + "2J"});
    add({"--fd=27", "--br=br0", "--vm=" + csi + "2J"});
    add({"--fd=27", "--br=br0", "--mac=" + csi + "2J"});
    add({"--fd=" + csi, "--br=br0"});
    add({"--" + csi});
    World::write_policy("allow br0 " + csi + "2J\n");
    add(usual_args);
    World::write_policy("allow br0\ninclude /etc/qemu/" + csi + "2J\n");
    World::write_file("/etc/qemu/" + csi + "2J", "oops " + csi + "\n");
    add(usual_args);
    World::write_policy("allow br0\ninclude /mnt/" + csi + "\n");
    World::write_file("/mnt/" + csi, "allow br0\n", 0666);
    add(usual_args);
    const std::size_t logged = daemon.stop_and_count(csi);
    return held_if(!has_control(text) && logged == 0);
}

Attacks log_and_readers() {
    return {
        {"grants that are not in the log: it is flooded", flooded_log},
        {"a grant that cannot be logged: nobody reads the log", full_log},
        {"U+009B for whoever reads what it says: stderr, log, --explain", controls},
    };
}

TEST(Abuse, OfTheLog) {
    expect_held("the log, and its readers", log_and_readers());
}

}  // namespace
}  // namespace tapgate
