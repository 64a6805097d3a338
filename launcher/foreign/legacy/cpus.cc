// SPDX-License-Identifier: GPL-2.0-or-later
//
// CPUs: how many, and which.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/vm/spec.h"

namespace tapgate {

bool is_cpu(std::string_view driver) {
    return driver.ends_with("-x86_64-cpu") || driver.ends_with("-i386-cpu");
}

void count_plugged_cpus(LegacyParts& parts, const std::vector<LegacyOption>& options) {
    parts.plugged_cpus = static_cast<unsigned>(
        std::count_if(options.begin(), options.end(), [](const LegacyOption& option) {
            return option.kind != nullptr && option.kind->name == "device" &&
                   option.value.find("-cpu") != std::string::npos &&
                   is_cpu(Properties::parse(option.value, "driver").get("driver"));
        }));
}

namespace {

constexpr unsigned most_of_a_level = 100000;

// Stays far below what would overflow.
std::uint64_t times(std::uint64_t product, std::uint64_t level) {
    constexpr std::uint64_t most = 1ULL << 40U;
    return std::min(product * level, most);
}

// What -smp says.
struct Smp {
    std::optional<unsigned> cpus, sockets, cores, threads, most;
    std::uint64_t between = 1;               // of levels that cpus = does not have: dies=
    std::vector<Properties::Property> left;  // other properties

    // How many CPUs the levels come to, each of those that are not given being one.
    [[nodiscard]] std::uint64_t product() const {
        std::uint64_t all = between;
        for (const auto& level : {sockets, cores, threads})
            all = times(all, level.value_or(1));
        return all;
    }
};

Smp smp_of(const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "cpus");
    const auto number = [&](const char* key) -> std::optional<unsigned> {
        const auto text = properties.take(key);
        const auto value = text ? parse_whole<unsigned>(*text, 1, most_of_a_level) : std::nullopt;
        if (text && !value)
            throw LauncherError(shown(option.text) + ": " + key + "= takes a number from 1 to " +
                                std::to_string(most_of_a_level));
        return value;
    };
    Smp smp;
    smp.cpus = number("cpus");
    smp.sockets = number("sockets");
    smp.cores = number("cores");
    smp.threads = number("threads");
    smp.most = number("maxcpus");
    for (const char* const one : {"dies", "clusters", "modules", "drawers", "books"})
        smp.between = times(smp.between, number(one).value_or(1));
    smp.left = properties.all();
    return smp;
}

// ",sockets=...", for cpus =; empty if only the number is given, or is another one.
std::string topology(const Smp& smp, std::uint64_t total, std::string& why) {
    const auto& sockets = smp.sockets;
    const auto& cores = smp.cores;
    const auto& threads = smp.threads;
    if (!sockets && !cores && !threads)
        return {};
    const std::uint64_t said = smp.product();
    if (total % said != 0 || (said != total && sockets && cores && threads)) {
        add_reason(why, "sockets, cores and threads are left out, since they do not multiply to " +
                            std::to_string(total) + " CPUs");
        return {};
    }
    // What is not given follows from the rest, as with QEMU: cores before sockets.
    const auto left = static_cast<unsigned>(total / said);
    if (!sockets && !cores && left > 1)
        add_reason(why,
                   "QEMU before 6.2 made " + std::to_string(left) + " sockets of this instead");
    return ",sockets=" + std::to_string(sockets.value_or(cores ? left : 1)) +
           ",cores=" + std::to_string(cores.value_or(left)) +
           ",threads=" + std::to_string(threads.value_or(sockets && cores ? left : 1));
}

// -smp as it is kept: QEMU makes one of it and of tapgate's own, so that it says all levels. What
// is not given follows as in QEMU: cores before sockets.
std::string all_levels(const LegacyOption& option, const Smp& smp, std::uint64_t total) {
    Properties all = Properties::parse(option.value, "cpus");
    const std::uint64_t most = std::max<std::uint64_t>(total, smp.most.value_or(0));
    std::uint64_t left = std::max<std::uint64_t>(most / smp.product(), 1);
    if (total > most_of_a_level)
        return option.value;  // more than any QEMU has
    if (all.get("cpus") != std::to_string(total))
        all.set("cpus", std::to_string(total));
    for (const char* const level : {"cores", "sockets", "threads"}) {
        if (!all.has(level))
            all.set(level, std::to_string(std::exchange(left, 1)));
    }
    return all.str("cpus");
}

}  // namespace

void take_cpus(LegacyParts& parts, const LegacyOption& option) {
    const Smp smp = smp_of(option);
    const std::uint64_t first = smp.cpus ? *smp.cpus : smp.most ? *smp.most : smp.product();
    const std::uint64_t total = first + parts.plugged_cpus;
    std::string why;
    if (parts.plugged_cpus > 0)
        why = "including the CPUs that -device plugs in";
    const std::string value = std::to_string(total) + topology(smp, total, why);
    if (smp.most && *smp.most > total) {
        parts.more_cpus = true;
        add_reason(
            why, "more CPUs, up to " + std::to_string(*smp.most) + ", cannot be plugged in later");
    }
    if (!smp.left.empty())
        add_reason(why, "left out: " + listed(smp.left));
    const auto keep = [&](std::uint64_t here, const std::string& reason) {
        parts.result.set("cpus", std::to_string(here));
        parts.result.keep(option.text, {"-smp", all_levels(option, smp, total)}, reason);
    };
    if (total > CpuTopology::most_cpus)
        return keep(CpuTopology::most_cpus,
                    "cpus = goes up to " + std::to_string(CpuTopology::most_cpus));
    if (smp.between > 1)
        return keep(total, "cpus = has only sockets, cores and threads");
    parts.set(option.text, "cpus", value, why);
}

void take_cpu(LegacyParts& parts, const LegacyOption& option) {
    const bool rhel = option.value.starts_with("cpu64-rhel");
    // `enforce' and `check' are questions to the host, and no part of the CPU.
    std::vector<std::string> words = split_at_commas(option.value);
    std::string why;
    std::erase_if(words, [&](const std::string& word) {
        const bool enforce = word == "enforce" || word == "enforce=on";
        const bool check = word == "check" || word == "check=on";
        if (enforce)
            add_reason(why, word +
                                " is left out: the VM also starts on a host whose CPU lacks some "
                                "of this, and qemu.log says what");
        if (check)
            add_reason(why, word + " is QEMU's default: qemu.log says what the host's CPU lacks");
        return enforce || check;
    });
    const std::string value = joined_by_commas(words);
    if (rhel || !CpuModel::parse(value)) {
        parts.set(option.text, "cpu", "auto",
                  rhel ? "only RHEL's QEMU has this CPU model" : "not a valid CPU model");
        return;
    }
    if (value.find("+vmx") != std::string::npos || value.find("+svm") != std::string::npos)
        add_reason(why,
                   "to run VMs inside the guest, cpu = auto (the host's CPU) is the better choice");
    parts.set(option.text, "cpu", value, why);
}

}  // namespace tapgate
