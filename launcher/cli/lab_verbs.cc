// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/lab_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/question.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/cli/other_words.h"
#include "launcher/cli/several.h"
#include "launcher/lab/control.h"
#include "launcher/lab/file.h"
#include "launcher/lab/plan.h"
#include "launcher/lab/up.h"
#include "launcher/run/power_down.h"

namespace tapgate {

namespace {

LabStop stop_options(const CommandLine& command) {
    return {command.seconds("timeout", PowerDown::Limits().guest), command.has("force")};
}

ExitCode up(const Lab& lab, const CommandLine& command) {
    const UniqueFd lock = lock_labs();
    LabStart options;
    options.helper = command.option("helper");
    options.ready = command.seconds("timeout", options.ready);
    bring_lab_up(lab, options);
    print("the lab " + lab.name.str() + " runs\n");
    return ExitCode::done;
}

ExitCode down(const Lab& lab, const CommandLine& command) {
    const UniqueFd lock = lock_labs();
    take_lab_down(lab_members(lab), stop_options(command));
    return ExitCode::done;
}

ExitCode reset(const Lab& lab, const CommandLine& command) {
    if (!command.has("yes") && can_ask() &&
        !agreed("Resetting the lab " + lab.name.str() +
                " gives up all that its VMs with a template have written. Go on"))
        throw LauncherError("nothing was done");
    const UniqueFd lock = lock_labs();
    reset_lab(lab_members(lab), command.has("force"));
    return ExitCode::done;
}

// Prints each line after the VM's name, and returns the exit code.
ExitCode print_answers(const LabAnswers& answers) {
    const auto lines = [](const std::string& name, std::string_view text) {
        std::string result;
        while (!text.empty()) {
            const std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(line.size() + 1, text.size()));
            result.append(name).append(": ").append(line).append("\n");
        }
        return result;
    };
    size_t failed = 0;
    for (const LabAnswer& answer : answers.all) {
        print(lines(answer.name.str(), answer.output));
        write_all(STDERR_FILENO, lines(answer.name.str(), answer.errors));
        failed += answer.failed ? 1 : 0;
    }
    if (failed > 0)
        note(std::to_string(failed) + " of " + std::to_string(answers.all.size()) + " failed");
    if (!answers.signal.empty())
        return code_of_signal(answers.signal);
    return failed > 0 ? ExitCode::failed : ExitCode::done;
}

// The arguments of `tapgate` for one VM, followed by those that were given for all.
std::vector<std::string> words_for(std::vector<std::string> words, const CommandLine& command) {
    for (const char* option : {"user", "via"}) {
        if (command.has(option))
            words.push_back("--" + std::string(option) + "=" + command.option(option));
    }
    if (!command.rest.empty())
        words.emplace_back("--");
    words.insert(words.end(), command.rest.begin(), command.rest.end());
    return words;
}

// Runs `words` as if they had been typed after `tapgate` in place of `command`.
ExitCode run_as_typed(const CommandLine& command, const std::vector<std::string>& words) {
    return do_command(parse_command_line(*command.grammar, words, current_directory()));
}

// The VM of the lab that `word` means: by its whole name, or by the part after the lab's name.
// Without a word, the only one.
VmName member_meant(const Lab& lab, const std::string& word) {
    const std::string prefix = lab.name.str() + "-";
    std::vector<std::string> names;
    std::vector<std::string_view> shorter;
    for (const LabMember& one : lab_members(lab))
        names.push_back(one.name.str());
    for (const std::string& name : names) {
        if (name == word || name == prefix + word || (word.empty() && names.size() == 1))
            return parse_vm_name(name);
        shorter.push_back(name.starts_with(prefix) ? std::string_view(name).substr(prefix.size())
                                                   : name);
    }
    constexpr size_t most_shown = 8;
    std::string list;
    for (size_t i = 0; i < shorter.size() && i < most_shown; i++)
        list.append(i == 0 ? "" : ", ").append(shorter[i]);
    if (shorter.size() > most_shown)
        list += ", ...";
    throw UsageError((word.empty()
                          ? "which of them? tapgate lab ssh FILE NAME, or tapgate lab ssh FILE -- "
                            "COMMAND for each"
                          : quoted_word(word) + " is no VM of the lab " + lab.name.str()) +
                     (list.empty() ? "" : "; it has " + list) +
                     (word.empty() ? "" : did_you_mean(word, shorter)));
}

// A command in one of the VMs, or in each.
ExitCode exec_in_lab(const Lab& lab, const CommandLine& command) {
    if (command.rest.empty())
        throw UsageError("lab exec needs a command: tapgate lab exec FILE -- COMMAND...");
    if (command.operands.size() > 3)
        throw UsageError(
            "lab exec takes the lab's file and one of its VMs, or none for each: tapgate lab exec "
            "FILE NAME -- COMMAND...");
    if (command.operands.size() == 3)
        return run_as_typed(
            command, words_for({"exec", member_meant(lab, command.operands[2]).str()}, command));
    return print_answers(
        ask_lab(lab, "running the command", "has done it", [&](const VmName& name) {
            return words_for({"exec", name.str()}, command);
        }));
}

// A login to one of the VMs, or a command in one, or by ssh in each.
ExitCode ssh_to_lab(const Lab& lab, const CommandLine& command) {
    if (command.operands.size() > 3)
        throw UsageError(
            "lab ssh takes the lab's file and one of its VMs: tapgate lab ssh FILE NAME");
    if (command.operands.size() == 2 && !command.rest.empty())
        return print_answers(
            ask_lab(lab, "running the command", "has done it", [&](const VmName& name) {
                return words_for({"ssh", name.str()}, command);
            }));
    const VmName name =
        member_meant(lab, command.operands.size() > 2 ? command.operands[2] : std::string());
    return run_as_typed(command, words_for({"ssh", name.str()}, command));
}

// The same as `tapgate wait` with the names of those that run.
ExitCode wait_for_lab(const Lab& lab, const CommandLine& command) {
    std::vector<std::string> words = {"wait"};
    for (const LabMember& one : running_members(lab))
        words.push_back(one.name.str());
    const auto limit = command.seconds("timeout", LabStart().ready);
    words.push_back("--timeout=" + std::to_string(limit.count() / 1000));
    if (command.has("for"))
        words.push_back("--for=" + command.option("for"));
    return run_as_typed(command, words);
}

// Only towards the VMs: a file from many of them would need as many names.
ExitCode copy_to_lab(const Lab& lab, const CommandLine& command) {
    if (command.operands.size() != 4 || !command.operands[3].starts_with(':'))
        throw UsageError("lab cp copies to each guest: tapgate lab cp FILE PATH :PATH");
    return print_answers(ask_lab(lab, "copying", "has it", [&](const VmName& name) {
        return words_for({"cp", command.operands[2], name.str() + command.operands[3]}, command);
    }));
}

ExitCode destroy(const Lab& lab, const CommandLine& command) {
    const UniqueFd lock = lock_labs();
    const std::vector<LabMember> members = lab_members(lab);
    const std::string files = lab_removal_text(members);
    if (files.empty()) {
        note("the lab " + lab.name.str() + " has no VMs");
        return ExitCode::done;
    }
    if (!command.has("yes") &&
        !agreed("Destroying the lab " + lab.name.str() +
                " powers its VMs down and removes them, with\n" + files + "Go on"))
        throw LauncherError("nothing was removed");
    take_lab_down(members, stop_options(command));
    remove_lab(members);
    return ExitCode::done;
}

std::string up_of(const LabVmStatus& vm) {
    if (!vm.up.empty())
        return vm.up;
    return vm.started == 0 ? "-" : duration_text(std::time(nullptr) - vm.started);
}

ExitCode status(const Lab& lab, const CommandLine& command) {
    const std::vector<LabVmStatus> all = lab_status(lab_members(lab));
    if (command.has("json")) {
        nlohmann::json vms = nlohmann::json::array();
        for (const LabVmStatus& vm : all) {
            nlohmann::json json = {{"name", vm.name.str()},
                                   {"state", vm.state},
                                   {"in_file", vm.planned},
                                   {"addresses", vm.addresses}};
            if (!vm.guest.empty())
                json["guest"] = vm.guest;
            if (vm.memory != 0)
                json["memory_mib"] = vm.memory;
            if (!vm.node.empty())
                json["node"] = vm.node;
            if (vm.started != 0)
                json["started"] = vm.started;
            vms.push_back(std::move(json));
        }
        print_json(
            nlohmann::json{{"lab", lab.name.str()}, {"file", lab.path}, {"vms", std::move(vms)}});
        return ExitCode::done;
    }
    std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "UP", "MEMORY", "ADDRESS"}};
    const bool nodes =
        std::any_of(all.begin(), all.end(), [](const LabVmStatus& vm) { return !vm.node.empty(); });
    if (nodes)
        rows[0].emplace_back("NODE");
    for (const LabVmStatus& vm : all) {
        rows.push_back({vm.name.str(), vm.guest.empty() ? vm.state : vm.guest, up_of(vm),
                        vm.memory == 0 ? "-" : std::to_string(vm.memory) + "M",
                        vm.addresses.empty() ? "-" : vm.addresses.front()});
        if (nodes)
            rows.back().push_back(vm.node.empty() ? "-" : vm.node);
    }
    print(fitted_table(rows, output_width()));
    return ExitCode::done;
}

