// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/command_line.h"

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <sstream>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/cli/other_words.h"
#include "launcher/vm/option_help.h"
#include "launcher/vm/options.h"
#include "launcher/vm/setting.h"

namespace tapgate {

namespace {

namespace po = boost::program_options;

// The options of `verb`, or of all verbs when it is null.
po::options_description own_options(const Grammar& grammar, const Verb* verb, bool hidden = false) {
    po::options_description options;
    for (const VerbOption& option : grammar.options) {
        if ((verb != nullptr && !takes(*verb, option)) || (option.help.empty() && !hidden))
            continue;
        std::string name(option.name);
        if (option.letter != 0)
            name.append(",").push_back(option.letter);
        std::string help(help_of(option, verb));
        if (verb == nullptr) {
            std::string names(option.verbs);
            for (size_t i = names.find(' '); i != std::string::npos; i = names.find(' ', i + 2))
                names.replace(i, 1, ", ");
            help.insert(0, names + ": ");
        }
        if (option.argument.empty())
            options.add_options()(name.c_str(), help.c_str());
        else
            options.add_options()(
                name.c_str(), po::value<std::string>()->value_name(std::string(option.argument)),
                help.c_str());
    }
    options.add_options()("help,h", "print this; behind a verb, its help")("version",
                                                                           "print the version");
    return options;
}

// An option as it is typed: "-y, --yes", "--fd N".
std::string typed(const po::option_description& option) {
    const std::string letter =
        option.canonical_display_name(po::command_line_style::allow_dash_for_short);
    const std::string name = option.canonical_display_name(po::command_line_style::allow_long);
    const std::string argument = option.format_parameter();
    return (letter.starts_with('-') ? letter + ", " : "") + name +
           (argument.empty() ? "" : " " + argument);
}

// The options, each with its help beside it, or below it when it is too long. (Boost's own printing
// breaks words.)
std::string options_text(const std::string& title, const po::options_description& options,
                         size_t width) {
    constexpr size_t narrow = 60;
    constexpr size_t indent = 8;
    size_t column = 0;
    for (const auto& option : options.options())
        column = std::max(column, typed(*option).size() + 4);
    column = width < narrow ? indent : std::min(column, width / 2);
    std::string text = title + ":\n";
    for (const auto& option : options.options()) {
        std::string line = "  " + fitted_text(typed(*option), 2, indent, width);
        line += line.size() + 2 > column ? "\n" + std::string(column, ' ')
                                         : std::string(column - line.size(), ' ');
        text += line + fitted_text(option->description(), column, column, width - 1) + "\n";
    }
    return text;
}

// A suggestion for an option that no verb has: one that this verb takes, or one that begins so.
std::string suggested_option(const Grammar& grammar, const Verb* verb, const std::string& name) {
    // Nearly every word is similar to one letter.
    if (name.size() < 2)
        return {};
    std::vector<std::string> typed;
    const auto add = [&](std::string_view option, bool taken) {
        if (verb == nullptr || taken || option.starts_with(name))
            typed.push_back("--" + std::string(option));
    };
    for (const VerbOption& option : grammar.options)
        if (!option.help.empty())
            add(option.name, verb != nullptr && takes(*verb, option));
    for (const VmOption& option : vm_options())
        add(option.key, verb != nullptr && verb->vm_options);
    const std::string called = "--" + std::string(key_called(name));
    return did_you_mean(called, {typed.begin(), typed.end()});
}

// Writes "--seed" as "--seed=on". (With Boost's implicit values it would take the next word.)
std::vector<std::string> with_implied_values(std::vector<std::string> arguments) {
    for (std::string& argument : arguments) {
        if (!argument.starts_with("--"))
            continue;
        const VmOption* const option = find_vm_option(argument.substr(2));
        if (option != nullptr && !option->implied.empty())
            argument.append("=").append(option->implied);
    }
    return arguments;
}

// An option of the verb's that may be meant by one that it does not take, of which perhaps only the
// letter was typed.
std::string meant_option(const Grammar& grammar, const Verb& verb, const VerbOption& option,
                         bool letter_only) {
    const bool forces = option.name == "force" || (letter_only && option.letter == 'f');
    for (const VerbOption& other : grammar.options)
        if (takes(verb, other) && ((letter_only && other.name.front() == option.letter) ||
                                   (forces && other.name == "yes")))
            return "--" + std::string(other.name);
    return {};
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Is the letter typed as an option, perhaps with others as in `-rf`?
bool is_typed(char letter, const std::vector<std::string>& arguments) {
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    return std::any_of(arguments.begin(), dashes, [&](const std::string& word) {
        // Not in a number, as in `-9'.
        return letter != 0 && word.size() > 1 && word[0] == '-' && is_letter(word[1]) &&
               word.find(letter) != std::string::npos;
    });
}

UsageError takes_not(const Grammar& grammar, const Verb& verb, const VerbOption& option,
                     const std::vector<std::string>& arguments) {
    const bool letter_only = is_typed(option.letter, arguments);
    const std::string letter = {'-', option.letter};
    const std::string name = "--" + std::string(option.name);
    const std::string meant = meant_option(grammar, verb, option, letter_only);
    std::string text = std::string(verb.name) + " does not take ";
    if (letter_only && option.letter == 'f' && verb.operands.find(" FILE") != std::string::npos)
        text += letter + "; its FILE stands without an option";
    else if (!meant.empty())
        text += (letter_only ? letter : name) + " (did you mean `" + meant + "'?)";
    else
        text += name + (letter_only ? " (" + letter + ")" : "") +
                "; these do: " + std::string(option.verbs);
    return UsageError(text);
}

UsageError takes_no_vm_option(const Verb& verb, const std::string& typed) {
    return UsageError(std::string(verb.name) + " takes no options of a VM; " + typed +
                      " belongs to create, show, argv or run");
}

po::basic_parsed_options<char> parse(const Grammar& grammar,
                                     const std::vector<std::string>& arguments) {
    po::options_description all;
    all.add(own_options(grammar, nullptr, true))
        .add(vm_options_description())
        .add_options()("word", po::value<std::vector<std::string>>());
    po::positional_options_description positions;
    positions.add("word", -1);
    // No abbreviations: one that works today may be ambiguous tomorrow.
    namespace style = po::command_line_style;
    const int as_usual = style::unix_style & ~style::allow_guessing;
    try {
        return po::command_line_parser(arguments)
            .options(all)
            .positional(positions)
            .style(as_usual)
            .run();
    } catch (const po::unknown_option& unknown) {
        std::string name = unknown.get_option_name();
        name.resize(std::min(name.find('='), name.size()));
        const size_t begin = std::min(name.find_first_not_of('-'), name.size());
        const Verb* const verb = arguments.empty() ? nullptr : grammar.find(arguments[0]);
        throw UsageError("unknown option " + quoted_word(name) +
                         suggested_option(grammar, verb, name.substr(begin)));
    } catch (const po::invalid_command_line_syntax& wrong) {
        std::string name = wrong.get_option_name();
        name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
        const VmOption* const option = find_vm_option(name);
        const auto own = std::find_if(grammar.options.begin(), grammar.options.end(),
                                      [&](const VerbOption& one) { return one.name == name; });
        if ((wrong.kind() == po::invalid_command_line_syntax::missing_parameter ||
             wrong.kind() == po::invalid_command_line_syntax::empty_adjacent_parameter) &&
            (option != nullptr || own != grammar.options.end())) {
            // `ls -l` means no user.
            const Verb* const verb = arguments.empty() ? nullptr : grammar.find(arguments[0]);
            if (option == nullptr && verb != nullptr && !takes(*verb, *own))
                throw takes_not(grammar, *verb, *own, arguments);
            if (option != nullptr && verb != nullptr && !verb->vm_options)
                throw takes_no_vm_option(*verb, "--" + name);
            throw UsageError(
                "--" + name + " needs a value: --" + name + "=" +
                (option != nullptr ? argument_of(*option) : std::string(own->argument)) +
                (verb != nullptr && verb->operands.find("COMMAND") != std::string_view::npos
                     ? "; what the command takes stands behind `--'"
                     : ""));
        }
        throw UsageError(shown(wrong.what()));
    } catch (const po::error& error) {
        throw UsageError(shown(error.what()));
    }
}

// "a, b or c" for "a|b|c".
std::string alternatives(std::string text) {
    size_t last = text.rfind('|');
    if (last == std::string::npos)
        return text;
    text.replace(last, 1, " or ");
    while ((last = text.rfind('|')) != std::string::npos)
        text.replace(last, 1, ", ");
    return text;
}

// Throws for a value that its verb would refuse, perhaps only after something else.
void check_value(const CommandLine& command, const VerbOption& option) {
    const std::string name(option.name);
    if (!command.has(name))
        return;
    if (option.argument == "SECONDS")
        static_cast<void>(command.seconds(name, {}));
    // "ssh|agent" are words, and "IMAGE|URL" are kinds of them.
    std::string words(option.argument);
    const bool are_words =
        words.find('|') != std::string::npos &&
        std::none_of(words.begin(), words.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    const std::string value = command.option(name);
    const std::string all = alternatives(words);
    std::replace(words.begin(), words.end(), '|', ' ');
    if (are_words && !is_among(words, value))
        throw UsageError("--" + name + ": " + quoted_word(value) + ": it can be " + all);
}

// Throws unless the grammar allows this verb its operands and options.
void check(const CommandLine& command) {
    const Grammar& grammar = *command.grammar;
    const Verb& verb = *command.verb;
    const std::string name(verb.name);
    for (const VerbOption& option : grammar.options) {
        if (command.has(std::string(option.name)) && !takes(verb, option))
            throw takes_not(grammar, verb, option, command.words);
        check_value(command, option);
    }
    const std::vector<Operand> operands = operands_of(verb);
    const auto needed = static_cast<size_t>(std::count_if(
        operands.begin(), operands.end(), [](const Operand& one) { return !one.optional; }));
    if (command.operands.size() < needed)
        throw UsageError(name + " needs " + std::string(verb.operands));
    const bool any_number = !operands.empty() && operands.back().repeats;
    if (command.operands.size() > operands.size() && !any_number)
        throw UsageError(quoted_word(command.operands[operands.size()]) +
                         " means nothing here: tapgate " + name +
                         (verb.operands.empty() ? "" : " " + std::string(verb.operands)));
    if (!command.rest.empty() && verb.rest == Rest::nothing)
        throw UsageError(name + " takes nothing behind `--'");
    if (!command.settings.empty() && !verb.vm_options)
        throw takes_no_vm_option(verb, command.settings[0].place);
}

}  // namespace

std::string CommandLine::option(const std::string& name, std::string_view otherwise) const {
    const auto found = options.find(name);
    return found == options.end() ? std::string(otherwise) : found->second;
}

std::chrono::milliseconds CommandLine::seconds(const std::string& name,
                                               std::chrono::milliseconds otherwise) const {
    if (!has(name))
        return otherwise;
    const std::string text = option(name);
    constexpr unsigned day = 86400;
    const auto seconds = parse_whole<unsigned>(text, 0, day);
    if (!seconds)
        throw UsageError("--" + name + ": " + quoted_word(text) +
                         " is not a number of seconds, 0 to " + std::to_string(day));
    return std::chrono::seconds(*seconds);
}

const Verb& verb_of(const Grammar& grammar, const std::string& word) {
    const Verb* const verb = grammar.find(word);
    if (verb != nullptr)
        return *verb;
    std::string said = "unknown verb " + quoted_word(word);
    if (const std::string_view meant = said_here(word); !meant.empty())
        throw UsageError(said + "; here it is: tapgate " + std::string(meant));
    std::vector<std::string_view> names;
    for (const Verb& one : grammar.verbs)
        names.push_back(one.name);
    throw UsageError(said + did_you_mean(word, names));
}

VmName CommandLine::vm_name() const {
    return parse_vm_name(operands.at(0));
}

VmName parse_vm_name(const std::string& word) {
    auto name = VmName::parse(word);
    if (!name)
        throw UsageError(quoted_word(word) +
                         " is not a VM's name: a letter, then letters, digits, '.', '_' and '-', "
                         "40 bytes at most");
    return std::move(*name);
}

CommandLine parse_command_line(const Grammar& grammar, const std::vector<std::string>& arguments,
                               const std::string& directory) {
    CommandLine result;
    result.words = arguments;
    result.grammar = &grammar;
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    if (dashes != arguments.end())
        result.rest.assign(dashes + 1, arguments.end());
    for (const auto& option :
         parse(grammar, with_implied_values({arguments.begin(), dashes})).options) {
        const std::string& key = option.string_key;
        if (key == "word") {
            result.operands.insert(result.operands.end(), option.value.begin(), option.value.end());
        } else if (is_vm_option(key)) {
            for (const std::string& value : option.value)
                result.settings.push_back(command_line_setting(key, value, directory));
        } else {
            result.options[key] = option.value.empty() ? std::string() : option.value.back();
        }
    }
    if (!result.operands.empty()) {
        result.verb = &verb_of(grammar, result.operands[0]);
        result.operands.erase(result.operands.begin());
    }
    if (result.has("help") || result.has("version"))
        return result;
    if (result.verb == nullptr)
        throw UsageError(
            "a verb is missing, as in: tapgate run IMAGE, tapgate start NAME, tapgate list");
    check(result);
    if (result.verb->rest == Rest::qemu_arguments) {
        for (const std::string& argument : std::exchange(result.rest, {}))
            result.settings.push_back(command_line_setting("qemu-arg", argument, directory));
    }
    return result;
}

std::string help_text(const Grammar& grammar, const Verb* verb, size_t terminal) {
    // As wide as a page, or as the terminal if that is narrower but has room for words.
    constexpr size_t page = 80;
    constexpr size_t least = 40;
    const size_t width = terminal == 0 ? page : std::clamp(terminal, least, page);
    std::ostringstream text;
    // The help begins in this column; on a line of its own when the synopsis reaches beyond it.
    const auto line = [&](const Verb& one, size_t column) {
        std::string words = "tapgate " + std::string(one.name);
        if (!one.operands.empty())
            words.append(" ").append(one.operands);
        std::string help(one.help);
        if (!one.aliases.empty())
            help.append(" (or: ").append(one.aliases).append(")");
        text << "  " << folded_text(words, 6, width - 2);
        if (words.size() + 4 > column)
            text << '\n' << std::string(column, ' ');
        else
            text << std::string(column - words.size() - 2, ' ');
        text << fitted_text(help, column, column, width - 1) << '\n';
    };
    if (verb != nullptr) {
        line(*verb, 8);
        text << '\n' << options_text("Options", own_options(grammar, verb), width);
        if (verb->vm_options)
            text << '\n' << options_text("VM options", vm_options_description(), width);
        return text.str();
    }
    text << folded_text("tapgate: bridged virtual machines for people without root", 2, width)
         << '\n';
    const size_t column = width == page ? 34 : 8;
    for (const Verb& one : grammar.verbs) {
        if (!one.group.empty())
            text << '\n' << one.group << ":\n";
        line(one, column);
    }
    text << '\n'
         << fitted_text(
                "VM options are the keys of VM files too (~/.config/tapgate/NAME.conf), and "
                "variables of the environment, as TAPGATE_MEMORY. In lists a comma of a name is "
                "written twice.",
                0, 0, width)
         << "\n\n"
         << options_text("VM options", vm_options_description(), width) << '\n'
         << options_text("Options of verbs", own_options(grammar, nullptr), width);
    return text.str();
}

}  // namespace tapgate
