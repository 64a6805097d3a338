// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/usage_verbs.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "launcher/base/output.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/cli/slurm_look.h"
#include "launcher/cli/slurm_verbs.h"
#include "launcher/lab/plan.h"
#include "launcher/network/bridge_listing.h"
#include "launcher/network/helper_client.h"
#include "launcher/network/policy_verdict.h"
#include "launcher/run/events.h"
#include "launcher/run/usage.h"

namespace tapgate {

namespace {

using Rows = std::vector<std::vector<std::string>>;
using Clock = std::chrono::steady_clock;

// Root sees all. Others' taps are nobody else's business, and nobody can ask for others' limits.
std::optional<uid_t> whose(const CommandLine& command) {
    if (command.has("mine") || geteuid() != 0)
        return geteuid();
    return std::nullopt;
}

// The user's name, or the number if there is none.
std::string name_of_user(uid_t user) {
    const std::string name = user_name_of(user);
    return name.empty() ? std::to_string(user) : shown(name);
}

std::string cpu_text(std::uint64_t milliseconds) {
    const std::uint64_t seconds = milliseconds / 1000;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%llu:%02llu:%02llu",
                  static_cast<unsigned long long>(seconds / 3600),
                  static_cast<unsigned long long>(seconds / 60 % 60),
                  static_cast<unsigned long long>(seconds % 60));
    return text.data();
}

// How many taps the user may have on the bridge; nothing if any number, or if nobody can tell.
std::optional<unsigned> tap_limit(uid_t user, const std::string& bridge) {
    if (user != geteuid() || user == 0)
        return std::nullopt;
    return most_taps(policy_verdict(helper_path(""), bridge).text);
}

struct Usage {
    std::vector<VmUsage> vms;
    std::map<std::pair<uid_t, std::string>, unsigned> taps;
    std::vector<std::string> unknown;  // those who do not answer
};

// The usage on this host, and of the user's Slurm jobs on other hosts.
Usage usage_now(const CommandLine& command) {
    Usage usage{vms_in_use(whose(command)), taps_in_use(host_network(), whose(command)), {}};
    try {
        const auto there = usage_there(jobs_to_list(), usage.unknown);
        usage.vms.insert(usage.vms.end(), there.begin(), there.end());
    } catch (const LauncherError& error) {
        usage.unknown.emplace_back(error.what());
    }
    return usage;
}

ExitCode told_unknown(const Usage& usage) {
    for (const std::string& one : usage.unknown)
        note(one);
    return usage.unknown.empty() ? ExitCode::done : ExitCode::failed;
}

nlohmann::json json_of(const Usage& usage) {
    nlohmann::json vms = nlohmann::json::array();
    for (const VmUsage& vm : usage.vms) {
        vms.push_back({{"user", user_name_of(vm.user)},
                       {"uid", vm.user},
                       {"name", vm.name},
                       {"qemu_pid", vm.process},
                       {"memory_mib", vm.memory},
                       {"resident_mib", vm.resident},
                       {"cpu_ms", vm.cpu_milliseconds},
                       {"seconds", vm.seconds}});
        if (vm.disk)
            vms.back()["disk_bytes"] = *vm.disk;
        if (!vm.node.empty())
            vms.back()["node"] = vm.node;
    }
    nlohmann::json taps = nlohmann::json::array();
    for (const auto& [place, count] : usage.taps) {
        taps.push_back({{"user", user_name_of(place.first)},
                        {"uid", place.first},
                        {"bridge", place.second},
                        {"taps", count}});
        if (const auto limit = tap_limit(place.first, place.second))
            taps.back()["limit"] = *limit;
    }
    return {{"vms", std::move(vms)}, {"taps", std::move(taps)}};
}

// The CPU time that each VM's process had used before.
using Before = std::map<std::pair<std::string, pid_t>, std::uint64_t>;

std::string text_of(const Usage& usage, const Before* before, double seconds) {
    Rows rows = {{"USER", "VM", "UP", "CPU TIME"}};
    if (before != nullptr)
        rows[0].emplace_back("%CPU");
    for (const char* title : {"MEMORY", "OF", "DISK"})
        rows[0].emplace_back(title);
    const bool nodes = std::any_of(usage.vms.begin(), usage.vms.end(),
                                   [](const VmUsage& vm) { return !vm.node.empty(); });
    if (nodes)
        rows[0].emplace_back("NODE");
    for (const VmUsage& vm : usage.vms) {
        std::vector<std::string> row = {name_of_user(vm.user), vm.name, duration_text(vm.seconds),
                                        cpu_text(vm.cpu_milliseconds)};
        if (before != nullptr) {
            const auto found = before->find({vm.node, vm.process});
            // If it is less than before, the number belongs to another process by now.
            const std::uint64_t used =
                found == before->end()
                    ? 0
                    : vm.cpu_milliseconds - std::min(found->second, vm.cpu_milliseconds);
            row.push_back(std::to_string(
                static_cast<unsigned>(static_cast<double>(used) / 10.0 / std::max(seconds, 0.1))));
        }
        row.push_back(size_text(vm.resident));
        row.push_back(size_text(vm.memory));
        row.push_back(vm.disk ? size_text(*vm.disk >> 20U) : "-");
        if (nodes)
            row.push_back(vm.node.empty() ? "-" : shown(vm.node));
        rows.push_back(std::move(row));
    }
    std::string text = fitted_table(rows, output_width());
    Rows taps = {{"USER", "BRIDGE", "TAPS", "OF"}};
    for (const auto& [place, count] : usage.taps) {
        const auto limit = tap_limit(place.first, place.second);
        taps.push_back({name_of_user(place.first), place.second, std::to_string(count),
                        limit ? std::to_string(*limit) : "-"});
    }
    if (taps.size() > 1)
        text += "\n" + fitted_table(taps, output_width());
    return text;
}

}  // namespace

