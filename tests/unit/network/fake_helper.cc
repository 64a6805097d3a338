// SPDX-License-Identifier: GPL-2.0-or-later
//
// Programs in tapgate-helper's place, one for each bridge that it is asked for: what a broken,
// hostile or merely slow one does.

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/fd_passing.h"

namespace tapgate {
namespace {

unsigned queues = 1;
int reply = -1;

void say(const std::string& text) {
    if (write(STDERR_FILENO, text.data(), text.size()) < 0)
        _exit(99);
}

void send_null_devices(unsigned count) {
    std::vector<UniqueFd> fds;
    for (unsigned i = 0; i < count; i++)
        fds.emplace_back(open("/dev/null", O_RDWR | O_CLOEXEC));
    send_fds(reply, fds);
}

[[noreturn]] void hang() {
    say(std::to_string(getpid()) + "\n");
    for (;;)
        pause();
}

void flood(size_t bytes) {
    const std::string line = std::string(1023, 'x') + "\n";
    for (size_t i = 0; i < bytes; i += line.size())
        say(line);
}

std::string open_descriptors() {
    std::string text;
    DIR* directory = opendir("/proc/self/fd");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
    while (const dirent* entry = readdir(directory))
        if (entry->d_name[0] != '.' && entry->d_name != std::to_string(dirfd(directory)))
            text += std::string(entry->d_name) + " ";
    closedir(directory);
    return text;
}

// Signals that are blocked or ignored, as /proc has them.
std::string signal_state() {
    std::string text;
    FILE* status = std::fopen("/proc/self/status", "re");
    char line[256];
    while (std::fgets(line, sizeof line, status) != nullptr) {
        const std::string read = line;
        if (read.rfind("SigBlk", 0) == 0 || read.rfind("SigIgn", 0) == 0)
            text += read;
    }
    std::fclose(status);
    return text;
}

// A child that outlives its parent and holds stderr and the socket open.
void leave_child() {
    const pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    say(std::to_string(child) + "\n");
}

int act(const std::string& what, const std::string& words) {
    const std::map<std::string, std::function<int()>> acts{
        {"grant", [] { return send_null_devices(queues), 0; }},
        {"warn", [] { return say("careful\n"), send_null_devices(queues), 0; }},
        {"refuse", [] { return say("access denied by acl file: x:7: deny br0\n"), 1; }},
        {"silent", [] { return 3; }},
        {"nothing", [] { return 0; }},
        {"close", [] { return close(reply); }},
        {"words", [&] { return say(words), 1; }},
        {"descriptors", [] { return say(open_descriptors()), 1; }},
        {"signals", [] { return say(signal_state()), 1; }},
        {"escape", [] { return say("\x1b[31mred\x07\tline\n   ^\n\n"), 1; }},
        {"hang", []() -> int { hang(); }},
        {"late-hang", []() -> int { return send_null_devices(queues), hang(), 0; }},
        {"stubborn",
         []() -> int {
             for (int signal = 1; signal < 32; signal++)
                 std::signal(signal, SIG_IGN);
             hang();
         }},
        {"child", [] { return leave_child(), say("refused\n"), 1; }},
        {"fewer", [] { return send_null_devices(queues - 1), 0; }},
        {"more", [] { return send_null_devices(queues + 1), 0; }},
        {"most", [] { return send_null_devices(max_fds_in_message), 0; }},
        {"each",
         [] {
             for (unsigned i = 0; i < queues; i++)
                 send_null_devices(1);
             return 0;
         }},
        {"twice", [] { return send_null_devices(queues), send_null_devices(queues), 0; }},
        {"byte", [] { return send(reply, "", 1, 0) == 1 ? 0 : 1; }},
        {"text", [] { return send(reply, "hello", 5, 0) == 5 ? 0 : 1; }},
        {"more-text",
         [] { return send_null_devices(queues), send(reply, "x", 1, 0) == 1 ? 0 : 1; }},
        {"send-and-fail", [] { return send_null_devices(queues), say("but no\n"), 1; }},
        {"abort", [] { return say("oh\n"), std::signal(SIGABRT, SIG_DFL), raise(SIGKILL); }},
        {"flood", [] { return flood(8 << 20), 1; }},
        {"flood-hang", []() -> int { return flood(8 << 20), hang(), 0; }},
        {"flood-ever",
         []() -> int {
             for (;;)
                 flood(1 << 20);
         }},
    };
    const auto found = acts.find(what);
    return found == acts.end() ? 98 : found->second();
}

}  // namespace
}  // namespace tapgate

int main(int argc, char** argv) {
    std::string what;
    std::string words;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        words += word + "\n";
        if (word.rfind("--br=", 0) == 0)
            what = word.substr(5);
        if (word.rfind("--fd=", 0) == 0)
            tapgate::reply = std::stoi(word.substr(5));
        if (word.rfind("--queues=", 0) == 0)
            tapgate::queues = static_cast<unsigned>(std::stoul(word.substr(9)));
    }
    return tapgate::act(what, words);
}
