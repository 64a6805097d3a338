// SPDX-License-Identifier: GPL-2.0-or-later
//
// CPUs: how many, and which.
#include <algorithm>

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

void take_cpus(LegacyParts& parts, const LegacyOption& option) {
    Properties properties = Properties::parse(option.value, "cpus");
    const auto number = [&](const char* key) -> std::optional<unsigned> {
        const auto text = properties.take(key);
        const auto value = text ? parse_whole<unsigned>(*text) : std::nullopt;
        if (text && (!value || *value == 0 || *value > 100000))
            throw LauncherError(shown(option.text) + ": " + key +
                                "= takes a number from 1 to 100000");
        return value;
    };
    const auto cpus = number("cpus");
    const auto sockets = number("sockets");
    const auto cores = number("cores");
    const auto threads = number("threads");
    const auto most = number("maxcpus");
    // Levels in between, which cpus = does not have.
    std::uint64_t between = 1;
    for (const char* const one : {"dies", "clusters", "modules", "drawers", "books"})
        between *= number(one).value_or(1);
    const std::uint64_t said =
        std::uint64_t{sockets.value_or(1)} * cores.value_or(1) * threads.value_or(1) * between;
    const std::uint64_t first = cpus ? *cpus : most ? *most : said;
    const std::uint64_t total = first + parts.plugged_cpus;
    std::string value = std::to_string(total);
    std::string why;
    if (parts.plugged_cpus > 0)
        why = "including the CPUs that -device plugs in";
    if (!sockets && !cores && !threads) {
        // Only the number is given.
    } else if (total % said == 0 && (said == total || !sockets || !cores || !threads)) {
        // What is not given follows from the rest, as with QEMU: cores before sockets.
        const auto left = static_cast<unsigned>(total / said);
        value += ",sockets=" + std::to_string(sockets.value_or(cores ? left : 1));
        value += ",cores=" + std::to_string(cores.value_or(left));
        value += ",threads=" + std::to_string(threads.value_or(sockets && cores ? left : 1));
        if (!sockets && !cores && left > 1)
            add_reason(why,
                       "QEMU before 6.2 made " + std::to_string(left) + " sockets of this instead");
    } else {
        add_reason(why, "sockets, cores and threads are left out, since they do not multiply to " +
                            std::to_string(total) + " CPUs");
    }
    if (most && *most > total) {
        parts.more_cpus = true;
        add_reason(why,
                   "more CPUs, up to " + std::to_string(*most) + ", cannot be plugged in later");
    }
    if (!properties.all().empty())
        add_reason(why, "left out: " + listed(properties.all()));
    // A kept -smp overrides tapgate's own, since QEMU's last one counts.
    const auto keep = [&](std::uint64_t here, const std::string& reason) {
        parts.result.set("cpus", std::to_string(here));
        parts.result.keep(option.text, {"-smp", option.value}, reason);
    };
    if (total > CpuTopology::most_cpus)
        return keep(CpuTopology::most_cpus,
                    "cpus = goes up to " + std::to_string(CpuTopology::most_cpus));
    if (between > 1)
        return keep(total, "cpus = has only sockets, cores and threads");
    parts.set(option.text, "cpus", value, why);
}

void take_cpu(LegacyParts& parts, const LegacyOption& option) {
    const bool rhel = option.value.starts_with("cpu64-rhel");
    // `enforce' and `check' are questions to the host, and no part of the CPU.
    std::vector<std::string> words = split_at_commas(option.value);
    std::string why;
    std::erase_if(words, [&](const std::string& word) {
        const bool asks = word == "enforce" || word == "check";
        if (asks)
            add_reason(
                why,
                word + " is left out: the VM also starts on a host whose CPU lacks some of this");
        return asks;
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