ExitCode print_usage(const CommandLine& command) {
    const Usage usage = usage_now(command);
    if (command.has("json"))
        print_json(json_of(usage));
    else if (usage.vms.empty() && usage.taps.empty())
        note(usage.unknown.empty() ? "no VM runs" : "no VM runs on this host");
    else
        print(text_of(usage, nullptr, 0));
    return told_unknown(usage);
}

ExitCode show_top(const CommandLine& command) {
    constexpr int interval = 2000;  // milliseconds
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    const StopSignals stop;
    Before before;
    const auto remember = [&](const Usage& usage) {
        before.clear();
        for (const VmUsage& vm : usage.vms)
            before[{vm.node, vm.process}] = vm.cpu_milliseconds;
    };
    remember(usage_now(command));
    auto then = Clock::now();
    for (int wait = terminal ? 0 : 1000;; wait = interval) {
        pollfd signal{stop.fd(), POLLIN, 0};
        // The first one comes soon, so that there is something to see.
        if (poll(&signal, 1, wait == 0 ? 300 : wait) > 0)
            return ExitCode::done;
        const Usage usage = usage_now(command);
        const auto now = Clock::now();
        const std::string text =
            text_of(usage, &before, std::chrono::duration<double>(now - then).count());
        print(terminal ? "\033[H\033[J" + text : text);
        if (!terminal)
            return told_unknown(usage);
        for (const std::string& one : usage.unknown)
            print(terminal_text(one) + "\n");
        then = now;
        remember(usage);
    }
}

ExitCode print_events(const CommandLine& command) {
    try {
        if (command.operands.empty() && !jobs_to_list().empty())
            note("of this host's VMs; of one that is a job of Slurm's: tapgate events NAME");
    } catch (const LauncherError& error) {
        note(error.what());
    }
    follow_events(command.operands.empty() ? std::nullopt : std::optional(command.vm_name()),
                  command.has("json"));
}

}  // namespace tapgate
