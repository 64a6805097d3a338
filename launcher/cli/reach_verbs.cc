// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/reach_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/text.h"
#include "launcher/cluster/slurm.h"
#include "launcher/network/agent_files.h"
#include "launcher/network/end_with_vm.h"
#include "launcher/network/guest_addresses.h"
#include "launcher/network/guest_agent.h"
#include "launcher/network/ssh.h"
#include "launcher/network/ssh_relay.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/vm/file.h"
#include "launcher/vm/known_hosts.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds reach_limit{1000};
constexpr milliseconds ssh_greeting_limit{5000};
constexpr milliseconds agent_limit{2000};
constexpr milliseconds exec_limit = std::chrono::hours(24);
constexpr milliseconds piece_limit{10000};

// The user in the guest: not a word that ssh would take for an option, or split.
std::string user_option(const CommandLine& command) {
    std::string user = command.option("user");
    const bool is_name =
        !user.empty() && user.front() != '-' &&
        std::all_of(user.begin(), user.end(), [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c >= 0x80;
        });
    if (command.has("user") && !is_name)
        throw UsageError("--user: " + quoted_word(user) + " is no user's name");
    return user;
}

// A search for the guest's SSH server, and its result.
struct SshSearch {
    explicit SshSearch(const VmName& name)
        : facts(guest_facts(name)),
          adapters(find_guest(facts, patience_with(facts, reach_limit))),
          targets(ssh_targets(adapters)) {
        if (!targets.empty())
            server = first_ssh_server(targets, patience_with(facts, ssh_greeting_limit), why);
    }

    GuestFacts facts;
    std::vector<GuestAdapter> adapters;
    std::vector<SshTarget> targets;   // the places where it may be, the best first
    std::optional<SshTarget> server;  // the one that answered
    std::string why;                  // why the others did not
};

// Throws when there is no place to try.
void require_targets(const SshSearch& search) {
    if (!search.targets.empty())
        return;
    refuse_unanswering(search.facts);
    const std::string name = search.facts.name.str();
    const std::string why = why_unknown(search.facts.name, search.adapters);
    // On a bridge a guest is found once it has booted.
    const bool may_come =
        std::any_of(search.adapters.begin(), search.adapters.end(),
                    [](const GuestAdapter& one) { return !one.net.bridge.empty(); });
    throw LauncherError(name + ": no way to its SSH server is known: " +
                        (why.empty() ? "no port of this host leads to the guest's port 22: "
                                       "--net=user,hostfwd=tcp::0-:22"
                                     : why) +
                        (may_come ? "; tapgate wait " + name + " waits for it" : ""));
}

// The guest's SSH server. Throws when none has answered.
SshTarget required_server(const SshSearch& search) {
    if (search.server)
        return *search.server;
    require_targets(search);
    refuse_unanswering(search.facts);
    const std::string name = search.facts.name.str();
    throw LauncherError(name + ": no SSH server answers: " + search.why +
                        "; is one running in the guest? (tapgate wait " + name + " waits for it)");
}

// The VM in whose guest something is to be done; not "root@lab", as with ssh.
VmName guest_named(const std::string& word) {
    const size_t at = word.find('@');
    if (at != std::string::npos && at > 0 && VmName::parse(word.substr(at + 1)))
        throw UsageError(quoted_word(word) + ": who to be in " + word.substr(at + 1) +
                         " is told by an option: --user=" + shown(word.substr(0, at)));
    return parse_vm_name(word);
}

// "lab:/tmp" is a place in a guest; "./a:b" and "/a:b" are files here.
struct Place {
    std::optional<VmName> vm;
    std::string path;
};

Place place_of(const std::string& word) {
    const size_t colon = word.find(':');
    if (colon == std::string::npos || word.find('/') < colon)
        return {std::nullopt, word};
    return {guest_named(word.substr(0, colon)), word.substr(colon + 1)};
}

enum class Way { either, ssh, agent };

Way way_option(const CommandLine& command) {
    const std::string text = command.option("via");
    return text == "ssh" ? Way::ssh : text == "agent" ? Way::agent : Way::either;
}