struct Action {
    std::string_view name;
    ExitCode (*act)(const Lab& lab, const CommandLine& command);
    std::string_view options;   // the verb's options that it uses, separated by blanks
    std::string_view operands;  // as in Verb
    std::string_view help;
    // Beside the lab's file.
    [[nodiscard]] bool takes_more() const { return operands != "FILE"; }
};
constexpr Action actions[] = {
    {"up", up, "helper timeout", "FILE", "make the VMs that there are not yet, and start them all"},
    {"down", down, "timeout force", "FILE", "power all VMs down"},
    {"status", status, "json", "FILE", "print the VMs, their states and addresses"},
    {"wait", wait_for_lab, "timeout for", "FILE", "wait until all that run can be logged in to"},
    {"reset", reset, "force yes", "FILE", "take the VMs with a template back to it"},
    {"destroy", destroy, "timeout force yes", "FILE", "power all VMs down and remove them"},
    {"exec", exec_in_lab, "user via", "FILE [NAME] -- COMMAND...",
     "run a command in one of the VMs, or in all that run"},
    {"ssh", ssh_to_lab, "user", "FILE [NAME] [-- COMMAND...]",
     "log in to one of the VMs, or run a command in it or in all that run"},
    {"cp", copy_to_lab, "user via", "FILE PATH :PATH", "copy to all that run"}};

