// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/network_verbs.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/doctor/collect.h"
#include "launcher/doctor/diagnosis.h"
#include "launcher/network/bridge_listing.h"
#include "launcher/network/guest_addresses.h"
#include "launcher/network/guest_agent.h"
#include "launcher/network/helper_client.h"
#include "launcher/network/host_network.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

// How long a guest may take to answer a datagram.
constexpr milliseconds call_limit{1000};
// How long QEMU and the guest's agent may take.
constexpr milliseconds facts_limit{2000};
constexpr milliseconds least_facts_limit{200};

// How long a guest's SSH server may take to greet: without KVM it needs a second.
constexpr milliseconds greeting_limit{5000};

constexpr std::chrono::seconds default_wait{120};

enum class Goal { ssh, agent, address, running };

Goal goal_option(const CommandLine& command) {
    const std::string text = command.option("for");
    return text == "agent"     ? Goal::agent
           : text == "address" ? Goal::address
           : text == "running" ? Goal::running
                               : Goal::ssh;
}

// What is still missing for the goal; empty when it is reached. Throws a LauncherError when it can
// never be reached.
std::string missing_for(Goal goal, const VmName& name, milliseconds left) {
    if (goal == Goal::running) {
        const VmState state = vm_state(name);
        return state.qemu != 0 ? "" : "it is " + std::string(name_of(state.life));
    }
    if (vm_state(name).life == Life::starting)
        return "it is starting";
    // At the end of the time, too, QEMU gets enough of it to show that it does not hang.
    GuestFacts facts = guest_facts(name, std::clamp(left, least_facts_limit, facts_limit));
    if (!facts.standstill.empty())
        return facts.standstill;
    // If the guest cannot answer at all, that is the reason, whatever else is missing.
    const auto missing = [&](const std::string& why) {
        return facts.silence.empty() ? why : facts.silence;
    };
    const milliseconds patience = patience_with(facts, std::min(left, call_limit));
    if (goal == Goal::agent)
        return agent_answers(agent_path(name), patience) ? "" : missing("no guest agent answers");
    const auto adapters = find_guest(facts, patience);
    if (goal == Goal::address)
        return std::any_of(adapters.begin(), adapters.end(),
                           [](const GuestAdapter& one) { return !one.addresses.empty(); })
                   ? ""
                   : missing(why_unknown(name, adapters));
    const auto targets = ssh_targets(adapters);
    std::string why;
    if (targets.empty())
        return missing("no way to its SSH server is known: " + why_unknown(name, adapters));
    return first_ssh_server(targets, patience_with(facts, std::min(left, greeting_limit)), why)
               ? ""
               : missing(why);
}

}  // namespace

ExitCode show_bridges(const CommandLine& command) {
    const auto bridges = list_bridges(host_network(), user_name_of,
                                      command.operands.empty() ? "" : command.operands[0]);
    if (command.has("json"))
        print_json(bridges_json(bridges));
    else if (bridges.empty())
        note("this host has no bridge; how one is made, and what else a VM needs: tapgate doctor");
    else
        print(bridges_text(bridges, output_width()));
    return ExitCode::done;
}

ExitCode show_addresses(const CommandLine& command) {
    const VmName name = command.vm_name();
    GuestFacts facts = guest_facts(name);
    const auto adapters = find_guest(facts, call_limit);
    std::string text;
    for (const GuestAdapter& adapter : adapters)
        for (const GuestAddress& one : adapter.addresses)
            text += one.address +
                    (one.port == 0
                         ? ""
                         : " port " + std::to_string(one.port) + " (" + (one.tcp ? "tcp" : "udp") +
                               ", the guest's " + std::to_string(one.guest_port) + ")") +
                    "\n";
    if (command.has("json"))
        print_json(adapters_json(adapters));
    else
        print(text);
    if (text.empty())
        refuse_unanswering(facts);
    if (text.empty())
        throw LauncherError(name.str() + ": no address known: " + why_unknown(name, adapters));
    return ExitCode::done;
}

ExitCode wait_for_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_vm(name);
    const Goal goal = goal_option(command);
    const milliseconds limit = command.seconds("timeout", default_wait);
    const auto deadline = std::chrono::steady_clock::now() + limit;
    std::string told;
    for (;;) {
        const auto left =
            std::max(std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()),
                     milliseconds(1));
        const std::string missing = missing_for(goal, name, left);
        if (missing.empty())
            return ExitCode::done;
        if (std::chrono::steady_clock::now() >= deadline)
            throw LauncherError(name.str() + ": not ready within " +
                                std::to_string(limit.count() / 1000) + " s: " + missing);
        if (missing != told)
            note(name.str() + ": waiting: " + missing);
        told = missing;
        std::this_thread::sleep_for(std::min(left, milliseconds(250)));
    }
}

ExitCode run_doctor(const CommandLine& command) {
    std::optional<VmSpec> vm;
    std::vector<std::string> bridges;
    if (!command.operands.empty())
        vm = load_vm(command.vm_name(), {}).spec;
    if (command.has("bridge")) {
        const std::string name = command.option("bridge");
        if (!InterfaceName::parse(name))
            throw UsageError("--bridge: " + quoted_word(name) + " cannot be a bridge's name");
        bridges.push_back(name);
    } else if (vm) {
        for (const Net& net : vm->nets)
            if (const auto* const bridged = std::get_if<BridgeNet>(&net.link))
                if (std::find(bridges.begin(), bridges.end(), bridged->bridge.str()) ==
                    bridges.end())
                    bridges.push_back(bridged->bridge.str());
    } else {
        bridges.emplace_back("br0");
    }
    const auto findings =
        diagnose(collect_facts(vm, bridges, helper_path(command.option("helper"))));
    if (command.has("json"))
        print_json(findings_json(findings));
    else
        print(findings_text(findings, output_width()));
    const bool healthy = std::none_of(findings.begin(), findings.end(), [](const Finding& one) {
        return one.health == Health::fail;
    });
    return healthy ? ExitCode::done : ExitCode::failed;
}

}  // namespace tapgate