// Does something by the VM's agent. When the VM ends meanwhile, says that, and not that the agent's
// channel was closed.
void by_agent(const VmName& name, const std::function<void()>& something) {
    const UniqueFd qemu = qemu_pidfd(name);
    try {
        something();
    } catch (const QmpError& error) {
        if (error.kind() == QmpError::Kind::closed && ends(qemu))
            throw LauncherError(ended_text(name));
        throw LauncherError(name.str() + ": " + error.what());
    }
}

ExitCode exec_by_agent(const VmName& name, const std::vector<std::string>& words) {
    AgentResult result;
    by_agent(name, [&] { result = agent_exec(agent_path(name), words, agent_limit, exec_limit); });
    print(result.output);
    write_all(STDERR_FILENO, result.errors);
    if (result.cut)
        note("the agent keeps 16 MiB of output; the rest is lost");
    return static_cast<ExitCode>(result.exit_code);
}

bool has_answering_agent(const GuestFacts& facts) {
    // An agent that has reported addresses answers.
    return !facts.agent.empty() ||
           agent_answers(agent_path(facts.name), patience_with(facts, agent_limit));
}

void require_agent(const GuestFacts& facts) {
    if (has_answering_agent(facts))
        return;
    refuse_unanswering(facts);
    throw LauncherError(facts.name.str() + ": no guest agent answers; " +
                        (facts.has_agent ? "the guest has one, which hangs, or speaks with another "
                                           "program just now"
                                         : "in the guest: apt install qemu-guest-agent (or dnf "
                                           "install)"));
}

// The SSH server by which to reach the guest; nothing if its agent is the way. Throws if there is
// no way. `as`: what the agent would do as root, for a user who asked for another one.
std::optional<SshTarget> server_or_agent(const CommandLine& command, const VmName& name,
                                         const std::string& as) {
    const std::string user = user_option(command);
    const Way way = way_option(command);
    if (way == Way::agent && !user.empty())
        throw UsageError("--user: the guest's agent does what it does as root");
    if (way == Way::agent) {
        require_agent(guest_facts(name));
        return std::nullopt;
    }
    const SshSearch search(name);
    if (search.server || way == Way::ssh || !has_answering_agent(search.facts))
        return required_server(search);
    if (!user.empty())
        throw LauncherError(name.str() +
                            ": no SSH server answers, and its agent, which does, would " + as +
                            " as root and not as " + user);
    return std::nullopt;
}

// Becomes ssh or scp, to a VM on this host.
[[noreturn]] void become_ssh_to(const VmName& name, const std::vector<std::string>& argv) {
    end_with_vm(name);
    become_ssh(name, argv);
}

void copy_by_agent(const VmName& name, const Place& from, const Place& to) {
    ProgressBar bar(name.str());
    const AgentCopy copy = {.socket = agent_path(name),
                            .answer_limit = piece_limit,
                            .progress = [&](double percent) { bar.show(percent); }};
    by_agent(name, [&] {
        if (to.vm)
            copy_to_guest(copy, from.path, to.path);
        else
            copy_from_guest(copy, from.path, to.path);
    });
}

}  // namespace

ExitCode ssh_to_vm(const CommandLine& command) {
    const VmName name = guest_named(command.operands.at(0));
    const std::string user = user_option(command);
    become_ssh_to(name, ssh_argv(name, required_server(SshSearch(name)), known_hosts_path(name),
                                 user, command.rest));
}

ExitCode print_ssh_config(const CommandLine& command) {
    const std::string user = user_option(command);
    if (command.operands.empty()) {
        const std::string text = ssh_pattern_config(user);
        if (!command.has("install")) {
            print(text);
            return ExitCode::done;
        }
        for (const std::string& one : install_ssh_config(home_directory(), text))
            note(one);
        return ExitCode::done;
    }
    if (command.has("install"))
        throw UsageError("ssh-config --install is for all VMs; leave the name out");
    const VmName name = guest_named(command.operands.at(0));
    // The way from the job's node to the guest is of no use here.
    if (is_on_slurm(name) && slurm_job(name)) {
        print(ssh_proxy_config(name, known_hosts_path(name), user));
        return ExitCode::done;
    }
    const SshSearch search(name);
    require_targets(search);
    // A server that does not answer yet is better than none, since the block is for later.
    print(ssh_config(name, search.server.value_or(search.targets.front()), known_hosts_path(name),
                     user));
    return ExitCode::done;
}