const Action* find_action(std::string_view word) {
    const auto* const found = std::find_if(std::begin(actions), std::end(actions),
                                           [&](const Action& one) { return one.name == word; });
    return found == std::end(actions) ? nullptr : found;
}

// Throws a UsageError for an option that the action would ignore.
void require_use_of_options(const Action& action, const CommandLine& command) {
    for (const auto& [option, value] : command.options) {
        if (is_among(action.options, option))
            continue;
        std::string text =
            "lab " + std::string(action.name) + " does not take --" + option + "; these do:";
        for (const Action& one : actions)
            if (is_among(one.options, option))
                text.append(" ").append(one.name);
        throw UsageError(text);
    }
}

}  // namespace

std::string lab_help(const Grammar& grammar, const std::string& word, size_t terminal) {
    const Action* const action = find_action(word);
    const Verb* const lab = grammar.find("lab");
    if (action == nullptr || lab == nullptr)
        return {};
    // As if it were a verb by itself.
    const std::string name = "lab " + word;
    const Verb verb{.name = name, .operands = action->operands, .help = action->help, .run = {}};
    std::vector<VerbOption> options;
    for (VerbOption option : grammar.options) {
        if (!is_among(action->options, option.name))
            continue;
        option.help = help_of(option, lab);
        option.verbs = verb.name;
        options.push_back(option);
    }
    return help_text({{&verb, 1}, options}, &verb, terminal);
}

ExitCode control_lab(const CommandLine& command) {
    const std::string& word = command.operands.at(0);
    const Action* const action = find_action(word);
    if (const std::string_view meant = said_here("lab " + word); !meant.empty())
        throw UsageError("unknown word " + quoted_word(word) + "; here it is: tapgate " +
                         std::string(meant));
    if (action == nullptr) {
        std::vector<std::string_view> names;
        std::string list;
        for (const Action& one : actions) {
            list.append(names.empty() ? "" : ", ").append(one.name);
            names.push_back(one.name);
        }
        throw UsageError(quoted_word(word) + " is nothing to do with a lab: it can be " + list +
                         did_you_mean(word, names));
    }
    require_use_of_options(*action, command);
    const std::string& file = command.operands.at(1);
    const Lab lab = load_lab(absolute_path(file));
    if (!action->takes_more() && (command.operands.size() > 2 || !command.rest.empty()))
        throw UsageError("lab " + word + " takes the lab's file and nothing else");
    return action->act(lab, command);
}

}  // namespace tapgate