ExitCode relay_ssh(const CommandLine& command) {
    std::string word = command.operands.at(0);
    const std::string_view prefix = ssh_host_prefix;
    if (word.starts_with(prefix))
        word.erase(0, prefix.size());
    const VmName name = parse_vm_name(word);
    // ssh needs them, and makes no directories.
    make_private_directory(data_directory());
    make_private_directory(known_hosts_directory());
    const UniqueFd server = connect_to(required_server(SshSearch(name)));
    end_with_vm(name);
    relay(server);
    return ExitCode::done;
}

ExitCode exec_in_vm(const CommandLine& command) {
    const VmName name = guest_named(command.operands.at(0));
    const std::string user = user_option(command);
    if (command.rest.empty())
        throw UsageError("exec needs a command: tapgate exec " + name.str() + " -- COMMAND...");
    require_vm(name);
    const auto server = server_or_agent(command, name, "run it");
    if (!server)
        return exec_by_agent(name, command.rest);
    // ssh joins the words, and a shell in the guest splits them.
    become_ssh_to(
        name, ssh_argv(name, *server, known_hosts_path(name), user, {shell_text(command.rest)}));
}

ExitCode copy_files(const CommandLine& command) {
    const Place from = place_of(command.operands.at(0));
    const Place to = place_of(command.operands.at(1));
    if (from.vm && to.vm)
        throw UsageError("cp copies between a guest and this host; two guests take two steps");
    if (!from.vm && !to.vm) {
        const auto vm = VmName::parse(to.path);
        throw UsageError("cp needs a place in a guest: tapgate cp " + shown(from.path) + " " +
                         (vm && has_vm_file(*vm) ? to.path + ":" : "NAME:" + shown(to.path)));
    }
    const VmName& name = from.vm ? *from.vm : *to.vm;
    const std::string user = user_option(command);
    if (!to.vm && to.path.empty())
        throw UsageError("cp: the place to copy to is empty");
    if (!from.vm && from.path.empty())
        throw UsageError("cp: the name of what to copy is empty");
    if (!from.vm && !exists(from.path))
        throw LauncherError(shown(from.path) + ": there is no such file");
    // scp(1) would wait until somebody writes to it.
    std::error_code ignored;
    if (!from.vm && !std::filesystem::is_regular_file(from.path, ignored) &&
        !std::filesystem::is_directory(from.path, ignored))
        throw LauncherError(shown(from.path) + " is neither a file nor a directory");
    const auto argv_for = [&](const SshTarget& server) {
        return scp_argv(name, server, known_hosts_path(name), user, from.path, to.path,
                        to.vm.has_value());
    };
    if (!is_on_slurm(name) || !slurm_job(name)) {
        require_vm(name);
        if (const auto server = server_or_agent(command, name, "do it"))
            become_ssh_to(name, argv_for(*server));
        copy_by_agent(name, from, to);
        return ExitCode::done;
    }
    if (way_option(command) == Way::agent)
        throw LauncherError(name.str() + " runs on another host: there cp goes by ssh only");
    // The file is on this host; only the connection goes through the node.
    std::vector<std::string> argv = argv_for({std::string(ssh_host_prefix) + name.str(), 22});
    std::string proxy;
    for (const char c : shell_text({own_program(), "ssh-proxy", name.str()}))
        proxy += c == '%' ? "%%" : std::string(1, c);
    argv.insert(argv.begin() + 1, {"-o", "ProxyCommand=" + proxy});
    become_ssh(name, argv);
}

}  // namespace tapgate
